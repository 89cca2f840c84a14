"""Tables notice damage when they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lrtransfer.study.storage.seal import CorruptFileError
from lrtransfer.study.storage.tables import read_about, read_table, write_table

ABOUT: dict[str, Any] = {"key": "abc", "numbers": [1, 2.5, None], "note": "μP", "deep": {"b": 1}}
TABLES = {
    "nulls": pa.table({"x": [1.5, None, -0.0, float("nan")], "n": pa.array([1, None, 3, 4])}),
    "all null": pa.table({"x": pa.array([None, None], pa.float64())}),
    "text and bools": pa.table({"s": ["a", None, "μ", ""], "b": [True, False, None, True]}),
    "no rows": pa.table({"x": pa.array([], pa.float64()), "s": pa.array([], pa.string())}),
    "no columns": pa.table({}),
    "chunks": pa.concat_tables([pa.table({"x": [1.0]}), pa.table({"x": [2.0, 3.0]})]),
    "sliced": pa.table({"x": [1.0, None, 3.0], "b": [True, None, False]}).slice(1),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_comes_back_as_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / "table.parquet"
    write_table(path, TABLES[name], ABOUT)
    table, about = read_table(path)
    assert table.schema == TABLES[name].schema
    assert str(table.to_pydict()) == str(TABLES[name].to_pydict())
    assert about == ABOUT
    assert read_about(path) == ABOUT


def test_another_content_under_the_same_metadata_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    write_table(path, TABLES["nulls"], ABOUT)
    metadata = pq.read_schema(path).metadata
    pq.write_table(TABLES["nulls"].slice(0, 3).replace_schema_metadata(metadata), path)
    with pytest.raises(CorruptFileError, match=r"table\.parquet: "):
        read_table(path)


@pytest.mark.parametrize("kept", [0, 3, 100, 0.5, -1])
def test_a_truncated_file_is_named(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "table.parquet"
    write_table(path, TABLES["nulls"], ABOUT)
    content = path.read_bytes()
    length = int(kept * len(content)) if isinstance(kept, float) else kept
    path.write_bytes(content[:length])
    for read in (read_table, read_about):
        with pytest.raises(CorruptFileError, match=r"table\.parquet: .*\. Run the study again"):
            read(path)


def test_a_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    write_table(path, TABLES["text and bools"], ABOUT)
    content = path.read_bytes()
    for place in range(0, len(content), 5):
        damaged = bytearray(content)
        damaged[place] ^= 0x01
        path.write_bytes(bytes(damaged))
        with pytest.raises(CorruptFileError) as caught:
            read_table(path)
        assert caught.value.path == path


@pytest.mark.parametrize("content", [b"", b"PAR1", b"step,loss\n0,1\n"])
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "table.parquet"
    path.write_bytes(content)
    with pytest.raises(CorruptFileError):
        read_table(path)


def test_a_parquet_file_of_others_is_refused(tmp_path: Path) -> None:
    pq.write_table(TABLES["nulls"], tmp_path / "table.parquet")
    for read in (read_table, read_about):
        with pytest.raises(CorruptFileError):
            read(tmp_path / "table.parquet")


def test_a_missing_file_is_no_corrupt_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.parquet"):
        read_table(tmp_path / "none.parquet")


def test_another_s_table_is_refused_by_what_it_says_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    write_table(path, TABLES["nulls"], {"experiment": "depth", "scale": "paper"})
    for read in (read_table, read_about):
        read(path, {"scale": "paper"})
        with pytest.raises(CorruptFileError, match="its scale is 'paper', not 'laptop'"):
            read(path, {"experiment": "depth", "scale": "laptop"})


def test_metadata_of_another_form_are_no_result(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    write_table(path, TABLES["nulls"], [1, 2])  # type: ignore[arg-type]
    for read in (read_table, read_about):
        with pytest.raises(CorruptFileError, match="no result of this project"):
            read(path)
