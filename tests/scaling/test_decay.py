"""Weight-decay rules: their laws, their peers' implementations, and every equivalent form."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mup  # type: ignore[import-untyped]
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lrtransfer.optim.adamw import adamw
from lrtransfer.scaling.apply import apply
from lrtransfer.scaling.decay import WidthRule, base_numbers, rate_multiplier, with_rate
from lrtransfer.scaling.rules import Constants, Scaled
from lrtransfer.scaling.symmetry import Family, moved
from lrtransfer.study.plan.catalog import load

from .nets import column, rules, train
from .package_nets import MLP, Net, Transformer, batch, with_base_shapes

WIDTH, BASE = 32, 8
M = WIDTH / BASE
SIZES: dict[str, Any] = {"in_features": 0, "out_features": 11, "depth": 2, "block_size": 4}
RULES = {
    "standard": WidthRule("standard"),
    "independent": WidthRule("independent"),
    "power": WidthRule("power", power=0.5),
    "lr_independent": WidthRule("lr_independent", peak=0.02),
    "none": WidthRule("none"),
}
ENTRIES = ("sp", "mup", "mup_table3", "mup_table8", "mup_table9", "complete_p", "u_mup")
PEER = json.loads((Path(__file__).parent / "unit_scaling_decay.json").read_text("utf-8"))

Numbers = dict[str, Scaled]


def numbers(entry: str, *, width: int = WIDTH) -> tuple[dict[str, str], Numbers, Numbers]:
    """Return roles, numbers and numbers at the base width of a LLaMA-like net."""
    model = load("models", "llama")(width=width, **SIZES)
    roles = model.roles()  # type: ignore[operator]
    constants = Constants(branch_exponent=0.5, base_width=BASE)
    arguments = (model, roles, rules(entry, "adam"), constants)
    own = apply(*arguments, width=width, depth=2, generator=torch.Generator())
    return dict(roles.tensors), own, base_numbers(*arguments, width=width, depth=2)


def ruled(rule: WidthRule, entry: str, *, width: int = WIDTH) -> tuple[dict[str, str], Numbers]:
    roles, own, base = numbers(entry, width=width)
    return roles, {n: rule(own[n], base[n], roles[n], "adam", width / BASE) for n in own}


def names(first: Numbers, second: Numbers) -> list[str]:
    assert list(first) == list(second)
    return list(first)


def close(scaled: Scaled) -> Any:
    return pytest.approx(vars(scaled), rel=1e-12)


def share(scaled: Scaled) -> float:
    return scaled.learning_rate * scaled.weight_decay


@pytest.mark.parametrize("entry", ENTRIES)
def test_base_numbers_are_those_of_the_net_at_the_base_width(entry: str) -> None:
    _, _, base = numbers(entry)
    _, narrow, same = numbers(entry, width=BASE)
    assert same == narrow
    for name in names(base, narrow):
        assert vars(base[name]) == close(narrow[name])


IMAGES: dict[str, Any] = {"in_features": 3 * 32 * 32, "out_features": 5, "channels": 3}


@pytest.mark.parametrize(
    ("family", "sizes"),
    [
        ("convnet", IMAGES | {"depth": 2, "image_size": 32}),
        ("residual_convnet", IMAGES | {"depth": 3, "image_size": 32}),
        ("vit", IMAGES | {"depth": 2, "image_size": 32}),
        ("mlp_mixer", IMAGES | {"depth": 2, "image_size": 32}),
        ("gpt", SIZES),
    ],
)
def test_base_numbers_know_the_growing_dimensions_of_every_role(
    family: str, sizes: dict[str, Any]
) -> None:
    found = []
    for width in (WIDTH, BASE):
        model = load("models", family)(width=width, **sizes)
        roles = model.roles()  # type: ignore[operator]
        constants = Constants(base_width=BASE)
        table = rules("u_mup", "adam")  # both fans are in its exponents
        found.append(
            base_numbers(model, roles, table, constants, width=width, depth=sizes["depth"])
        )
    for name in names(*found):
        assert vars(found[0][name]) == close(found[1][name])


def test_a_base_width_at_which_a_tensor_has_no_whole_size_is_refused() -> None:
    model = load("models", "residual_mlp")(in_features=5, out_features=3, width=12, depth=2)
    roles = model.roles()  # type: ignore[operator]
    with pytest.raises(ValueError, match="of 12 at width 16: no whole number at the base width 5"):
        base_numbers(model, roles, rules("mup", "adam"), Constants(base_width=5), width=16, depth=2)


@pytest.mark.parametrize("entry", ["mup", "mup_table3", "mup_table8", "mup_table9"])
@pytest.mark.parametrize(
    ("rule", "power"), [("standard", 0.0), ("power", 0.5), ("independent", 1.0)]
)
def test_under_mup_hidden_layers_get_eta_over_m_and_lambda_times_m_to_the_p(
    entry: str, rule: str, power: float
) -> None:
    roles, found = ruled(RULES[rule], entry)
    _, narrow = ruled(RULES[rule], entry, width=BASE)
    for name, own in found.items():
        if roles[name] == "hidden":
            plain, base = _plain(own), _plain(narrow[name])
            assert plain.learning_rate == pytest.approx(base.learning_rate / M)
            assert plain.weight_decay == pytest.approx(base.weight_decay * M**power)
        elif roles[name] == "norm_gain":
            assert (own.learning_rate, own.weight_decay) == pytest.approx((1, 1))


def _plain(scaled: Scaled) -> Scaled:
    return moved(scaled, 1 / scaled.multiplier, "adam")


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("rule", ["standard", "independent", "power"])
def test_all_rules_agree_with_the_table_at_the_base_width(entry: str, rule: str) -> None:
    _, own, _ = numbers(entry, width=BASE)
    _, found = ruled(RULES[rule], entry, width=BASE)
    for name in own:
        assert vars(found[name]) == close(own[name])


def test_the_standard_rule_is_the_table_s_where_the_table_scales_no_decay() -> None:
    _, own, _ = numbers("everett_sp")
    _, found = ruled(RULES["standard"], "everett_sp")
    assert all(vars(found[name]) == close(own[name]) for name in own)


@pytest.mark.parametrize("entry", ["complete_p", "u_mup"])
def test_independent_is_the_table_s_where_the_table_is_independent(entry: str) -> None:
    _, own, _ = numbers(entry)
    _, found = ruled(RULES["independent"], entry)
    assert all(vars(found[name]) == close(own[name]) for name in own)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("entry", ENTRIES)
def test_a_rule_leaves_the_initial_weights_multiplier_and_rate_alone(entry: str, rule: str) -> None:
    _, own, _ = numbers(entry)
    _, found = ruled(RULES[rule], entry)
    for name in own:
        assert replace(found[name], weight_decay=0) == replace(own[name], weight_decay=0)


positive = st.floats(0.01, 100)
scaled_tensors = st.builds(Scaled, positive, positive, positive, positive, positive)


@given(
    own=scaled_tensors,
    base=scaled_tensors,
    rule=st.sampled_from(sorted(RULES)),
    family=st.sampled_from(["sgd", "adam"]),
    factors=st.tuples(positive, positive),
    unscaled=st.booleans(),
)
def test_a_rule_says_the_same_in_every_equivalent_form(
    own: Scaled,
    base: Scaled,
    rule: str,
    family: Family,
    factors: tuple[float, float],
    unscaled: bool,
) -> None:
    chosen = replace(RULES[rule], unscaled=frozenset({"hidden"} if unscaled else ()))
    found = chosen(own, base, "hidden", family, M)
    elsewhere = chosen(
        moved(own, factors[0], family), moved(base, factors[1], family), "hidden", family, M
    )
    assert vars(elsewhere) == close(moved(found, factors[0], family))


def test_lr_independent_decay_is_lambda_at_every_peak_rate_and_width() -> None:
    for peak in (1e-3, 0.5):
        for width in (BASE, WIDTH):
            rule = WidthRule("lr_independent", peak=peak)
            _, found = ruled(rule, "mup_table8", width=width)
            assert all(peak * share(own) == pytest.approx(1) for own in found.values())


def test_without_decay_in_the_table_no_rule_gives_any() -> None:
    own = Scaled(1.0, 1.0, 0.25, 0.0)
    for rule in RULES.values():
        assert rule(own, Scaled(1.0, 1.0, 1.0, 0.0), "hidden", "adam", M).weight_decay == 0


def test_undecayed_roles_lose_their_decay_alone() -> None:
    rule = WidthRule("independent", undecayed=frozenset({"norm_gain", "embedding"}))
    roles, found = ruled(rule, "mup_table8")
    _, plain = ruled(RULES["independent"], "mup_table8")
    for name, own in found.items():
        bare = roles[name] in {"norm_gain", "embedding"}
        assert own == (replace(plain[name], weight_decay=0.0) if bare else plain[name])


@pytest.mark.parametrize("entry", ["mup", "mup_table3", "mup_table9"])
@pytest.mark.parametrize("rule", ["standard", "independent", "power"])
def test_no_scaling_is_eta_and_lambda_of_the_base_width(entry: str, rule: str) -> None:
    unscaled = replace(RULES[rule], unscaled=frozenset({"hidden", "output"}))
    roles, found = ruled(unscaled, entry)
    _, narrow = ruled(unscaled, entry, width=BASE)
    for name, own in found.items():
        if roles[name] in {"hidden", "output"}:
            assert _plain(own).learning_rate == pytest.approx(_plain(narrow[name]).learning_rate)
            assert _plain(own).weight_decay == pytest.approx(_plain(narrow[name]).weight_decay)


def test_the_warm_up_s_multiplier_is_what_mup_divides_a_rate_by() -> None:
    for entry in ("mup", "mup_table3", "mup_table8", "mup_table9"):
        roles, own, base = numbers(entry)
        for name in own:
            expected = M if roles[name] in {"hidden", "output"} else 1.0
            assert rate_multiplier(own[name], base[name], "adam") == pytest.approx(expected)


def test_the_embedding_control_multiplies_the_rate_by_the_width_alone() -> None:
    faster = frozenset({"embedding"})
    _, own, _ = numbers("sp")
    roles, standard = ruled(WidthRule("standard", faster=faster), "sp")
    _, independent = ruled(WidthRule("independent", faster=faster), "sp")
    for name in own:
        if roles[name] == "embedding":
            assert standard[name] == with_rate(own[name], M)
            assert share(independent[name]) == pytest.approx(share(own[name]))
            assert independent[name].learning_rate == M * own[name].learning_rate
        else:
            assert standard[name] == independent[name] == own[name]


def twins(kind: type[Net], ours: str) -> tuple[Net, Net, Numbers]:
    """Return the package's net, ours, and its numbers under independent decay."""
    package = with_base_shapes(kind, 24, 4, output_mult=1.0)
    twin = kind(24, package=False).double()
    table, constants = rules("mup_table8", column(ours)), Constants(base_width=4)
    arguments = (twin, twin.roles, table, constants)
    own = apply(*arguments, width=24, depth=1, generator=torch.Generator().manual_seed(0))
    package.load_state_dict(twin.state_dict())
    base = base_numbers(*arguments, width=24, depth=1)
    roles, rule = twin.roles.tensors, WidthRule("independent")
    found = {n: rule(own[n], base[n], roles[n], column(ours), 6.0) for n in own}
    return package, twin, found


