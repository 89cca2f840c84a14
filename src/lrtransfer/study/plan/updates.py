"""Which ways to take an update an experiment's arms allow."""

from __future__ import annotations

from collections.abc import Iterator

from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.schema import Experiment, Grid


def ways_to_update(path: str, experiment: Experiment, grid: Grid) -> Iterator[str]:
    """Yield a line for each way of the grid that an arm does not allow.

    Args:
        path: Of the grid in the study.
        experiment: Whose arms these are.
        grid: What says how to take an update.
    """
    tuned = next((name for name, arm in experiment.arms.items() if arm.tuner is not None), None)
    asked: dict[str, object] = {
        "micro_batch": grid.micro_batch,
        "compile": grid.compile,
        "fused": grid.fused or None,
        "batched": grid.batched,
    }
    asked["precision"] = grid.precision if grid.precision == "bfloat16" else None
    for field, value in asked.items():
        if value is not None and tuned is not None:
            yield (
                f"{path}.{field}: arm {tuned!r} has a tuner, which looks ahead in whole batches "
                "of one run and in the weights' own precision. Remove it."
            )
    if grid.batched is not None:
        yield from _batched(f"{path}.batched", experiment, grid)


def _batched(path: str, experiment: Experiment, grid: Grid) -> Iterator[str]:
    """Refuse what runs that train as one cannot have."""
    if grid.micro_batch is not None:
        yield f"{path}: batches are taken in pieces already. Remove it or micro_batch."
    if grid.train_samples is not None:
        yield f"{path}: train_samples gives every seed data of its own. Remove one of the two."
    for name, arm in experiment.arms.items():
        if arm.replay is not None:
            yield f"{path}: arm {name!r} has replay, which follows one run. Remove it."
    # An unknown one is named elsewhere.
    known = {arm.optimizer.name for arm in experiment.arms.values()} & {*catalog.names("optim")}
    for optimizer in sorted(known):
        if not catalog.flag("optim", optimizer, "ELEMENTWISE"):
            yield (
                f"{path}: the optimizer {optimizer!r} does not say ELEMENTWISE = True: a number's "
                "step may depend on others. Remove it."
            )
