"""Colours tell widths apart; numbers read as a reader expects."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from lrtransfer.figures import style


def test_wider_is_darker_in_every_palette() -> None:
    for count in (2, 5, 8):
        widths = [2**k for k in range(5, 5 + count)]
        luminance = [
            float(np.dot(style.size_colors(widths)[width], (0.2126, 0.7152, 0.0722)))
            for width in widths
        ]
        assert all(a > b + 0.02 for a, b in pairwise(luminance))


def test_one_width_has_a_colour() -> None:
    assert len(style.size_colors([64])) == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0625, "0.0625"),
        (-0.5, "−0.5"),
        (1e-7, "10⁻⁷"),
        (-2.5e8, "−2.5×10⁸"),
        (math.nan, "–"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
    ],
)
def test_number_reads_well(value: float, text: str) -> None:
    assert style.number(value) == text


def test_interval_shows_a_dash_where_there_is_none_and_infinity_where_open() -> None:
    assert style.interval(math.nan, 1.0) == "–"
    assert style.interval(-math.inf, 0.25) == "[−∞, 0.25]"


def test_listing_joins_with_and() -> None:
    assert style.listing([1]) == "1"
    assert style.listing([1, 2, 3]) == "1, 2 and 3"
