"""The sizes of a grid: widths and depths of its nets, batches and durations of its runs.

A batch is counted in samples of an update, a duration in samples that a run sees. Where the batch
varies the duration stays, steps · batch_size of the arm; where the duration varies the batch does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from lrtransfer.study.plan.schema import Experiment, Grid, Study, of_arm

if TYPE_CHECKING:
    from lrtransfer.transfer.size import Axis

_AXES = ("widths", "depths", "batches", "durations", "seeds")
_MOST_RUNS = 100_000


class Length(NamedTuple):
    """Samples of an update, and updates of a run."""

    batch_size: int
    steps: int


def size_of(grid: Grid) -> tuple[Axis, list[int]]:
    """Return the axis along which an experiment asks whether things transfer, and its sizes."""
    if grid.batches is not None:
        return "batch", grid.batches
    if grid.durations is not None:
        return "duration", grid.durations
    if len(grid.widths) == 1 and len(grid.depths) > 1:
        return "depth", grid.depths
    return "width", grid.widths


def field_of(axis: Axis) -> str:
    """Return the field of params.yaml that holds the sizes of an axis."""
    return "batches" if axis == "batch" else f"{axis}s"


def own_length(grid: Grid, arm: str) -> Length:
    """Return what an arm says itself: the base of its rule, where it has one (`horizon`)."""
    return Length(of_arm(grid.batch_size, arm), of_arm(grid.steps, arm))


def lengths(grid: Grid, arm: str) -> list[Length]:
    """Return batch and steps of an arm's runs, one for each size along these axes."""
    own = own_length(grid, arm)
    batches, whole = grid.batches or [own.batch_size], own.batch_size * own.steps
    return [Length(b, d // b) for b in batches for d in grid.durations or [whole]]


def loss_window(grid: Grid, arm: str, steps: int) -> int:
    """Return how many last updates make the loss of a run: the same share of each."""
    own = own_length(grid, arm).steps
    return max(1, round(of_arm(grid.loss_window, arm) * steps / own))


def faults(path: str, experiment: Experiment, grid: Grid) -> Iterator[str]:
    """Yield a line for each rule that batches and durations of a grid break."""
    axis, sizes = size_of(grid)
    if axis in ("width", "depth"):
        return
    field = f"{path}.{field_of(axis)}"
    if grid.batches is not None and grid.durations is not None:
        yield f"{field}: durations vary, too, and a law is on one axis. Give each an experiment."
    for other in ("widths", "depths"):
        if len(getattr(grid, other)) > 1:
            yield f"{field}: {other} vary, too, and a law is on one axis. Give one of {other}."
    if grid.spectra is not None:
        yield f"{field}: the steps of spectra are those of one length. Remove spectra."
    for arm in experiment.arms:
        own = own_length(grid, arm)
        duration = own.batch_size * own.steps
        for size in sizes:
            of, by = (duration, size) if axis == "batch" else (size, own.batch_size)
            if of % by:
                yield f"{field}: {of} samples are no whole number of batches of {by}. Change one."
                return


def too_many(study: Study, names: Iterable[str]) -> Iterator[str]:
    """Refuse more runs than a plan can hold, by the longest axis of the largest experiment."""
    here = {n: study.study[n].scales.get(study.scale) for n in names}
    counts = {name: _runs(grid) for name, grid in here.items() if grid is not None}
    if (asked := sum(counts.values())) > _MOST_RUNS:
        largest = max(counts, key=counts.__getitem__)
        grid = study.study[largest].scales[study.scale]
        lengths = {f"learning_rates.{arm}": len(r) for arm, r in grid.learning_rates.items()}
        lengths |= {axis: len(getattr(grid, axis) or []) for axis in _AXES}
        longest = max(lengths, key=lengths.__getitem__)
        yield (
            f"study.{largest}.scales.{study.scale}.{longest}: {asked:,} runs are asked for. "
            f"Shorten an axis, to at most {_MOST_RUNS:,} in all."
        )


def _runs(grid: Grid) -> int:
    rates = sum(map(len, grid.learning_rates.values()))
    return rates * prod(len(getattr(grid, axis) or [0]) for axis in _AXES)
