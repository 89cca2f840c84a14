"""The csv of a figure is what its lines show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from lrtransfer.study.figures import style
from lrtransfer.study.figures.consistency import consistency
from lrtransfer.study.figures.eigenvalues_by_rank import eigenvalues_by_rank
from lrtransfer.study.figures.spectral_density import broaden, spectral_density
from lrtransfer.study.figures.tables import Drawing, Settings, Tables
from lrtransfer.study.figures.transfer import transfer

from . import synthetic

ARMS = list(synthetic.ARMS)
WIDTHS = [32, 64, 128, 256, 512]


@cache
def _draw(figure: Callable[[Tables, Settings], Drawing]) -> Drawing:
    with mpl.rc_context(style.rc()):
        return figure(synthetic.tables(), synthetic.settings())


def _axes(drawing: Drawing, columns: int) -> list[list[Axes]]:
    axes = drawing.figure.axes
    return [axes[start : start + columns] for start in range(0, len(axes), columns)]


def _same(line: object, part: pd.DataFrame, x: str = "x") -> None:
    np.testing.assert_allclose(line.get_xdata(), part[x].to_numpy(dtype=float))  # type: ignore[attr-defined]
    np.testing.assert_allclose(line.get_ydata(), part["value"].to_numpy(dtype=float))  # type: ignore[attr-defined]


def test_transfer_draws_the_curves_of_its_csv() -> None:
    drawing = _draw(transfer)
    plotted = drawing.plotted
    for arm, row in zip(ARMS, _axes(drawing, 3), strict=True):
        for panel, axes in zip(("sharpness", "loss"), row, strict=False):
            chosen = plotted[(plotted["arm"] == arm) & (plotted["panel"] == panel)]
            for width, line in zip(WIDTHS, axes.lines, strict=False):
                _same(line, chosen[chosen["size"] == width])
                assert line.get_color() == style.size_colors(WIDTHS)[width]


def test_transfer_means_are_those_of_the_tables() -> None:
    tables = synthetic.tables()
    plotted = _draw(transfer).plotted
    merged = tables.curves.merge(tables.runs, on="key")
    last = merged[(merged["arm"] == "mup") & (merged["size"] == 64) & (merged["step"] == 256)]
    row = plotted[
        (plotted["panel"] == "sharpness")
        & (plotted["arm"] == "mup")
        & (plotted["size"] == 64)
        & (plotted["x"] == 256)
    ].iloc[0]
    assert row["value"] == pytest.approx(last["sharpness"].mean(), rel=1e-12)
    assert row["n"] == 3


def test_transfer_marks_the_edge_of_each_arm() -> None:
    drawing = _draw(transfer)
    for arm, row in zip(ARMS, _axes(drawing, 3), strict=True):
        edge = synthetic.EDGES[arm]
        dashed = [line for line in row[0].lines if line.get_linestyle() == "--"]
        assert [line.get_ydata()[0] for line in dashed] == [edge]  # type: ignore[index]
        kept = drawing.plotted
        assert kept[(kept["arm"] == arm) & (kept["panel"] == "edge")]["value"].item() == edge


def test_transfer_crosses_every_cell_with_a_diverged_run() -> None:
    drawing = _draw(transfer)
    runs = synthetic.tables().runs
    for arm, row in zip(ARMS, _axes(drawing, 3), strict=True):
        lost = runs[(runs["arm"] == arm) & (runs["status"] == "diverged")]
        cells = set(zip(lost["size"], lost["log2_lr"], strict=True))
        crosses = [line for line in row[2].lines if line.get_marker() == "x"]
        assert len(crosses) == len(cells) > 0
        drawn = drawing.plotted
        drawn = drawn[(drawn["arm"] == arm) & (drawn["panel"] == "diverged")]
        assert set(zip(drawn["size"], drawn["x"], strict=True)) == cells
        assert drawn["n"].sum() == len(lost)
        curve = drawing.plotted
        curve = curve[(curve["arm"] == arm) & (curve["panel"] == "transfer")]
        assert not cells & set(zip(curve["size"], curve["x"], strict=True))


def test_transfer_shows_the_fitted_optima_with_open_ends_as_arrows() -> None:
    drawing = _draw(transfer)
    optima = synthetic.tables().shown("optimum", 0.95)
    kept = drawing.plotted[drawing.plotted["panel"] == "optimum"]
    np.testing.assert_allclose(kept["x"], optima["value"])
    np.testing.assert_allclose(kept["x_low"], optima["ci_low"])
    arrows = [
        line for axes in drawing.figure.axes for line in axes.lines if line.get_marker() == "<"
    ]
    assert len(arrows) == 1  # SP, width 512: the interval has no lower end


def test_transfer_shares_the_loss_axis_between_arms() -> None:
    rows = _axes(_draw(transfer), 3)
    limits = {axes.get_ylim() for row in rows for axes in row[1:]}
    assert len(limits) == 1


def test_consistency_draws_its_csv_and_the_power_law() -> None:
    drawing = _draw(consistency)
    quantities = ("sharpness", "subset_loss", "ntk", "gauss_newton")
    for arm, row in zip(ARMS, _axes(drawing, 4), strict=True):
        for quantity, axes in zip(quantities, row, strict=True):
            plotted = drawing.plotted
            plotted = plotted[(plotted["arm"] == arm) & (plotted["quantity"] == quantity)]
            thick = [line for line in axes.lines if line.get_linewidth() > 1.2]
            curves = plotted[plotted["panel"] == "distance"]
            for width, line in zip(WIDTHS[:-1], thick, strict=True):
                _same(line, curves[curves["size"] == width])
            seeds = plotted[plotted["panel"] == "distance of a seed"]
            thin = [line for line in axes.lines if line.get_linewidth() < 1.0]
            for (_, part), line in zip(seeds.groupby(["size", "seed"]), thin, strict=True):
                _same(line, part)
            laws = plotted[plotted["panel"] == "power law"]
            dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
            for width, line in zip(WIDTHS[:-1], dashed, strict=True):
                _same(line, laws[laws["size"] == width])


def test_consistency_laws_follow_the_fit() -> None:
    drawing = _draw(consistency)
    law = drawing.plotted[drawing.plotted["panel"] == "power law"]
    law = law[(law["quantity"] == "ntk") & (law["size"] == 64) & (law["arm"] == "mup")]
    level = 0.05 * 2.0**-0.5
    np.testing.assert_allclose(law["value"], level * law["x"] ** 1.8)
    legend = drawing.figure.axes[2].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["1.80 [1.67, 1.93]"] * 4


def test_consistency_ignores_the_pooled_row() -> None:
    tables = synthetic.tables()
    first = tables.estimates[tables.estimates["statistic"].str.startswith("distance_")].iloc[:2]
    estimates = pd.concat([tables.estimates, first.assign(size=0, value=99.0)])
    drawing = consistency(replace(tables, estimates=estimates), synthetic.settings())
    assert "99" not in drawing.caption
    assert not (drawing.plotted["beta"] == 99.0).any()


def test_eigenvalues_show_first_middle_and_last_rank_and_negative_ones() -> None:
    drawing = _draw(eigenvalues_by_rank)
    plotted = drawing.plotted[drawing.plotted["panel"] == "eigenvalue"]
    assert sorted(plotted["rank"].unique()) == [1, 5, 10]
    assert sorted(plotted["step"].unique()) == [16, 64, 256]
    signed = drawing.figure.axes[ARMS.index("sp")]
    assert signed.get_yscale() == "symlog"
    assert drawing.figure.axes[0].get_yscale() == "log"
    rings = [line for line in signed.lines if line.get_markersize() == 11.0]
    shown = [value for ring in rings for value in np.atleast_1d(ring.get_ydata())]
    negative = plotted[plotted["value"] < 0]["value"]
    assert sorted(shown) == pytest.approx(sorted(negative))
    assert len(negative) == len(WIDTHS)


def test_eigenvalues_in_the_csv_are_seed_means() -> None:
    tables = synthetic.tables()
    merged = tables.spectra.merge(tables.runs, on="key")
    chosen = merged.query(
        "arm == 'ntp' and size == 128 and step == 64 and kind == 'ntk' and `rank` == 5"
    )
    plotted = _draw(eigenvalues_by_rank).plotted
    row = plotted.query(
        "arm == 'ntp' and size == 128 and step == 64 and operator == 'ntk' and `rank` == 5"
    )
    assert row["value"].item() == pytest.approx(np.exp(np.log(chosen["value"]).mean()))


def test_unconverged_eigenvalues_are_counted_in_the_caption() -> None:
    tables = synthetic.tables()
    some = tables.spectra.assign(converged=tables.spectra["rank"] < 10)
    drawing = eigenvalues_by_rank(Tables(tables.runs, spectra=some), synthetic.settings())
    lost = int((some["rank"] == 10).sum())
    assert f"{lost} of {10 * lost} eigenvalues had not converged" in drawing.caption


def test_spectral_density_draws_its_csv_at_the_last_checkpoint() -> None:
    drawing = _draw(spectral_density)
    for arm, axes in zip(ARMS, drawing.figure.axes, strict=True):
        rows = drawing.plotted
        rows = rows[(rows["arm"] == arm) & (rows["panel"] == "density")]
        assert set(rows["step"]) == {256}
        for width, line in zip(WIDTHS, axes.lines, strict=False):
            shown = np.isfinite(np.asarray(line.get_ydata(), dtype=float))
            part = rows[rows["size"] == width]
            np.testing.assert_allclose(np.asarray(line.get_ydata())[shown], part["value"])
            np.testing.assert_allclose(np.asarray(line.get_xdata())[shown], part["x"])


def test_broadening_keeps_mass_and_place() -> None:
    nodes, weights = np.array([-1.0, 2.0]), np.array([0.75, 0.25])
    at = np.linspace(-4.0, 5.0, 4001)
    density = broaden(nodes, weights, at, 0.1)
    assert np.trapezoid(density, at) == pytest.approx(1.0, abs=1e-9)
    assert np.trapezoid(density * at, at) == pytest.approx(-0.25, abs=1e-9)
    assert density.max() == pytest.approx(0.75 / (0.1 * np.sqrt(2 * np.pi)), rel=1e-3)
