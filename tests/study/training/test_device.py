"""Where a job computes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from lrtransfer.study.training.device import choose_device, gpu_of_its_own


def test_auto_takes_a_gpu_if_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for available, expected in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda found=available: found)
        assert choose_device("auto").type == expected


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("cpu") == torch.device("cpu")
    with pytest.raises(RuntimeError, match="device is 'cuda:1', but torch sees no GPU"):
        choose_device("cuda:1")


def test_gpus_are_shared_out_in_no_folder_that_another_user_may_have_planted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    gpu, slots = torch.device("cuda"), tmp_path / "slots"
    with gpu_of_its_own(gpu, slots) as device:
        assert device == torch.device("cuda", 0)
    assert slots.stat().st_mode & 0o777 == 0o700
    (tmp_path / "link").symlink_to(slots)
    with pytest.raises(RuntimeError, match=r"link is not this user's own folder.*TMPDIR"):
        gpu_of_its_own(gpu, tmp_path / "link").__enter__()
    monkeypatch.setattr(os, "getuid", lambda: slots.stat().st_uid + 1)
    with pytest.raises(RuntimeError, match="slots is not this user's own folder"):
        gpu_of_its_own(gpu, slots).__enter__()
