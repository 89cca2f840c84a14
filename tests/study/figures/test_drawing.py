"""Figures are found by file name, draw whatever there is, and say what is missing."""

from __future__ import annotations

import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from lrtransfer.study.figures import style
from lrtransfer.study.figures.drawing import draw
from lrtransfer.study.figures.eigenvalues_by_rank import eigenvalues_by_rank
from lrtransfer.study.figures.optima import optima
from lrtransfer.study.figures.spectral_density import spectral_density
from lrtransfer.study.figures.tables import Arm, Drawn, Settings, Tables
from lrtransfer.study.figures.transfer import transfer
from lrtransfer.study.plan import catalog

from . import synthetic
from .conftest import drawn_from

FIGURES = drawn_from("runs", "measured")
MEASURED = drawn_from("measured")
STUDIES = {"runs", "measured", "tuners", "decay", "arms"}


@pytest.mark.parametrize("name", catalog.names("figures"))
def test_a_figure_names_a_study_that_tests_can_draw_it_from(name: str) -> None:
    assert catalog.constant("figures", name, "DRAWN_FROM") in STUDIES


@pytest.mark.slow
def test_every_figure_draws_the_synthetic_study(drawn: dict[str, Drawn]) -> None:
    for figure in drawn.values():
        assert all(path.stat().st_size > 500 for path in (figure.png, figure.pdf, figure.csv))
        assert "3 seeds" in figure.caption
        assert "32, 64, 128, 256 and 512" in figure.caption
        assert len(figure.alt) > 40
        assert "nan" not in (figure.caption + figure.alt).lower()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "arms", "says"),
    [
        ({"seeds": [0], "sizes": [32, 64]}, ["mup"], ", 1 seed,"),
        ({"sizes": [64]}, ["mup"], "width 64,"),
        ({"diverge_above": -99.0, "sizes": [32, 64]}, ["mup"], "6 of 6 runs at η₀ diverged"),
        ({"arms": ["mup"], "sizes": [32, 64]}, ["mup", "ntp"], "Missing: NTP"),
    ],
    ids=["one seed", "one width", "all diverged", "an arm without runs"],
)
@pytest.mark.parametrize("name", MEASURED)
def test_missing_pieces_are_said_and_do_not_crash(
    name: str, case: dict[str, Any], arms: list[str], says: str, tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tables = synthetic.tables(**{"arms": arms, **case})
        figure = draw(name, tables, synthetic.settings(arms), tmp_path)
    assert says in figure.caption
    assert figure.png.exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_a_depth_study_speaks_of_depths(name: str, tmp_path: Path) -> None:
    tables = synthetic.tables(sizes=[3, 6], arms=["mup"], axis="depth")
    figure = draw(name, tables, synthetic.settings(["mup"]), tmp_path)
    assert "depths 3 and 6" in figure.caption
    assert "width 3" not in figure.caption and "widest" not in figure.caption
    assert set(pd.read_csv(figure.csv)["size"].dropna()) <= {3, 6}


@pytest.mark.parametrize("name", FIGURES)
def test_runs_alone_draw_with_every_gap_named(name: str, tmp_path: Path) -> None:
    runs = synthetic.tables(sizes=[32, 64], arms=["mup"]).runs
    figure = draw(name, Tables(runs=runs), synthetic.settings(["mup"]), tmp_path)
    assert "Missing: μP" in figure.caption


def test_a_single_seed_has_no_bands_and_the_caption_says_so() -> None:
    drawing = transfer(synthetic.tables(seeds=[0]), synthetic.settings())
    assert "A single seed, so no bands." in drawing.caption
    assert drawing.plotted["low"].isna().all()


@pytest.mark.usefixtures("inkless")
@pytest.mark.slow
def test_a_width_without_spectra_is_named(tmp_path: Path) -> None:
    tables = synthetic.tables()
    wide = tables.runs.loc[tables.runs["size"] == 512, "key"]
    of_others = tables.spectra[~tables.spectra["key"].isin(wide)]
    tables = replace(tables, spectra=of_others)
    figure = draw("spectral_density", tables, synthetic.settings(), tmp_path)
    assert "μP density at width 512" in figure.caption


def test_ticks_of_densities_read_as_numbers() -> None:
    # Labels are drawn as they are written, so mathematics within dollars would be shown as such.
    with mpl.rc_context(style.rc()):
        drawing = spectral_density(synthetic.tables(sizes=[32, 64]), synthetic.settings())
        drawing.figure.canvas.draw()
    labels = [t.get_text() for axes in drawing.figure.axes for t in axes.get_yticklabels()]
    assert any(labels) and not any("$" in label for label in labels)


def test_seeds_behind_the_spectra_are_counted_not_those_of_the_runs() -> None:
    tables = synthetic.tables(sizes=[32, 64])
    first = tables.runs.loc[tables.runs["seed"] == 0, "key"]
    values = tables.spectra[tables.spectra["key"].isin(first)]
    caption = eigenvalues_by_rank(replace(tables, spectra=values), synthetic.settings()).caption
    assert ", 1 seed," in caption
    assert "A single seed, so no bars." in caption


@pytest.mark.slow
@pytest.mark.usefixtures("inkless")
@pytest.mark.parametrize("name", ["width_transfer", "consistency", "eigenvalues_by_rank"])
def test_stored_tables_read_back_draw_the_same(
    name: str, drawn: dict[str, Drawn], tmp_path: Path
) -> None:
    tables = synthetic.tables()
    stored = {}
    for part in ("curves", "spectra", "estimates", "courses"):
        getattr(tables, part).to_parquet(tmp_path / f"{part}.parquet")
        stored[part] = pd.read_parquet(tmp_path / f"{part}.parquet")
    figure = draw(name, replace(tables, **stored), synthetic.settings(), tmp_path)
    assert figure.csv.read_bytes() == drawn[name].csv.read_bytes()


def test_intervals_are_drawn_at_the_confidence_of_the_settings() -> None:
    tables = synthetic.tables(sizes=[32, 64], arms=["mup"])
    widths = []
    for confidence in (0.68, 0.95):
        plotted = optima(tables, synthetic.settings(["mup"], confidence=confidence)).plotted
        widths.append((plotted["high"] - plotted["low"]).dropna().mean())
    assert widths[0] == pytest.approx(widths[1] * 0.9945 / 1.95996, rel=1e-4)


@pytest.mark.usefixtures("inkless")
def test_of_several_depths_the_smallest_is_drawn_and_said(tmp_path: Path) -> None:
    tables = synthetic.tables(sizes=[32, 64], spectra=False)
    deeper = tables.runs.assign(depth=6, key=tables.runs["key"] + "-deep", final_loss=9.0)
    both = replace(tables, runs=pd.concat([tables.runs, deeper]))
    figure = draw("width_transfer", both, synthetic.settings(["mup"]), tmp_path)
    alone = draw("width_transfer", tables, synthetic.settings(["mup"]), tmp_path / "alone")
    assert "Depth 3 of 3 and 6." in figure.caption
    assert figure.csv.read_bytes() == alone.csv.read_bytes()


@pytest.mark.usefixtures("inkless")
def test_runs_of_other_experiments_are_left_out(tmp_path: Path) -> None:
    tables = synthetic.tables(sizes=[32, 64])
    other = tables.runs.assign(experiment="another", final_loss=9.0)
    both = replace(tables, runs=pd.concat([tables.runs, other]))
    figure = draw("width_transfer", both, synthetic.settings(["mup"]), tmp_path)
    alone = draw("width_transfer", tables, synthetic.settings(["mup"]), tmp_path / "alone")
    assert figure.csv.read_bytes() == alone.csv.read_bytes()


def test_an_unknown_figure_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match=r"unknown figure 'style'\. Known: consistency"):
        draw("style", synthetic.tables(), synthetic.settings(), tmp_path)


