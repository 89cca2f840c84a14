"""The log of one run."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrtransfer.study.storage.run_file import read_run, write_run
from lrtransfer.study.storage.seal import CorruptFileError

ABOUT = {
    "key": "abc",
    "config": {},
    "status": "ok",
    "diverged_step": None,
    "wall_seconds": 1.0,
    "processor": "x86_64-avx512",
    "versions": {"torch": "2"},
}


def test_a_log_has_one_row_per_step_and_null_where_nothing_was_logged(tmp_path: Path) -> None:
    path = tmp_path / "run.parquet"
    measured = {0: {"sharpness": 3.0}, 2: {"sharpness": float("nan"), "ntk": 1.0}}
    write_run(path, [2.0, 1.0], [0.1, 0.2], measured, ABOUT)
    table, about = read_run(path, "abc")
    assert about == ABOUT
    assert table.to_pydict() == {
        "step": [0, 1, 2],
        "loss": [None, 2.0, 1.0],
        "learning_rate": [None, 0.1, 0.2],
        "sharpness": [3.0, None, None],
        "ntk": [None, None, 1.0],
    }


def test_the_log_of_a_run_that_diverged_at_once_has_the_row_of_step_zero(tmp_path: Path) -> None:
    write_run(tmp_path / "run", [], [], {}, ABOUT)
    assert read_run(tmp_path / "run", "abc")[0].to_pydict() == {
        "step": [0],
        "loss": [None],
        "learning_rate": [None],
    }


def test_columns_do_not_depend_on_the_order_of_measuring(tmp_path: Path) -> None:
    for name, row in (("a", {"ntk": 1.0, "loss_2": 2.0}), ("b", {"loss_2": 2.0, "ntk": 1.0})):
        write_run(tmp_path / name, [], [], {0: row}, {})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_another_run_s_log_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "run.parquet", [1.0], [0.1], {}, ABOUT)
    with pytest.raises(CorruptFileError, match="holds run abc, not abd"):
        read_run(tmp_path / "run.parquet", "abd")


@pytest.mark.parametrize("field", [name for name in ABOUT if name != "key"])
def test_a_log_that_another_version_wrote_is_refused_by_what_it_lacks(
    field: str, tmp_path: Path
) -> None:
    about = {name: value for name, value in ABOUT.items() if name != field}
    write_run(tmp_path / "run.parquet", [1.0], [0.1], {}, about)
    with pytest.raises(CorruptFileError, match=f"lacks '{field}'"):
        read_run(tmp_path / "run.parquet", "abc")
