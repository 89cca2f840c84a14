"""Where the edge of stability lies, and how it is named."""

from __future__ import annotations

import math
from dataclasses import replace

from matplotlib.figure import Figure

from lrtransfer.study.figures import edges
from lrtransfer.study.figures.edges import Edge
from lrtransfer.study.figures.tables import Arm, Tables

from . import synthetic

PLAIN = Edge(2.0, 0.125, math.nan)
ADAM = Edge(38.0, 1216.0, 0.9)
UNKNOWN = Edge(math.nan, math.nan, math.nan)


def _tables() -> Tables:
    return synthetic.tables(sizes=[32], seeds=[0], arms=["mup", "ntp"], spectra=False)


def test_gradient_descent_has_its_edge_at_two_over_the_learning_rate() -> None:
    edge = edges.edge_of(_tables(), synthetic.settings(), "ntp")
    assert (edge.factor, edge.value) == (2.0, 0.125)
    assert math.isnan(edge.beta1)


def test_adam_has_an_edge_of_the_preconditioned_sharpness_only() -> None:
    tables = synthetic.under_adam(_tables())
    edge = edges.edge_of(tables, synthetic.settings(), "ntp", "preconditioned_sharpness")
    assert math.isclose(edge.value, 38.0 / 16.0)
    assert not edges.known([edges.edge_of(tables, synthetic.settings(), "ntp")])


def test_an_arm_without_a_measured_rate_or_without_runs_has_no_known_edge() -> None:
    silent = replace(synthetic.ARMS["mup"], reference_learning_rate=None)
    settings = synthetic.settings(arms=("ntp", "sp"))
    settings = replace(settings, arms={**settings.arms, "mup": silent})
    assert not edges.known([edges.edge_of(_tables(), settings, "mup")])
    assert not edges.known([edges.edge_of(_tables(), settings, "sp")])
    assert isinstance(settings.arms["mup"], Arm)


def test_an_edge_is_named_with_its_value_and_adams_with_its_formula() -> None:
    assert PLAIN.label == "2/η₀ = 0.125"
    assert ADAM.label == "38/η₀ = 1216"
    assert edges.phrase([PLAIN, PLAIN]) == "dashed, the edge of stability 2/η₀"
    assert "38/η₀" in edges.phrase([ADAM])
    assert "(2 + 2β₁)/((1 − β₁)η₀) with Adam's β₁ = 0.9" in edges.phrase([ADAM])
    assert edges.sentence([UNKNOWN]) == "No edge of stability is known."


def test_the_legend_names_the_edge_that_all_arms_share() -> None:
    assert [h.get_label() for h in edges.handle([PLAIN, UNKNOWN])] == ["edge 2/η₀"]
    assert [h.get_label() for h in edges.handle([PLAIN, ADAM])] == ["edge of stability"]
    assert edges.handle([UNKNOWN]) == []


def test_an_unknown_edge_draws_no_line() -> None:
    axes = Figure().subplots()
    edges.line(axes, UNKNOWN)
    assert not axes.lines and not axes.texts
    edges.line(axes, PLAIN)
    assert [text.get_text() for text in axes.texts] == ["2/η₀ = 0.125"]