@pytest.mark.parametrize("kind", [MLP, Transformer])
@pytest.mark.parametrize(("theirs", "ours"), [(mup.MuAdamW, "adamw"), (mup.MuSGD, "sgd")])
def test_independent_decay_is_that_of_the_package_mup(
    kind: type[Net], theirs: Callable[..., torch.optim.Optimizer], ours: str
) -> None:
    package, _, found = twins(kind, ours)
    names = {id(parameter): name for name, parameter in package.named_parameters()}
    made = theirs(package.parameters(), lr=0.02, weight_decay=0.3)
    decays = {names[id(p)]: g["weight_decay"] for g in made.param_groups for p in g["params"]}
    assert decays == pytest.approx({n: 0.3 * s.weight_decay for n, s in found.items()})
    assert len(set(decays.values())) == 2


@pytest.mark.parametrize("kind", [MLP, Transformer])
def test_training_under_independent_decay_is_the_package_mup_s(kind: type[Net]) -> None:
    package, twin, found = twins(kind, "adamw")
    inputs, targets = batch(package)
    made = mup.MuAdamW(package.parameters(), lr=0.02, weight_decay=0.3)
    for _ in range(10):
        made.zero_grad()
        (0.5 * (package(inputs) - targets).square().sum(-1).mean()).backward()
        made.step()
    train(twin, found, 0.02, 10, batch=(inputs, targets), name="adamw", weight_decay=0.3)
    for name, parameter in package.named_parameters():
        torch.testing.assert_close(twin.get_parameter(name), parameter, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("row", [r for r in PEER["rows"] if r["independent"]])
def test_lr_independent_decay_is_that_of_unit_scaling(row: dict[str, Any]) -> None:
    """Recorded from unit-scaling 0.3.5: its own groups, and the weights after ten empty steps."""
    scale = row["group_lr"] / row["lr"]
    rule = WidthRule("lr_independent", peak=row["lr"])
    found = rule(Scaled(1.0, 1.0, scale, 3.0), Scaled(1.0, 1.0, 1.0), "hidden", "adam", M)
    assert row["weight_decay"] * found.weight_decay == pytest.approx(row["group_weight_decay"])
    weight = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))
    group = {"params": [weight], "relative_weight_decay": found.weight_decay}
    made = adamw([group], weight_decay=row["weight_decay"])
    made.param_groups[0]["lr"] = row["lr"] * found.learning_rate
    for _ in range(10):
        weight.grad = torch.zeros(2, dtype=torch.float64)
        made.step()
    assert weight.tolist() == pytest.approx([row["after_ten"]] * 2, rel=1e-12)


