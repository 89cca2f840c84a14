"""Images that stay files: decoded ahead by worker processes, the same as images in memory."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

from lrtransfer.study.data import prepare
from lrtransfer.study.plan.catalog import load
from lrtransfer.study.training.examples import HeldExamples, training_examples
from lrtransfer.study.training.samples import Examples
from tests.study.data.test_image_folder import fill

CPU = torch.device("cpu")


def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Examples, HeldExamples]:
    monkeypatch.chdir(tmp_path)
    for seed, folder in enumerate(("train/cat", "train/dog", "val/cat", "val/dog")):
        fill(tmp_path / "images" / folder, 5, seed)
    options = {"path": str(tmp_path / "images"), "classes": 2, "image_size": 6}
    found = []
    for source in ("image_files", "image_folder"):
        pinned = hashlib.sha256(load("data", source)(**options).read()).hexdigest()
        prepare.prepare(source, source, pinned, options)
        found.append(training_examples(prepare.load_arrays(source), torch.float32, CPU))
    return found[0], found[1]  # type: ignore[return-value]


def test_a_batch_is_that_of_the_images_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, held = both(tmp_path, monkeypatch)
    assert (len(files), files.in_features, files.outputs) == (10, 108, 2)
    chosen = torch.tensor([7, 0, 3])
    for ours, theirs in zip(files.batch(chosen), held.batch(chosen), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.process
def test_workers_hand_out_the_batches_in_the_order_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, held = both(tmp_path, monkeypatch)
    order = [torch.tensor([i % 10, (3 * i + 1) % 10]) for i in range(12)]
    found = list(files.batches(order))
    assert len(found) == 12
    for chosen, batch in zip(order, found, strict=True):
        for ours, theirs in zip(batch, held.batch(chosen), strict=True):
            assert torch.equal(ours, theirs)
