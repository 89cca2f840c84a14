"""Data of one's own: tables, arrays, Hugging Face, functions; pinned, and noticed when changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from lrtransfer.study.data import prepare
from lrtransfer.study.plan.catalog import load
from lrtransfer.study.plan.expand import Dataset
from lrtransfer.study.plan.schema import DataSpec
from lrtransfer.study.plan.yaml_file import StudyError
from lrtransfer.study.storage import paths
from tests.study.plan.package_copy import forget

ROWS = "".join(f"{i},{2 * i},{'cat' if i % 3 else 'dog'}\n" for i in range(20))
TABLE = f"height,weight,animal\n{ROWS}"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    forget()
    yield tmp_path
    forget()


def made(source: str, **options: Any) -> Any:
    return load("data", source)(**options)


def arrays(source: str, **options: Any) -> Any:
    found = made(source, **options)
    return found.arrays(found.read())


def test_a_table_becomes_standardised_inputs_and_numbered_classes() -> None:
    Path("animals.csv").write_text(TABLE)
    found = arrays("csv_file", url="animals.csv", target="animal", test_fraction=0.25)
    assert {name: array.shape for name, array in found.items()} == {
        "train_inputs": (15, 2),
        "train_targets": (15,),
        "test_inputs": (5, 2),
        "test_targets": (5,),
    }
    assert found["train_targets"].dtype == np.int64
    heights = np.concatenate([found["train_inputs"][:, 0], found["test_inputs"][:, 0]])
    np.testing.assert_allclose(found["train_inputs"].mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(found["train_inputs"].std(0), 1, rtol=1e-6)
    # Standardising keeps distances in proportion: whole heights are still evenly spaced.
    np.testing.assert_allclose(np.diff(np.sort(heights)), np.ptp(heights) / 19, rtol=1e-4)
    every = np.concatenate([found["train_targets"], found["test_targets"]])
    assert sorted(every) == [0] * 13 + [1] * 7  # cats before dogs


def test_a_target_of_numbers_is_a_regression_and_columns_can_be_left_out() -> None:
    Path("t.csv").write_text("a;b;y\n" + "".join(f"{i};x{i};{i / 2}\n" for i in range(10)))
    options: dict[str, Any] = {"url": "t.csv", "separator": ";", "target": "y"}
    found = arrays("csv_file", left_out="b", **options)
    assert found["train_inputs"].shape == (9, 1)
    assert (found["train_targets"].dtype, found["train_targets"].shape) == (np.float32, (9, 1))
    with pytest.raises(ValueError, match=r"the column 'b' of t.csv holds text"):
        arrays("csv_file", **options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,y\n1,2\n", "no column 'animal', but a, y"),
        ("animal\n", "0 rows"),
        (
            "a,animal\n1,cat\n,dog\n2,dog\n3,cat\n",
            r"row 1 of the inputs \(from 0\) holds no number",
        ),
    ],
)
def test_a_faulty_table_is_named_with_its_place(text: str, message: str) -> None:
    Path("t.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        arrays("csv_file", url="t.csv", target="animal", test_fraction=0.5)


@pytest.mark.parametrize("kind", ["npz", "safetensors"])
def test_arrays_are_taken_as_they_are_or_split(kind: str) -> None:
    inputs = np.arange(40, dtype=np.float32).reshape(10, 2, 2)
    held: dict[str, np.ndarray] = {"x": inputs, "y": np.arange(10) % 2}
    whole = {"train_inputs": inputs, "train_targets": held["y"]}
    for name, content in (("split", held), ("whole", whole)):
        file = Path(f"{name}.{kind}")
        if kind == "npz":
            np.savez(file, allow_pickle=False, **content)
        else:
            save_file(content, file)
    found = arrays("array_file", url=f"split.{kind}", inputs="x", targets="y", test_fraction=0.2)
    assert found["train_inputs"].shape == (8, 2, 2)
    rows = np.concatenate([found["train_inputs"], found["test_inputs"]])[:, 0, 0]
    assert sorted(rows) == sorted(inputs[:, 0, 0])
    again = arrays("array_file", url=f"whole.{kind}")
    np.testing.assert_array_equal(again["train_inputs"], inputs)
    with pytest.raises(ValueError, match="has no array 'inputs', but x, y"):
        arrays("array_file", url=f"split.{kind}")


def test_pickled_objects_are_refused() -> None:
    np.savez("t.npz", inputs=np.array([{"a": 1}], dtype=object), targets=np.zeros(1))
    with pytest.raises(ValueError, match=r"t.npz holds no plain arrays"):
        arrays("array_file", url="t.npz")


FUNCTION = """import numpy as np


