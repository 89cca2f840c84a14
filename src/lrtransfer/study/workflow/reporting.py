"""From stored tables to figures and the report; no torch."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import version

from lrtransfer.study.figures.drawing import draw
from lrtransfer.study.figures.tables import Arm, Settings, Tables
from lrtransfer.study.plan.expand import Plan
from lrtransfer.study.plan.schema import Grid
from lrtransfer.study.plan.sizes import loss_window, size_of
from lrtransfer.study.report.report import ExperimentReport, Meta, ReportFigure, render
from lrtransfer.study.storage.atomic import write_bytes
from lrtransfer.study.storage.paths import RUN_TABLES, Layout
from lrtransfer.study.storage.seal import PLACEHOLDER, seal
from lrtransfer.study.storage.sums import check_sum, write_sums
from lrtransfer.study.workflow.stages import read_frame, read_ledger
from lrtransfer.study.workflow.stored import estimate_files, estimate_settings, table_settings

_VERSIONS = ("lrtransfer", "torch", "numpy", "pandas", "scipy", "snakemake", "dvc")


def draw_figures(plan: Plan, layout: Layout, experiment: str) -> None:
    """Draw every figure of one experiment."""
    tables = _tables(plan, layout, experiment)
    settings = _settings(plan, experiment, tables)
    folder = layout.figures(experiment)
    drawn = [draw(name, tables, settings, folder) for name in plan.study.study[experiment].figures]
    files = [file for figure in drawn for file in (figure.png, figure.pdf, figure.csv)]
    write_sums(layout.figures_sums(experiment), files)


def write_report(plan: Plan, layout: Layout) -> None:
    """Write the report over all selected experiments."""
    experiments = [_experiment_report(plan, layout, name) for name in plan.experiments]
    versions = {name: version(name) for name in _VERSIONS}
    meta = Meta(
        title="Does the learning rate transfer?",
        lead=(
            "Learning rates found on small networks, put to the test on larger ones, at "
            f"{plan.study.scale} scale."
        ),
        versions={**versions, "python": platform.python_version()},
        redo=[_again(plan), f"lrtransfer figures --scale {plan.study.scale}"],
    )
    ledger = read_ledger(layout, plan.experiments)
    page = f"{render(experiments, ledger, meta)}<!-- {PLACEHOLDER} -->\n"
    write_bytes(layout.report, seal(page.encode()))


def _experiment_report(plan: Plan, layout: Layout, name: str) -> ExperimentReport:
    spec, tables = plan.study.study[name], _tables(plan, layout, name)
    settings = _settings(plan, name, tables)
    return ExperimentReport(
        name=name,
        question=spec.question,
        paper=spec.paper or "",
        scale=plan.study.scale,
        arms={arm: found.label for arm, found in settings.arms.items()},
        tables=tables,
        description=settings.description,
        figures=[_figure(layout, name, figure) for figure in spec.figures],
        redo=[f"{_again(plan)} --experiments {name}"],
        confidence=plan.study.fits.confidence,
    )


def _again(plan: Plan) -> str:
    """Return the command that repeats a study, in this repository and in a folder of one's own."""
    return f"lrtransfer run --scale {plan.study.scale}"


def _figure(layout: Layout, experiment: str, name: str) -> ReportFigure:
    png = layout.figures(experiment) / f"{name}.png"
    check_sum(png, layout.figures_sums(experiment))
    return ReportFigure.read(png)


def _tables(plan: Plan, layout: Layout, experiment: str) -> Tables:
    """Read the tables of an experiment; it need not have spectra, courses or forecasts."""
    of = table_settings(plan, experiment)
    spectra = ("spectra",) if plan.grid(experiment).spectra is not None else ()
    found = {n: read_frame(layout.table(experiment, n), of) for n in (*RUN_TABLES, *spectra)}
    made = estimate_files(plan, layout, experiment)
    for name in ("estimates", "courses", "forecasts"):
        path = getattr(layout, name)(experiment)
        if path in made:
            found[name] = read_frame(path, estimate_settings(plan, experiment))
    return Tables(**found)


def _settings(plan: Plan, experiment: str, tables: Tables) -> Settings:
    """Return the settings of an experiment with the arms that were run: one may be added later.

    Steps and batches are those of the runs: params.yaml may ask for others by now.
    """
    spec, grid = plan.study.study[experiment], plan.grid(experiment)
    family = (grid.model or spec.model).family.replace("_", " ")
    arms = {name: arm for name, arm in spec.arms.items() if (tables.runs["arm"] == name).any()}
    optimizers = {arm.optimizer.name for arm in arms.values()}
    ran = tables.runs[tables.runs["arm"].isin(list(arms))]
    steps = {str(arm): int(longest) for arm, longest in ran.groupby("arm")["steps"].max().items()}
    return Settings(
        experiment=experiment,
        arms={
            name: Arm(
                arm.label,
                grid.reference_learning_rate.get(name),
                steps[name],
                loss_window(grid, name, steps[name]),
            )
            for name, arm in arms.items()
        },
        scale=plan.study.scale,
        confidence=plan.study.fits.confidence,
        dpi=plan.study.figures.dpi,
        description=(
            f"{family} of {_fixed(grid)} on {grid.dataset or spec.dataset}, "
            f"{_listed(optimizers)} with batches of {_listed(set(ran['batch_size']))}"
        ),
    )


def _fixed(grid: Grid) -> str:
    """Say what all networks of an experiment have in common: their depth, or their width."""
    if size_of(grid)[0] in ("batch", "duration"):
        return f"width {grid.widths[0]}, depth {grid.depths[0]}"
    if len(grid.widths) == 1 and len(grid.depths) > 1:
        return f"width {grid.widths[0]}"
    return f"depth {_listed(grid.depths)}"


def _listed(values: Iterable[int] | Iterable[str]) -> str:
    """List values in ascending order."""
    return ", ".join(map(str, sorted(values)))
