"""A design in words: half widths against cost, and the lines that ask for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from lrtransfer.transfer.design import Design

_SHOWN = 8


def text(found: Sequence[Design], wished: float, what: str) -> str:
    """Return the designs as a table, the cheapest that suffices first.

    Args:
        found: as `design.designs` gives them.
        wished: half width.
        what: the interval is of, for the heading.
    """
    header = ("half width", "cost", "runs", "rates a size", "step", "seeds by size")
    rows = [_row(design) for design in found[:_SHOWN]]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [
        "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True))
        for row in (header, *rows)
    ]
    return "\n".join([_heading(found, wished, what), *lines])


def _heading(found: Sequence[Design], wished: float, what: str) -> str:
    if not found:
        return (
            f"No design holds the optima within its window ({what}): the pilot's noise is too "
            "large. Pilot with more seeds or over more rates."
        )
    best = found[0]
    if best.half_width > wished:
        return (
            f"No design reaches a half width of {wished:g} ({what}); the narrowest here has "
            f"{min(d.half_width for d in found):.3g}. More sizes would narrow it further."
        )
    return f"Half width of {wished:g} wished for ({what}); the first line is the cheapest design."


def _row(design: Design) -> tuple[str, ...]:
    runs = sum(n * len(design.grid.rates[size]) for size, n in design.seeds.items())
    counts = sorted({len(rates) for rates in design.grid.rates.values()})
    return (
        f"{design.half_width:.3f}",
        f"{design.cost:.4g}",
        str(runs),
        "–".join(map(str, counts)),
        f"{design.grid.step:g}",
        ", ".join(f"{size:g}: {n}" for size, n in design.seeds.items()),
    )


def lines(design: Design, axis: str, arm: str) -> Iterator[str]:
    """Yield the lines that ask for a design: of params.yaml where one grid serves all sizes."""
    grids = set(design.grid.rates.values())
    if len(grids) == 1 and len(set(design.seeds.values())) == 1:
        yield f"{axis}s: [{', '.join(f'{size:g}' for size in design.seeds)}]"
        yield f"seeds: [{', '.join(map(str, range(next(iter(design.seeds.values())))))}]"
        (rates,) = grids
        axis_of_rates = span(rates[0], rates[-1], design.grid.step)
        yield f"arms: {{{arm or 'arm'}: {{lr: {axis_of_rates}}}}}"
        return
    for size, rates in design.grid.rates.items():
        values = ", ".join(f"{2**rate:.4g}" for rate in rates)
        yield f"{axis} {size:g}: {design.seeds[size]} seeds at rates {values}"


#: Of an octave, in a step of a written axis.
_MOST_PARTS = 100


def span(start: float, end: float, step: float) -> str:
    """Return an axis as params.yaml writes it.

    Args:
        start: its first rate, log2.
        end: its last.
        step: octaves.

    Example:
        >>> from lrtransfer.transfer.design_text import span
        >>> span(-1.25, -0.25, 0.5)
        '2^-1.25 .. 2^-0.25 by 0.5'
        >>> span(-2, 2, 4 / 6)
        '2^-2 .. 2^2 by 2/3'
    """
    written = f"{step:g}"
    # Such a step as 2/3 meets the end as a fraction alone.
    if float(written) != step:
        written = str(Fraction(step).limit_denominator(_MOST_PARTS))
    return f"2^{start:g} .. 2^{end:g} by {written}"


def costs(given: Sequence[str]) -> float | Mapping[float, float]:
    """Return what `--cost` says: the power of the size, or a cost for each size.

    Raises:
        ValueError: it is neither.

    Example:
        >>> from lrtransfer.transfer.design_text import costs
        >>> costs(["2"]), costs(["64=1", "128=3.5"])
        (2.0, {64.0: 1.0, 128.0: 3.5})
    """
    if len(given) == 1 and "=" not in given[0]:
        return float(given[0])
    pairs = [pair.partition("=") for pair in given]
    return {float(size): float(cost) for size, _, cost in pairs}