def test_unit_scaling_s_other_setting_is_the_standard_rule() -> None:
    rows = [r for r in PEER["rows"] if not r["independent"] and r["type"] == "weight"]
    for row in rows:
        own = Scaled(1.0, 1.0, row["group_lr"] / row["lr"])
        found = RULES["standard"](own, Scaled(1.0, 1.0, 1.0), "hidden", "adam", M)
        assert row["weight_decay"] * found.weight_decay == pytest.approx(row["group_weight_decay"])
    assert len(rows) > 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decay": "coupled"}, "decay is 'coupled'. Give one of standard"),
        ({"decay": "power"}, "decay is power and power is None"),
        ({"decay": "standard", "power": 0.5}, "Give power with decay='power'"),
        ({"decay": "lr_independent"}, "peak is None"),
        ({"decay": "none", "peak": 0.1}, "decay is none and peak is 0.1"),
        ({"decay": "lr_independent", "peak": 0.0}, "peak is 0.0. Give a positive"),
        ({"decay": "power", "power": float("nan")}, "power is nan"),
        (
            {"unscaled": frozenset({"embedding"}), "faster": frozenset({"embedding"})},
            "embedding is unscaled and faster",
        ),
    ],
)
def test_rules_that_do_not_fit_are_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WidthRule(**options)


def test_a_tensor_without_a_rate_has_no_rule() -> None:
    with pytest.raises(ValueError, match=r"the learning rate is 0\.0"):
        RULES["standard"](Scaled(1.0, 1.0, 0.0), Scaled(1.0, 1.0, 1.0), "hidden", "adam", M)
