"""The parts of a run: of each, the file that its code lies in and the object that is it.

Planner and trainer read the same table: `run_code` puts into a run's key the files of the
parts that its configuration asks for, and `load` hands the trainer the parts themselves. A
part that is not in the table cannot be trained with. Imports no torch until a part is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrtransfer.study.plan import catalog, fingerprint
from lrtransfer.study.plan.catalog import GRID_OPTIONS

if TYPE_CHECKING:
    from lrtransfer.study.plan.run_config import RunConfig

# Imports what every run needs.
_TRAINER = "study/training/run.py"


@dataclass(frozen=True)
class Part:
    """One kind of part.

    Attributes:
        asked: Configuration -> what it asks of this kind: nothing, a name or settings, several.
        file: One of those -> the file of its code, as `fingerprint.code` takes it.
        load: One of those -> the object, imported now.
    """

    asked: Callable[[RunConfig], Iterable[Any]]
    file: Callable[[Any], str | Path]
    load: Callable[[Any], Any]


def _member(
    room: str, asked: Callable[[RunConfig], Iterable[Any]], name: Callable[[Any], str]
) -> Part:
    """Return a part that is a member of a room."""
    return Part(
        asked,
        file=lambda wanted: catalog.source_file(room, name(wanted)),
        load=lambda wanted: catalog.load(room, name(wanted)),
    )


def _optional(field: str, file: str, name: str | None = None) -> Part:
    """Return a part of the trainer's that runs have whose configuration sets a field.

    Args:
        field: Of the configuration; None there goes without the part.
        file: In `study/training`, without its ending.
        name: Of the object in it; None where the field names it.
    """
    return Part(
        lambda config: _given(getattr(config, field)),
        file=lambda wanted: f"study/training/{file}.py",
        load=lambda wanted: getattr(
            import_module(f"lrtransfer.study.training.{file}"), name or wanted
        ),
    )


def _given(value: Any) -> tuple[Any, ...]:
    return () if value is None else (value,)


def _fitting(family: str) -> Callable[..., Any]:
    """Return what makes a model, called with those of the grid's sizes that it takes."""
    make = catalog.load("models", family)
    left_out = GRID_OPTIONS - catalog.options("models", family).keys()
    return lambda **given: make(**{k: v for k, v in given.items() if k not in left_out})


TABLE: dict[str, Part] = {
    "model": Part(
        asked=lambda config: [config.model],
        file=lambda model: catalog.source_file("models", model.family),
        load=lambda model: _fitting(model.family),
    ),
    "outside": Part(
        asked=lambda config: _given(config.parameterization.outside),
        file=lambda wanted: "study/training/outside.py",
        load=lambda wanted: import_module("lrtransfer.study.training.outside").parameterized,
    ),
    "loss": _member("losses", lambda config: [config.loss], str),
    "optimizer": _member(
        "optim", lambda config: [config.optimizer, *_given(config.replay)], lambda own: own.name
    ),
    "schedule": _member("optim/schedules", lambda config: [config.schedule], lambda own: own.name),
    "probe": _member("probes", lambda config: config.measure.probes if config.measure else (), str),
    "tuner": _member("optim/tuners", lambda config: _given(config.tuner), lambda own: own.name),
    "tuned_updates": _optional("tuner", "tuned_updates", "TunedUpdates"),
    "decay": _optional("decay", "width_rule", "apply_decay_rule"),
    "group_warmup": _optional("group_warmup", "group_warmup", "factor_of"),
    "replay": _optional("replay", "replay", "Replay"),
    "bfloat16": Part(
        lambda config: [config.precision] if config.precision == "bfloat16" else [],
        file=lambda wanted: "study/training/mixed_precision.py",
        load=lambda wanted: import_module("lrtransfer.study.training.mixed_precision").in_bfloat16,
    ),
    "micro_batch": _optional("micro_batch", "micro_batches", "MicroBatches"),
    "fused": _optional("fused", "fused", "fuse"),
    "batched": _optional("batched", "batched", "BatchedRuns"),
    "horizon": _optional("horizon", "horizon", "apply_horizon"),
    "augmentation": _optional("augmentation", "augmentation"),
    "train_samples": _optional("train_samples", "fewer_examples", "fewer"),
}


def load(part: str, asked: Any) -> Any:
    """Import a part of a run and return it; None where the run goes without.

    Args:
        part: A name in the table.
        asked: What the configuration says of it: a name, or settings that hold one.

    Raises:
        LookupError: The table has no such part, so that its code would be in no key; or a room
            has no member of that name.
    """
    if part not in TABLE:
        raise LookupError(
            f"a run needs the part {part!r}, which is not in the table of study/plan/parts.py: its "
            "code would be in no key. Add it there."
        )
    return None if asked is None else TABLE[part].load(asked)


def files(config: RunConfig) -> Iterator[str | Path]:
    """Yield the file of every part that a configuration asks for."""
    for part in TABLE.values():
        yield from (part.file(asked) for asked in part.asked(config))


def run_code(config: RunConfig) -> dict[str, str]:
    """Return the fingerprint of the code that trains a run of this configuration."""
    return fingerprint.code(_TRAINER, *files(config))