def noise(*, samples: int = 12):
    random = np.random.default_rng(0)
    inputs = random.normal(size=(samples, 3)).astype(np.float32)
    return {"train_inputs": inputs, "train_targets": (inputs[:, :1] > 0).astype(np.float32)}


DATASET = noise
"""


def dataset(source: str, sha256: str | None, **options: Any) -> Dataset:
    spec = DataSpec(source=source, sha256=sha256, options=options)
    return Dataset("mine", f"{source}-{(sha256 or 'x')[:6]}", spec)


def own_function() -> None:
    Path("data").mkdir()
    Path("data/noise.py").write_text(FUNCTION)
    forget()


def test_a_function_of_one_s_own_is_prepared_once_and_pinned() -> None:
    own_function()
    without = dataset("noise", None, samples=8)
    told = prepare.changed(without)
    assert told is not None and told.startswith("data.mine.sha256: missing. Write it there")
    sha256 = told.rpartition(" ")[2]
    pinned = dataset("noise", sha256, samples=8)
    assert prepare.sizes(pinned) == (3, 1)
    prepare.prepare(pinned.id, "noise", sha256, {"samples": 8})
    assert prepare.load_arrays(pinned.id)["train_inputs"].shape == (8, 3)
    assert prepare.changed(pinned) is None
    with pytest.raises(prepare.ChecksumError, match=r"params.yaml pins"):
        prepare.prepare("noise-of-nine", "noise", sha256, {"samples": 9})


def test_a_function_that_fails_is_one_line_with_its_place() -> None:
    own_function()
    with pytest.raises(StudyError, match=r"^data/noise.py:6: ValueError: "):
        prepare.source("noise", {"samples": -1})


def test_a_file_that_changed_since_it_was_prepared_is_noticed() -> None:
    file = Path("animals.csv")
    file.write_text(TABLE)
    options = {"url": "animals.csv", "target": "animal"}
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    own = dataset("csv_file", sha256, **options)
    prepare.prepare(own.id, "csv_file", sha256, dict(options))
    later = paths.manifest(own.id).stat().st_mtime + 10
    os.utime(file, (later, later))
    assert prepare.changed(own) is None, "touched alone"
    file.write_text(TABLE + "20,40,cat\n")
    os.utime(file, (later + 10**7, later + 10**7))
    told = prepare.changed(own)
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    assert told is not None and sha256[:12] in told and found in told and "put the former" in told


def test_columns_of_hugging_face_are_arrays_or_text() -> None:
    datasets = pytest.importorskip("datasets")
    numbers = {"inputs": [[float(i), 1.0] for i in range(10)], "label": [i % 2 for i in range(10)]}
    datasets.Dataset.from_dict(numbers).save_to_disk("numbers")
    found = arrays("hugging_face", path="numbers", test_fraction=0.2)
    assert found["train_inputs"].shape == (8, 2)
    lines = {"text": [f"line {i} of a text" for i in range(100)]}
    datasets.DatasetDict({"train": datasets.Dataset.from_dict(lines)}).save_to_disk("lines")
    found = arrays("hugging_face", path="lines", text="text", block_length=16)
    whole = np.concatenate([found["train_tokens"], found["test_tokens"]]).tobytes().decode()
    assert whole == "\n".join(lines["text"])
    with pytest.raises(ValueError, match="no column 'inputs', but text"):
        made("hugging_face", path="lines").read()
