"""A run shown to trackers while it trains; nothing of it changes the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from lrtransfer.study.plan.expand import Run
from lrtransfer.study.training.run import DIVERGENCE_INTERVAL, TrainingRun
from lrtransfer.study.training.trackers import tracked


@contextmanager
def followed(run: Run, training: TrainingRun, names: Sequence[str]) -> Iterator[Callable[[], None]]:
    """Yield what shows the steps since it was last called, if there is enough to show.

    Trackers see what the run logs: mini-batch loss, learning rate, and the columns of the probes.

    Args:
        run: which one.
        training: its trajectory.
        names: of the trackers, as `trackers.asked` returns them.
    """
    if not names:
        yield lambda: None
        return
    shown = training.progress.step
    with tracked(run, names, first=shown) as log:

        def show() -> None:
            nonlocal shown
            step, rows = training.progress.step, training.progress.rows
            # To read a loss is to wait for the device: no more often than the run itself does.
            if step not in rows and step % DIVERGENCE_INTERVAL and step < run.config.steps:
                return
            if shown == 0 and 0 in rows:
                log(0, rows[0])
            losses = training.losses[shown:step].double().tolist()
            for place, (loss, rate) in enumerate(
                zip(losses, _rates(training), strict=False), shown
            ):
                pair = {"loss": loss, "learning_rate": rate}
                log(place + 1, pair | rows.get(place + 1, {}))
            shown = step

        def _rates(training: TrainingRun) -> list[float]:
            step = training.progress.step
            if training.tuned is not None:
                return list(training.tuned.learning_rates(step)[shown:])
            return [training.learning_rates.of_run(place) for place in range(shown, step)]

        yield show
