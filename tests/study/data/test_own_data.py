"""Data of one's own: tables, arrays, Hugging Face, functions; pinned, and noticed when changed."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from lrtransfer.study.data import prepare
from lrtransfer.study.data.described import described, sizes
from lrtransfer.study.data.pinned import changed
from lrtransfer.study.data.sources import source
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
    monkeypatch.setattr("lrtransfer.study.data.described._READ", {})
    forget()
    yield tmp_path
    forget()


def made(name: str, **options: Any) -> Any:
    return load("data", name)(**options)


def arrays(name: str, **options: Any) -> Any:
    found = made(name, **options)
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
        ("a,animal\n", "0 rows"),
        ("animal\ncat\ndog\n", "t.csv has no column left as an input"),
        ("a,animal\n1,cat\n2,\n3,dog\n", r"row 1 of the targets \(from 0\) is empty"),
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


def dataset(name: str, sha256: str | None, **options: Any) -> Dataset:
    spec = DataSpec(source=name, sha256=sha256, options=options)
    return Dataset("mine", f"{name}-{(sha256 or 'x')[:6]}", spec)


def own_function(text: str = FUNCTION) -> None:
    Path("data").mkdir()
    Path("data/noise.py").write_text(text)
    sys.modules.pop("study_folder", None)
    forget()


def test_a_function_of_one_s_own_is_prepared_once_and_pinned() -> None:
    own_function()
    without = dataset("noise", None, samples=8)
    told = changed(without)
    assert told is not None and told.startswith("data.mine.sha256: missing. Write it there")
    sha256 = told.rpartition(" ")[2]
    pinned = dataset("noise", sha256, samples=8)
    assert sizes(pinned) == (3, 1)
    prepare.prepare(pinned.id, "noise", sha256, {"samples": 8})
    assert prepare.load_arrays(pinned.id)["train_inputs"].shape == (8, 3)
    assert changed(pinned) is None
    with pytest.raises(prepare.ChecksumError, match=r"params.yaml pins"):
        prepare.prepare("noise-of-nine", "noise", sha256, {"samples": 9})


def test_a_function_that_fails_is_one_line_with_its_place() -> None:
    own_function()
    with pytest.raises(StudyError, match=r"^data/noise.py:6: ValueError: "):
        source("noise", {"samples": -1})


def table(text: str = TABLE, name: str = "animals.csv") -> str:
    """Write a table and return its checksum."""
    Path(name).write_text(text)
    return hashlib.sha256(text.encode()).hexdigest()


def prepared(sha256: str, name: str = "animals.csv") -> Dataset:
    own = dataset("csv_file", sha256, url=name, target="animal")
    prepare.prepare(own.id, "csv_file", sha256, dict(own.spec.options))
    return own


def test_a_file_that_changed_since_it_was_prepared_is_noticed() -> None:
    sha256 = table()
    own = prepared(sha256)
    later = paths.manifest(own.id).stat().st_mtime + 10
    os.utime("animals.csv", (later, later))
    assert changed(own) is None, "touched alone"
    found = table(TABLE + "20,40,cat\n")
    told = changed(own)
    assert told is not None and sha256[:12] in told and found in told and "put the former" in told


def test_a_file_that_an_older_one_replaced_is_noticed() -> None:
    own = prepared(table())
    assert changed(own) is None
    found = table(TABLE.replace("19,38", "19,39"))
    os.utime("animals.csv", (10**9, 10**9))
    told = changed(own)
    assert told is not None and f"that of animals.csv is {found}" in told


def test_another_file_than_was_prepared_must_have_the_pinned_content() -> None:
    sha256 = table()
    own = prepared(sha256)
    found = table(TABLE + "20,40,cat\n", "others.csv")
    other = dataset("csv_file", sha256, url="others.csv", target="animal")
    assert other.id == own.id, "where the content lies is no part of the identity"
    told = changed(other)
    assert told is not None and f"that of others.csv is {found}" in told
    table(name="others.csv")
    assert changed(other) is None
    with pytest.raises(RuntimeError, match=r"there is no file third\.csv"):
        changed(dataset("csv_file", sha256, url="third.csv", target="animal"))


def test_prepared_data_are_enough_where_their_file_is_not() -> None:
    own = prepared(table())
    Path("animals.csv").unlink()
    assert changed(own) is None


def test_what_was_prepared_is_known_though_its_job_was_refused() -> None:
    own = prepared(table())
    for file in (paths.arrays, paths.manifest):
        file(own.id).unlink()
    Path("animals.csv").unlink()
    assert changed(own) is None
    assert (described(own).count, sizes(own)) == (18, (2, 2))


def test_content_is_read_again_only_where_its_files_are_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = prepared(table())
    assert changed(own) is None
    monkeypatch.setattr("lrtransfer.study.data.pinned.raw_content", None)
    assert changed(own) is None


def test_a_wrong_checksum_is_told_before_anything_is_prepared() -> None:
    found = table()
    told = changed(dataset("csv_file", "0" * 64, url="animals.csv", target="animal"))
    assert told is not None and told.startswith("data.mine.sha256: pins 000000000000…, but")
    assert found in told
    # What lies afar is not fetched to check a study.
    url = "https://example.org/animals.csv"
    assert changed(dataset("csv_file", "0" * 64, url=url, target="animal")) is None


INPUTS = np.ones((10, 3), np.float32)
CLASSES = np.arange(10) % 2
WITH_NAN = np.where(np.arange(30).reshape(10, 3) == 7, np.nan, INPUTS)


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (INPUTS, CLASSES[:8], "train_inputs has 10 rows and train_targets 8. Give as many"),
        (INPUTS[:0], CLASSES[:0], "train_inputs is empty"),
        (INPUTS[:, 0], CLASSES, r"float32 of shape \(10,\)\. Give one row a sample"),
        (INPUTS, CLASSES.astype("f4"), r"float32 of shape \(10,\)\. Give classes as whole"),
        (INPUTS, CLASSES[:, None], r"int64 of shape \(10, 1\)\. Give classes as whole"),
        (INPUTS, CLASSES - 1, r"row 0 of train_targets \(from 0\) is the class -1\. Count from 0"),
        (WITH_NAN, CLASSES, r"row 2 of train_inputs \(from 0\) holds no finite number"),
        (INPUTS * np.float64(1e300), CLASSES, "row 0 of train_inputs"),
        (INPUTS, np.full((10, 1), np.inf), "row 0 of train_targets"),
        (INPUTS * 1j, CLASSES, "train_inputs is complex"),
    ],
)
def test_arrays_that_cannot_be_trained_on_are_named(
    inputs: np.ndarray, targets: np.ndarray, message: str
) -> None:
    np.savez("t.npz", train_inputs=inputs, train_targets=targets)
    sha256 = hashlib.sha256(Path("t.npz").read_bytes()).hexdigest()
    with pytest.raises(StudyError, match=rf"^params\.yaml: data\.mine: .*{message}"):
        described(dataset("array_file", sha256, url="t.npz"))
    with pytest.raises(ValueError, match=message):
        prepare.prepare("t", "array_file", sha256, {"url": "t.npz"})
    assert not paths.prepared("t").exists()


def test_whole_numbers_of_any_width_are_classes_and_numbers_are_single_precision() -> None:
    inputs, targets = INPUTS.astype("f8"), CLASSES.astype("i4")
    np.savez("t.npz", train_inputs=inputs, train_targets=targets)
    sha256 = hashlib.sha256(Path("t.npz").read_bytes()).hexdigest()
    prepare.prepare("t", "array_file", sha256, {"url": "t.npz"})
    found = prepare.load_arrays("t")
    kinds = (found["train_inputs"].dtype, found["train_targets"].dtype)
    assert kinds == (np.float32, np.int64)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("inputs, inputs", r"returns a tuple\. Return arrays by name"),
        ('{"inputs": inputs}', "holds inputs. Give train_inputs and train_targets"),
        ('{"train_inputs": inputs}', "train_targets is missing"),
        ('{"train_inputs": inputs, "train_targets": [0] * samples}', "train_targets is a list"),
        ('{"train_tokens": inputs}', "train_tokens is float32 .* Give whole numbers"),
    ],
)
def test_what_a_function_returns_is_named_with_its_file(returned: str, message: str) -> None:
    own_function(
        FUNCTION.replace(FUNCTION[FUNCTION.index("{") : FUNCTION.index("}") + 1], returned)
    )
    with pytest.raises(StudyError, match=rf"^data/noise\.py: .*{message}"):
        source("noise", {})


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
