"""Groups, settings and refusals of `parameterize`."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import lrtransfer as lt
from lrtransfer.scaling import table
from lrtransfer.scaling.apply import apply
from lrtransfer.scaling.rules import Constants

from .outsiders import MLP, Transformer, loss, numbers, tokens, trajectory, with_layout
from .small_families import build, decays


def mup(model: nn.Module, **changes: Any) -> list[dict[str, Any]]:
    settings: dict[str, Any] = {"optimizer": "adamw", "lr": 1e-3, "seed": 0} | changes
    if "base" not in settings:
        settings["base"] = MLP(4)
    return lt.parameterize(model, "mup", **with_layout(settings))


def test_groups_hold_every_tensor_once_with_its_absolute_and_relative_numbers() -> None:
    model = MLP(8)
    groups = mup(model, weight_decay=0.1, eps=1e-6)
    names = [name for group in groups for name in group["names"]]
    assert sorted(names) == sorted(n for n, _ in model.named_parameters())
    for group in groups:
        assert [model.get_parameter(n) for n in group["names"]] == group["params"]
        assert group["lr"] == 1e-3 * group["relative_rate"]
        assert group["weight_decay"] == 0.1 * group["relative_weight_decay"]
        assert (group["weight_decay"] > 0) == decays(group["role"])
        assert group["eps"] == 1e-6 * group["relative_epsilon"]
    by_role = {group["role"]: group["names"] for group in groups}
    assert len(by_role) == len(groups) == 5
    assert by_role["bias"] == ["first.bias", "second.bias"]


def test_sgd_groups_have_no_epsilon() -> None:
    assert all("eps" not in group for group in mup(MLP(8), optimizer="sgd"))


@pytest.mark.parametrize(
    ("optimizer", "kind"),
    [
        ("sgd", torch.optim.SGD),
        ("momentum", torch.optim.SGD),
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
        ("rmsprop", torch.optim.RMSprop),
    ],
)
def test_a_class_of_torch_means_its_name(optimizer: str, kind: Any) -> None:
    class Mine(kind):  # type: ignore[misc]
        pass

    by_name = mup(MLP(8), optimizer=optimizer)
    for given in (kind, Mine):
        by_class = mup(MLP(8), optimizer=given)
        assert [g["lr"] for g in by_class] == [g["lr"] for g in by_name]
        assert ["eps" in g for g in by_class] == ["eps" in g for g in by_name]


def test_rates_make_the_sharpness_that_of_the_form_with_multipliers() -> None:
    hooked, own = build("residual_mlp", 8), build("residual_mlp", 8)
    scaled = apply(
        hooked,
        hooked.roles(),  # type: ignore[operator]
        table.rules("mup", "sgd"),
        Constants(base_width=4),
        width=8,
        depth=2,
        generator=torch.Generator().manual_seed(2),
    )
    groups = lt.parameterize(
        own, "mup", base=build("residual_mlp", 4), optimizer="sgd", lr=0.1, seed=2
    )
    batch = (numbers(), torch.zeros(12, 3, dtype=torch.float64))

    def value(model: nn.Module, scale: dict[str, float]) -> float:
        return lt.sharpness(
            model, lambda f, y: loss(f) + 0.0 * y.sum(), batch, scale=scale, tolerance=1e-8
        ).value

    rates = lt.rates(groups)
    expected = value(hooked, {name: s.learning_rate for name, s in scaled.items()})
    assert value(own, rates) == pytest.approx(expected, rel=1e-9)
    assert value(own, dict.fromkeys(rates, 1.0)) != pytest.approx(expected, rel=0.1)


def test_weights_follow_the_seed_the_generator_or_torch_s_own_state() -> None:
    first, second, third, fourth, base = *(MLP(8) for _ in range(4)), MLP(4)
    mup(first)
    mup(second, seed=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    mup(third, seed=None, base=base)
    mup(fourth, seed=1)
    for name, parameter in first.named_parameters():
        assert torch.equal(second.get_parameter(name), parameter)
        assert torch.equal(third.get_parameter(name), parameter)
    assert not torch.equal(fourth.first.weight, first.first.weight)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_seed_means_the_same_weights_in_every_dtype(dtype: torch.dtype) -> None:
    single, other = MLP(8), MLP(8).to(dtype)
    mup(single)
    mup(other)
    for ours, theirs in zip(single.parameters(), other.parameters(), strict=True):
        assert theirs.dtype == dtype
        torch.testing.assert_close(ours.to(dtype).float(), theirs.float(), rtol=1e-6, atol=0)


def test_without_initialise_the_weights_stay_and_the_rest_is_the_same() -> None:
    model = MLP(8)
    before = copy.deepcopy(model.state_dict())
    groups = mup(model, initialise=False)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert [g["lr"] for g in groups] == [g["lr"] for g in mup(MLP(8))]


def test_frozen_tensors_are_initialised_and_in_no_group() -> None:
    model, free = MLP(8), MLP(8)
    model.second.requires_grad_(False)
    groups = mup(model)
    mup(free)
    assert not any(name.startswith("second") for name in lt.rates(groups))
    assert torch.equal(model.second.weight, free.second.weight)
    with pytest.raises(ValueError, match=r"every parameter is frozen"):
        mup(MLP(8).requires_grad_(False))


def test_the_padding_of_an_embedding_stays_zero() -> None:
    def padded(width: int) -> nn.Module:
        return nn.Sequential(nn.Embedding(5, width, padding_idx=2), nn.Linear(width, 3))

    model = padded(8)
    mup(model, base=padded(4))
    rows = model[0].weight.abs().sum(1)  # type: ignore[index, union-attr, operator]
    assert rows[2] == 0
    assert (rows > 0).sum() == 4


def test_the_base_may_be_on_the_meta_device() -> None:
    with torch.device("meta"):
        base = MLP(4)
    assert lt.rates(mup(MLP(8), base=base)) == lt.rates(mup(MLP(8)))


def test_a_pair_of_bases_tells_the_roles_of_a_network_at_the_base_width() -> None:
    wide, narrow = (mup(MLP(n), base=(MLP(4), MLP(2))) for n in (8, 4))
    assert lt.rates(wide) == lt.rates(mup(MLP(8)))
    # Multipliers 1/√fan_in outside, absorbed: the rate of Adam carries them at every width.
    assert lt.rates(narrow)["second.weight"] == pytest.approx(1 / 4**0.5)
    assert lt.rates(wide)["second.weight"] == pytest.approx(1 / 8**0.5 / 2**0.5)
    assert {g["role"] for g in narrow} == {"input", "hidden", "output", "bias", "scalar_bias"}


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_base_of_the_model_s_own_width_means_that_the_width_does_not_count(
    optimizer: str,
) -> None:
    alone, pair = MLP(8), MLP(8)
    groups = mup(alone, base=MLP(8), optimizer=optimizer)
    by_pair = mup(pair, base=(MLP(8), MLP(4)), optimizer=optimizer)
    assert lt.rates(groups) == lt.rates(by_pair)
    assert all(map(torch.equal, alone.parameters(), pair.parameters()))
    # Mean field counts the width itself, so that a readout is no hidden matrix at any.
    common: dict[str, Any] = {"base": MLP(8), "optimizer": "sgd", "lr": 1.0}
    with pytest.raises(ValueError, match=r"could be hidden or output.*Give base= a pair"):
        lt.parameterize(MLP(8), "mean_field", **common)


def test_one_entry_is_a_scalar_and_stays_as_it_is() -> None:
    class Gated(MLP):
        def __init__(self, width: int) -> None:
            super().__init__(width)
            self.gate = nn.Parameter(torch.tensor(0.2))
            self.slope = nn.Parameter(torch.full((1, 1), 0.3))

    model = Gated(8)
    groups = mup(model, base=Gated(4), weight_decay=0.1)
    scalars = next(g for g in groups if "gate" in g["names"])
    assert (scalars["role"], scalars["relative_rate"], scalars["weight_decay"]) == ("scalar", 1, 0)
    assert (model.gate.item(), model.slope.item()) == pytest.approx((0.2, 0.3))


def test_values_that_are_kept_change_no_other_draw() -> None:
    kept, free = MLP(8), MLP(8)
    before = kept.second.weight.clone()
    mup(kept, kept="second.weight")
    mup(free)
    assert torch.equal(kept.second.weight, before)
    assert torch.equal(kept.last.weight, free.last.weight)


def test_told_roles_and_sizes_do_without_a_base() -> None:
    roles = {
        "first.weight": "input",
        "second.weight": "hidden",
        "last.weight": "output",
        "last.bias": "scalar_bias",
        "f*.bias": "bias",
        "second.bias": "bias",
    }
    first, second = MLP(8), MLP(8)
    groups = mup(first, base=None, roles=roles, width=(8, 4))
    assert lt.rates(groups) == lt.rates(mup(second))
    assert torch.equal(first.second.weight, second.second.weight)
    wider = mup(MLP(8), base=None, roles=roles, width=(8, 1))
    assert lt.rates(wider)["second.weight"] != lt.rates(groups)["second.weight"]


def test_a_model_s_own_roles_tell_branches_and_attention_too() -> None:
    told, own = build("gpt", 8), build("gpt", 8)
    common: dict[str, Any] = {"optimizer": "adamw", "lr": 1e-3, "seed": 0}
    depths: dict[str, Any] = {"base_depth": 1, "branch_exponent": 1.0}
    lt.parameterize(
        told,
        "complete_p",
        base=build("gpt", 4),
        layout=told.roles(),  # type: ignore[operator]
        **common,
        **depths,
    )
    lt.parameterize(
        own,
        "complete_p",
        base=build("gpt", 4),
        layout=lt.Layout(branches="branches.*", attention={"branches.*.1.logits": 4}),
        **common,
        **depths,
    )
    assert torch.equal(told(tokens()), own(tokens()))


def test_fans_tell_the_orientation_of_a_matrix_of_one_s_own() -> None:
    class Transposed(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.first = nn.Parameter(torch.randn(40, width))
            self.last = nn.Linear(width, 3)

    roles = {"first": "input"}
    with pytest.raises(ValueError, match=r"'first', of shape \(40, 8\) in a Transposed.*fans="):
        mup(Transposed(8), base=Transposed(4), roles=roles)
    model = Transposed(200)
    mup(model, base=Transposed(4), roles=roles, fans={"first": (40, 200)})
    assert model.first.std().item() == pytest.approx(40**-0.5, rel=0.05)
    by_class = Transposed(200)
    mup(by_class, base=Transposed(4), modules={"Transposed": {"tensors": {"first": "in out"}}})
    assert torch.equal(by_class.first, model.first)


def test_a_user_s_own_table_is_taken() -> None:
    rule = {"init": {"factor": 0.0}, "learning_rate": {"width": 2}}
    roles = ("input", "hidden", "output", "bias", "scalar_bias")
    own = {"families": {"sgd": dict.fromkeys(roles, rule)}}
    model = MLP(8)
    groups = lt.parameterize(model, own, base=MLP(4), optimizer="sgd", lr=1.0)
    assert set(lt.rates(groups).values()) == {4.0}
    assert all(not p.any() for p in model.parameters())


def test_told_widths_stand_in_where_the_base_has_several() -> None:
    class Uneven(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.first = nn.Linear(5, width + 1)
            self.last = nn.Linear(width + 1, width)

    with pytest.raises(ValueError, match=r"no one width\. Give layout=lt\.Layout\(width="):
        mup(Uneven(8), base=Uneven(4))
    mup(Uneven(8), base=Uneven(4), width=(8, 4))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": "lamb"}, r"optimizer is 'lamb'.*adamw"),
        ({"optimizer": torch.optim.LBFGS}, r"optimizer is .*LBFGS"),
        ({"lr": -1.0}, r"lr is -1\.0"),
        ({"lr": float("nan")}, r"lr is nan"),
        ({"weight_decay": -0.1}, r"weight_decay is -0\.1"),
        ({"eps": float("inf")}, r"eps is inf"),
        ({"optimizer": "adam", "weight_decay": 0.1}, r"adam normalises the decay.*Use adamw"),
        ({"base": None}, r"base is not told\. Give base="),
        ({"base": (MLP(4), MLP(4))}, r"both of base have one width"),
        ({"base": None, "width": (8, 1)}, r"tensor 'first\.weight' has no role.*roles="),
        ({"width": (0, 1)}, r"width is \(0, 1\)"),
        ({"kept": "third.weight"}, r"kept names 'third\.weight'"),
        ({"modules": {"MLP": {"tensor": {}}}}, r"layout of MLP has tensor\. Its keys are"),
        ({"roles": {"third.weight": "input"}}, r"roles names 'third\.weight'"),
        ({"roles": {"first.weight": "inptu"}}, r"'first\.weight' has the role 'inptu'.*hidden"),
        ({"roles": {"*.bias": "bias", "last.*": "output"}}, r"roles gives 'last\.bias' both"),
        ({"gamma0": 0.0}, r"gamma0 is 0\.0"),
    ],
)
def test_a_wrong_argument_is_named_and_the_model_stays(
    changes: dict[str, Any], message: str
) -> None:
    model = MLP(8)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match=message):
        mup(model, **changes)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_tensors_without_shape_memory_or_real_entries_are_named() -> None:
    with pytest.raises(ValueError, match=r"'0\.weight' has no shape yet"):
        mup(nn.Sequential(nn.LazyLinear(8), nn.Linear(8, 3)))
    with torch.device("meta"):
        empty = MLP(8)
    with pytest.raises(ValueError, match=r"'first\.weight' is on the meta device.*to_empty"):
        mup(empty)
    complex_valued = MLP(8)
    complex_valued.first.weight = nn.Parameter(torch.ones(8, 5, dtype=torch.complex64))
    with pytest.raises(ValueError, match=r"'first\.weight' is torch\.complex64"):
        mup(complex_valued)


def test_a_constant_without_effect_is_refused() -> None:
    common: dict[str, Any] = {"base": MLP(4), "optimizer": "adamw", "lr": 1.0}
    common["layout"] = lt.Layout(branches=[])
    with pytest.raises(ValueError, match=r"gamma0 is 2\.0, but no exponent"):
        lt.parameterize(MLP(8), "complete_p", gamma0=2.0, **common)
    with pytest.raises(ValueError, match=r"branch_exponent is 1\.0, but no exponent"):
        lt.parameterize(MLP(8), "depth_mup", branch_exponent=1.0, **common)


def test_coordinates_move_alike_at_every_width_of_a_transformer() -> None:
    """μP under Adam: the change of the features is flat in width; under SP it grows."""
    changes: dict[str, list[float]] = {"mup": [], "sp": []}
    for name, moved in changes.items():
        for width in (16, 64, 256):
            model = Transformer(width).double()
            groups = lt.parameterize(
                model,
                name,
                base=Transformer(16),
                optimizer="adamw",
                lr=0.01,
                layout=lt.Layout(attention={"h.*.attn.qkv": (width // 2, slice(0, width))}),
                seed=0,
            )
            seen: list[torch.Tensor] = []
            model.ln_f.register_forward_hook(lambda m, i, o, kept=seen: kept.append(i[0].detach()))
            trajectory(model, torch.optim.AdamW(groups), tokens(), steps=4)
            moved.append((seen[-1] - seen[0]).square().mean().sqrt().item())
    assert max(changes["mup"]) < 2 * min(changes["mup"]), changes
    assert changes["sp"][-1] > 4 * changes["sp"][0], changes


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"base": lambda: None}, "base is a function. Give a module"),
        ({"base": [nn.Linear(2, 2)]}, "base is a list. Give a module"),
        ({"layout": {"roles": {}}}, "layout is a dict. Give lt.Layout"),
    ],
)
def test_what_is_no_module_or_layout_is_named(changed: Any, message: str) -> None:
    told = {"base": nn.Linear(4, 2), "optimizer": "adamw", "lr": 1.0} | changed
    with pytest.raises(ValueError, match=message):
        lt.parameterize(nn.Linear(8, 2), "sp", **told)


def test_a_seed_may_be_numpys() -> None:
    drawn = []
    seeds: list[Any] = [3, np.int64(3)]
    for seed in seeds:
        model = nn.Linear(8, 2)
        base = nn.Linear(4, 2)
        lt.parameterize(model, "sp", base=base, optimizer="adamw", lr=1.0, seed=seed)
        drawn.append(model.weight.detach())
    assert torch.equal(*drawn)
