"""Runs shown to TensorBoard or Weights & Biases: as they train, or once they are finished.

The environment says who follows, `LRTRANSFER_FOLLOW=tensorboard,wandb`: no configuration holds it,
so no key and no result depends on it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from lrtransfer.study.plan.expand import Run

VARIABLE = "LRTRANSFER_FOLLOW"
FOLDER = Path(".lrtransfer/follow")


class Tracker(Protocol):
    """Where one run is shown."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Show what is known of a step."""
        ...

    def close(self) -> None:
        """Write what is left; the run is over, or will be taken up later."""
        ...


class TensorBoard:
    """Event files in a folder named after the run; a resumed run overwrites what it repeats."""

    def __init__(self, run: Run, first: int, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        place = folder / "tensorboard" / run.experiment / run.arm / _name(run)
        self._writer: Any = SummaryWriter(str(place), purge_step=first)  # type: ignore[no-untyped-call]

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Add a scalar for each value."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Close the event file."""
        self._writer.close()


class Wandb:
    """A run of Weights & Biases: offline, for `wandb sync`, unless `WANDB_MODE` is set."""

    def __init__(self, run: Run, first: int, folder: Path) -> None:
        import wandb

        folder.mkdir(parents=True, exist_ok=True)
        self._run: Any = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "lrtransfer"),
            id=run.key,
            name=f"{run.experiment}/{run.arm}/{_name(run)}",
            group=f"{run.experiment}/{run.arm}",
            config=run.config.to_json(),
            dir=str(folder),
            mode=os.environ.get("WANDB_MODE", "offline"),
            resume="allow",
            reinit="finish_previous",
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log a step's values."""
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()


TRACKERS: dict[str, Callable[[Run, int, Path], Tracker]] = {
    "tensorboard": TensorBoard,
    "wandb": Wandb,
}


def asked() -> list[str]:
    """Return the trackers that the environment asks for.

    Raises:
        ValueError: There is no such tracker, or its package is not installed.
    """
    names = [name.strip() for name in os.environ.get(VARIABLE, "").split(",") if name.strip()]
    for name in names:
        if name not in TRACKERS:
            raise ValueError(f"{VARIABLE} asks for {name!r}. Give {' or '.join(TRACKERS)}.")
        check_installed(name, VARIABLE)
    return names


def check_installed(tracker: str, asking: str) -> None:
    """Refuse a tracker whose package is missing.

    Args:
        tracker: its name, which is its package's.
        asking: what asks for it, for the message.

    Raises:
        ValueError: it is not installed.
    """
    if find_spec(tracker) is None:
        raise ValueError(
            f"{asking} asks for {tracker}, which is not installed. "
            'Install it: pip install "lrtransfer[follow]"'
        )


@contextmanager
def tracked(
    run: Run, names: Sequence[str], first: int = 0, folder: Path = FOLDER
) -> Iterator[Callable[[int, Mapping[str, float]], None]]:
    """Yield what shows a step of a run to these trackers.

    Args:
        run: which one.
        names: of the trackers, as `asked` returns them.
        first: the first step that will be shown.
        folder: in which they write.
    """
    opened = [TRACKERS[name](run, first, folder) for name in names]

    def log(step: int, values: Mapping[str, float]) -> None:
        for tracker in opened:
            tracker.log(step, values)

    try:
        yield log
    finally:
        for tracker in opened:
            tracker.close()


def _name(run: Run) -> str:
    """Return a name in which runs of an arm sort by size, rate and seed."""
    return f"w{run.width}-d{run.depth}-lr{run.learning_rate:g}-s{run.seed}-{run.key}"
