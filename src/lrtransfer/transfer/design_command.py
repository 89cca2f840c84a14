"""The command `lrtransfer design` for anyone's pilot: flags -> designs, as a table and as lines."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence

from lrtransfer.transfer.design import Design, designs
from lrtransfer.transfer.design_text import costs, lines, text
from lrtransfer.transfer.judge_command import judged
from lrtransfer.transfer.pilot import Pilot, pilot
from lrtransfer.transfer.roles import JudgeError


def design(options: argparse.Namespace) -> None:
    """Print the designs that a pilot in a table leads to.

    Raises:
        JudgeError: a flag or the table is not as it should be.
    """
    if options.table is None:
        raise JudgeError("design: name a table of runs, --experiment NAME, or --static")
    missing = [f"--{name}" for name in ("size", "rate", "loss") if not getattr(options, name)]
    if missing:
        raise JudgeError(f"design {options.table}: name the columns with {', '.join(missing)}")
    found = judged(options)
    for arm, group in found.groups.items():
        if found.roles.arm:
            print(f"{arm}:")
        model = pilot(group)
        told, best = answer(options, model, sizes(options, model), price(options, model.axis))
        print(told)
        if best is not None:
            print("", *lines(best, model.axis, arm), sep="\n")


def answer(
    options: argparse.Namespace,
    model: Pilot,
    swept: Sequence[float],
    cost: Callable[[float], float],
) -> tuple[str, Design | None]:
    """Return the table of one arm's designs, and the first if it is as narrow as wished."""
    target, wished, what = _asked(options, model.axis)
    found = designs(
        model,
        swept,
        half_width=wished,
        price=cost,
        target=target,
        confidence=options.confidence,
        follow=not options.one_grid,
        equal_seeds=options.one_grid,
    )
    reached = bool(found) and found[0].half_width <= wished
    return text(found, wished, what), found[0] if reached else None


def sizes(options: argparse.Namespace, model: Pilot) -> list[float]:
    """Return the sizes to sweep: those asked for, or the pilot's ends and doublings between."""
    piloted = [s.sizes[model.axis] for s in model.law.vertices.sweeps]
    if options.sizes:
        asked = sorted({_number(size, "--sizes") for size in options.sizes})
        if len(asked) < 2:
            raise JudgeError(f"--sizes: two {model.axis}s at least, for a law has a slope")
        return asked
    small, large = min(piloted), max(piloted)
    doublings = range(1, math.ceil(math.log2(large / small) - 1e-9))
    return [small, *(small * 2.0**k for k in doublings), large]


def price(options: argparse.Namespace, axis: str) -> Callable[[float], float]:
    """Return the cost of a run at a size: its power, or what was given for it.

    Raises:
        JudgeError: `--cost` is not as it should be, or leaves a size out.
    """
    try:
        given = costs(options.cost or ["0"])
    except ValueError:
        raise JudgeError(
            f"--cost {' '.join(options.cost)}: give a power of the {axis}, 2 say, or the cost of "
            "each size, 64=1 128=3.5 say"
        ) from None
    if isinstance(given, float):
        return lambda size: size**given

    def known(size: float) -> float:
        if size not in given or not given[size] > 0:
            raise JudgeError(f"--cost: say what a run at {axis} {size:g} costs, as {size:g}=COST")
        return given[size]

    return known


def _asked(options: argparse.Namespace, axis: str) -> tuple[float | None, float, str]:
    """Return the size to predict at, the wished half width and what it is of."""
    if (options.drift is None) == (options.predict is None):
        raise JudgeError("design: say --drift HALF-WIDTH, or --predict SIZE --within OCTAVES")
    wished = options.within if options.drift is None else options.drift
    if wished is None or not (0 < wished < math.inf):
        flag = "--within" if options.drift is None else "--drift"
        raise JudgeError(f"{flag}: a half width above 0, in octaves")
    if options.drift is not None:
        return None, wished, f"octaves of rate per doubling of {axis}"
    target = _number(options.predict, "--predict")
    return target, wished, f"octaves of the best rate at {axis} {target:g}"


def _number(given: str, flag: str) -> float:
    try:
        value = float(given.rpartition("=")[2])
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise JudgeError(f"{flag} {given}: give sizes as numbers above 0")
    return value