def test_an_unknown_experiment_is_refused_by_name(tmp_path: Path) -> None:
    settings = synthetic.settings(experiment="elsewhere")
    with pytest.raises(ValueError, match="elsewhere"):
        draw("consistency", synthetic.tables(), settings, tmp_path)


def test_a_runs_table_without_its_columns_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lacks the columns.*final_loss"):
        Tables(runs=synthetic.tables().runs.drop(columns="final_loss"))


def test_settings_refuse_no_arms_and_an_impossible_confidence() -> None:
    with pytest.raises(ValueError, match="arms"):
        Settings("e", {}, "smoke")
    with pytest.raises(ValueError, match="confidence"):
        Settings("e", {"mup": Arm("μP", 1.0, 10, 5)}, "smoke", confidence=95.0)


@pytest.mark.process
def test_figures_and_report_import_no_torch() -> None:
    rooms = "lrtransfer.study.figures, lrtransfer.study.report"
    code = f"import sys, {rooms}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_captions_take_their_numbers_from_the_data() -> None:
    tables = synthetic.tables()
    estimates = tables.estimates.copy()
    drift = (estimates["statistic"] == "drift") & (estimates["arm"] == "mup")
    estimates.loc[drift, "value"] = 1.25
    curves = tables.curves.assign(
        sharpness=np.where(tables.curves["key"].str.startswith("mup"), 3.0, 1.0)
    )
    tables = replace(tables, estimates=estimates, curves=curves)
    caption = transfer(tables, synthetic.settings()).caption
    assert "the sharpness is 1.5 × 2/η₀, largest over smallest width mean 1;" in caption
    assert "moves by 1.2 [1.1, 1.4] octaves per octave of width" in caption
