"""What is read off a network for its prediction."""

from __future__ import annotations

from lrtransfer.coordinates.problem import Sizes, problem
from lrtransfer.coordinates.structure import modules

from .tables import rules


def test_queries_and_keys_are_seen_through_logits_alone() -> None:
    layers = modules(problem("llama"), rules("mup", "sgd"))
    through = {layer.name for layer in layers if layer.through_logits}
    assert through == {f"branches.{i}.1.{kind}" for i in (0, 2) for kind in ("query", "key")}


def test_modules_come_in_the_order_of_their_calls() -> None:
    names = [layer.name for layer in modules(problem("gpt"), rules("mup", "sgd"))]
    attention = [f"branches.0.1.{part}" for part in ("query", "key", "logits", "value")]
    assert names[:3] == ["embed", "positions", "branches.0.0.gain"]
    assert sorted(names[3:7]) == sorted(attention)
    assert names.index("branches.0.1.logits") > names.index("branches.0.1.key")
    assert names[-1] == "readout"


def test_a_bias_of_all_keys_has_no_gradient() -> None:
    posed = problem("gpt", Sizes((16, 32), options={"block_size": 4, "bias": True}))
    still = {m.name for m in modules(posed, rules("mup", "sgd")) if not m.has_gradient}
    assert still == {"branches.0.1.key.bias", "branches.2.1.key.bias"}


def test_gains_and_tables_have_no_source_and_maps_do() -> None:
    by_name = {m.name: m for m in modules(problem("gpt"), rules("mup", "sgd"))}
    assert by_name["branches.0.0.gain"].source is None
    assert by_name["positions"].source is None
    assert by_name["branches.1.1.expand"].source == "branches.1.1.expand"
    assert by_name["branches.0.1.logits"].tensor is None
    assert by_name["readout"].role == "output"


def test_queries_keys_and_values_have_one_source_and_gate_and_expansion() -> None:
    sources = {m.name: m.source for m in modules(problem("llama"), rules("mup", "sgd"))}
    attention = [sources[f"branches.0.1.{part}"] for part in ("query", "key", "value")]
    assert attention == ["branches.0.1.query"] * 3
    assert sources["branches.0.1.projection"] == "branches.0.1.projection"
    assert sources["branches.1.1.expand"] == "branches.1.1.gate"
