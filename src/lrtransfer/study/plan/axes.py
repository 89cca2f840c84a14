"""The short forms of numbers in params.yaml: powers of two, axes of them, and shares.

Each is text in both of YAML's dialects: `2^-3`, `2^-3 .. 2^3 by 1/2`, `1/16`.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from lrtransfer.study.plan.messages import shown

_NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
POWER = rf"2\^(-?{_NUMBER})"
SPAN = rf"{POWER} *\.\. *{POWER}(?: +by +(\d{{1,9}}/[1-9]\d{{0,8}}|{_NUMBER}))?"
_DOT = "an exponent needs a dot, as in 1.0e-3."
_LARGEST = 64  # of an exponent's size; beyond, a net's numbers overflow whatever it learns
_FINEST = Fraction(1, 100)
LONGEST = 1000  # entries of an axis


def rate(value: Any) -> Any:
    """Return the number that `2^n` stands for; what is no text as it is.

    Example:
        >>> rate("2^-3"), rate(0.3)
        (0.125, 0.3)

    Raises:
        ValueError: The text is no power of two, or its exponent is beyond ±64.
    """
    if not isinstance(value, str):
        return value
    if (found := re.fullmatch(POWER, value.strip())) is None:
        raise ValueError(f"{shown(value)} is no rate. Give 2^n or a number; {_DOT}")
    return _power(Fraction(found[1]))


def rates(value: Any) -> Any:
    """Return the list that an axis stands for, its powers of two not yet read.

    `2^a .. 2^b by c` has steps of c octaves and both ends, c being 1 where nothing is said. A
    number alone is an axis of one value.

    Example:
        >>> rates("2^-1 .. 2^0 by 1/2")
        [0.5, 0.7071067811865476, 1.0]

    Raises:
        ValueError: The step does not meet the end, or the text is no axis.
    """
    if isinstance(value, list):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if re.fullmatch(POWER, text) or isinstance(value, int | float):
        return [value]
    if (found := re.fullmatch(SPAN, text)) is None:
        raise ValueError(
            f"{shown(value)} is no axis. Give 2^a .. 2^b, with by 1/2 for a finer one, or a list; "
            f"{_DOT}"
        )
    start, end, step = Fraction(found[1]), Fraction(found[2]), Fraction(found[3] or 1)
    _power(start), _power(end)
    if end < start:
        raise ValueError("the axis ends below its start. Swap them.")
    if step < _FINEST:
        raise ValueError(f"{shown(value)} has a step of {found[3]} octaves. Give at least 1/100.")
    count = (end - start) / step
    if count.denominator != 1:
        last = float(start + int(count) * step)
        raise ValueError(
            f"steps of {found[3] or 1} from 2^{found[1]} do not meet 2^{found[2]}. End at "
            f"2^{last:g}, or choose a step that divides {float(end - start):g}."
        )
    if count >= LONGEST:
        raise ValueError(f"{shown(value)} has {int(count) + 1:,} rates. Give at most {LONGEST:,}.")
    return [_power(start + i * step) for i in range(int(count) + 1)]


def share(value: int | str, of: int) -> int:
    """Return the number that `1/n` is of another, rounded and at least 1; a number as it is.

    Example:
        >>> share("1/4", 250), share(5, 250)
        (62, 5)
    """
    if not isinstance(value, str):
        return value
    return max(1, round(Fraction(value.strip()) * of))


def _power(exponent: Fraction) -> float:
    if abs(exponent) > _LARGEST:
        raise ValueError(f"2^{float(exponent):g} is out of range. Give an exponent from -64 to 64.")
    return float(2.0 ** float(exponent))
