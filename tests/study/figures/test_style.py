"""Colours tell widths apart; numbers read as a reader expects."""

from __future__ import annotations

import math
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.lines import Line2D

from lrtransfer.study.figures import style


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


@pytest.mark.parametrize(
    ("low", "high"), [(1.45, 2.2), (0.19, 0.52), (1.8, 7.0), (0.05, 6.0), (0.01, 9e3), (1e-33, 1e9)]
)
def test_a_logarithmic_axis_has_few_round_ticks(low: float, high: float) -> None:
    ticks = style.log_ticks(low, high)
    assert 3 <= len(ticks) <= 9
    assert all(low <= tick <= high for tick in ticks)
    assert all(len(style.number(tick)) <= 6 for tick in ticks)


def test_arms_have_nine_colours_of_their_own() -> None:
    assert len(set(style.ARM_COLORS)) == 9
    assert style.ARM_COLORS[:6] == style.OKABE_ITO


def test_a_legend_of_many_long_labels_stays_inside_the_figure() -> None:
    with mpl.rc_context(style.rc()):
        figure, _ = style.grid(1, 2, 3.0)
        labels = [f"line search, no momentum, batch {n}" for n in range(17)]
        style.legend(figure, [Line2D([], [], label=label) for label in labels])
        figure.canvas.draw()
        box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.x1
    assert [text.get_text() for text in figure.legends[0].get_texts()] == labels


def test_a_label_is_drawn_as_it_is_written_whatever_dollars_it_has() -> None:
    with mpl.rc_context(style.rc()):
        figure, _ = style.grid(1, 1, 2.0)
        style.legend(figure, [Line2D([], [], label=r"$\frac{$")])
        figure.draw_without_rendering()
    (label,) = figure.legends[0].get_texts()
    assert label.get_text() == r"$\frac{$"
