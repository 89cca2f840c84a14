"""Which file holds what."""

from __future__ import annotations

from pathlib import Path

from lrtransfer.study.storage.paths import RUN_TABLES, Layout


def test_the_default_scale_writes_to_results_and_others_beside_it() -> None:
    assert Layout.of(scale="laptop", default_scale="laptop").run("k") == Path(
        "results/runs/k.parquet"
    )
    other = Layout.of(scale="smoke", default_scale="laptop")
    assert other.run("k") == Path("results/scales/smoke/runs/k.parquet")
    assert other.work != Layout().work


def test_no_two_kinds_of_files_share_a_path() -> None:
    layout = Layout()
    paths = [
        layout.run("k"),
        layout.checkpoint("k", 3),
        layout.spectrum("k"),
        *(layout.table("e", name) for name in (*RUN_TABLES, "spectra")),
        layout.estimates("e"),
        layout.courses("e"),
        layout.forecasts("e"),
        layout.claims,
        layout.metrics,
        layout.figures("e"),
        layout.report,
        layout.work_spectrum("k"),
        layout.work_run("k"),
    ]
    assert len(set(paths)) == len(paths)
