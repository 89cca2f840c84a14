"""From stored tables to figures and the report; no torch."""

from __future__ import annotations

import platform
from importlib.metadata import version

from lrtransfer.figures import Arm, Settings, Tables, draw
from lrtransfer.report.report import ExperimentReport, Meta, ReportFigure, render
from lrtransfer.storage.atomic import write_text
from lrtransfer.storage.paths import FIT_TABLES, Layout
from lrtransfer.study import Plan
from lrtransfer.workflow.stored import read_claims, read_csv, read_frame

_VERSIONS = ("lrtransfer", "torch", "numpy", "pandas", "scipy", "snakemake", "dvc")


def draw_figures(plan: Plan, layout: Layout, experiment: str) -> None:
    """Draw every figure of one experiment."""
    tables = _tables(layout, experiment)
    settings = _settings(plan, experiment)
    for name in plan.study.study[experiment].figures:
        draw(name, tables, settings, layout.figures(experiment))


def write_report(plan: Plan, layout: Layout) -> None:
    """Write the report over all selected experiments."""
    experiments = [_experiment_report(plan, layout, name) for name in plan.experiments]
    versions = {name: version(name) for name in _VERSIONS}
    meta = Meta(
        title="Does the learning rate transfer?",
        lead=(
            "Learning rates found on small networks, put to the test on larger ones: what was "
            f"asked, measured and found at {plan.study.scale} scale."
        ),
        versions={**versions, "python": platform.python_version()},
        redo=[f"make study SCALE={plan.study.scale}", "make figures"],
    )
    write_text(layout.report, render(experiments, read_claims(layout.claims), meta))


def _experiment_report(plan: Plan, layout: Layout, name: str) -> ExperimentReport:
    spec, tables, settings = plan.study.study[name], _tables(layout, name), _settings(plan, name)
    return ExperimentReport(
        name=name,
        question=spec.question,
        paper=spec.paper,
        scale=plan.study.scale,
        arms={arm: found.label for arm, found in settings.arms.items()},
        runs=tables.runs,
        description=settings.description,
        fits=tables.fits,
        figures=[
            ReportFigure.read(layout.figures(name) / f"{figure}.png") for figure in spec.figures
        ],
        redo=[f"make study SCALE={plan.study.scale} EXPERIMENTS={name}"],
        confidence=plan.study.fits.confidence,
    )


def _tables(layout: Layout, experiment: str) -> Tables:
    runs = read_frame(layout.index)
    return Tables(
        runs=runs[runs["experiment"] == experiment],
        curves=read_frame(layout.curves),
        eigenvalues=read_frame(layout.eigenvalues),
        density=read_frame(layout.density),
        fits={name: read_csv(layout.fit(experiment, name)) for name in FIT_TABLES},
    )


def _settings(plan: Plan, experiment: str) -> Settings:
    spec, grid = plan.study.study[experiment], plan.grid(experiment)
    depths = ", ".join(map(str, grid.depths))
    return Settings(
        experiment=experiment,
        arms={name: Arm(arm.label, arm.reference_learning_rate) for name, arm in spec.arms.items()},
        steps=grid.steps,
        loss_window=grid.loss_window,
        scale=plan.study.scale,
        confidence=plan.study.fits.confidence,
        dpi=plan.study.figures.dpi,
        description=(
            f"{spec.model.family.replace('_', ' ')} of depth {depths} on "
            f"{grid.dataset or spec.dataset}, {spec.optimizer.name} with batches of "
            f"{grid.batch_size}"
        ),
    )
