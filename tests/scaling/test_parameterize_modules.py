"""Branches and tied tensors: what keeps a multiplier, and what must be told."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import lrtransfer as lt
from lrtransfer.scaling import table
from lrtransfer.scaling.apply import UnknownRoleError
from lrtransfer.scaling.hooks import MultiplyArgument, MultiplyOutput

from .outsiders import VOCABULARY, tokens, trajectory
from .parameterized import BRANCHES, PRE_NORMS, Encoder, hooks, scaled, transformer


def test_branches_are_multiplied_and_their_tensors_follow_the_depth() -> None:
    model = transformer(blocks=4)
    groups = scaled(
        model,
        "complete_p",
        base=transformer(4, blocks=4),
        branches=BRANCHES,
        inside=PRE_NORMS,
        base_depth=2,
        branch_exponent=1.0,
    )
    # The attention of one's own keeps a hook; the last map of an nn.Sequential takes it.
    assert hooks(model)["h.0.attn"] == [MultiplyOutput(1 / 4, "branch")]
    assert "h.3.mlp" not in hooks(model)
    rates = lt.rates(groups)
    assert rates["h.3.mlp.2.bias"] == rates["h.3.mlp.0.bias"] / 4
    # α = 1: the rates of a branch ignore the depth, its ε falls with 1/L.
    epsilon = {n: g["relative_epsilon"] for g in groups for n in g["names"]}
    assert epsilon["h.0.ln_1.weight"] == epsilon["h.1.mlp.0.weight"] == 1 / 2 / 4
    assert epsilon["ln_f.weight"] == epsilon["wte.weight"] == 1 / 2


def test_a_branch_at_the_top_has_no_neighbours_to_ask_for() -> None:
    def build(width: int) -> nn.ModuleDict:
        parts = {"first": nn.Linear(3, width), "branch": nn.Linear(width, width)}
        return nn.ModuleDict(parts)

    model, plain = build(8), build(8)
    common: dict[str, Any] = {"base": build(4), "optimizer": "adamw", "lr": 1.0, "seed": 0}
    for net, depth in ((model, 4), (plain, 1)):
        layout = lt.Layout(branches=["branch"], depth=depth)
        lt.parameterize(net, "depth_mup", layout=layout, base_depth=1, **common)
    assert hooks(model) == {}
    torch.testing.assert_close(model["branch"].weight, plain["branch"].weight / 2)


def test_the_depth_is_the_number_of_branches_unless_told() -> None:
    common: dict[str, Any] = {"branches": BRANCHES, "inside": [], "base_depth": 1}
    counted, told = transformer(), transformer()
    scaled(counted, "depth_mup", **common)
    scaled(told, "depth_mup", depth=16, **common)
    assert hooks(counted)["h.0.attn"] == [MultiplyOutput(4**-0.5, "branch")]
    assert hooks(told)["h.0.attn"] == [MultiplyOutput(16**-0.5, "branch")]


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("depth_mup", {}, r"scales with the depth\. Give .*\(branches="),
        ("complete_p", {}, r"scales with the depth\. Give .*\(branches="),
        (
            "mup",
            {"branch_exponent": 0.5},
            r"scales with the depth\. Give .*\(branches=",
        ),
        ("mup", {"depth": 4}, r"depth is told, but branches are not"),
        ("mup", {"base_depth": 4}, r"base_depth is told, but branches are not"),
        ("mup", {"inside": PRE_NORMS}, r"inside is told, but branches are not"),
        ("mup", {"branches": BRANCHES}, r"Give branch_exponent="),
        ("depth_mup", {"branches": BRANCHES, "inside": []}, r"Give base_depth="),
        ("depth_mup", {"branches": BRANCHES, "base_depth": 1}, r"'h\.0\.ln_1\.weight'.*inside="),
        ("depth_mup", {"branches": "h.*.atn", "base_depth": 1}, r"branches names 'h\.\*\.atn'"),
        ("depth_mup", {"branches": ["h.0", "h.*.attn"]}, r"'h\.0\.attn', which lies in .*'h\.0'"),
        (
            "depth_mup",
            {"branches": BRANCHES, "inside": ["h.*.ln_3"], "base_depth": 1},
            r"inside names 'h\.\*\.ln_3'",
        ),
        (
            "depth_mup",
            {"branches": BRANCHES, "inside": [], "base_depth": 0},
            r"depth is 4 and base_depth 0",
        ),
    ],
)
def test_what_the_depth_needs_and_is_not_told_is_asked_for(
    name: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        scaled(transformer(), name, **changes)


def test_an_empty_list_tells_that_there_are_no_branches() -> None:
    model = transformer()
    scaled(model, "depth_mup", branches=[])
    assert hooks(model).keys() == {"h.0.attn.qkv", "h.1.attn.qkv"}


def test_a_table_whose_tensors_scale_with_depth_needs_it_without_branches_too() -> None:
    rules: dict[str, Any] = {role: {} for role in table.rules("sp", "adam")}
    own = {"families": {"adam": rules | {"hidden": {"learning_rate": {"depth": -1}}}}}
    with pytest.raises(ValueError, match=r"Give base_depth="):
        scaled(transformer(), own, branches=[])
    groups = scaled(transformer(), own, branches=[], depth=6, base_depth=2)
    assert lt.rates(groups)["h.0.mlp.0.weight"] == 1 / 3


def test_a_branch_may_return_a_tuple_that_begins_with_its_output() -> None:
    model, output, weights = Encoder(8), torch.randn(2, 5), torch.randn(2, 2)
    scaled_output, same = MultiplyOutput(1 / 4, "branch")(model, (), (output, weights))
    torch.testing.assert_close(scaled_output, output / 4)
    assert same is weights
    with pytest.raises(TypeError, match=r"an? Encoder whose branch has a multiplier returned dict"):
        MultiplyOutput(2.0, "branch")(model, (), {})


def test_a_tied_readout_starts_and_trains_as_mup_says() -> None:
    """E N(0,1) with Adam's rate 1; logits (E h)/√(N·N/N₀) + b, the multiplier outside alone."""
    width, base_width = 8, 4
    model = transformer(width, tied=True)
    groups = scaled(model)
    assert hooks(model)["head"] == [
        MultiplyArgument(pytest.approx(1 / (width * 2) ** 0.5), "output", 0, "input")  # type: ignore[arg-type]
    ]
    assert lt.rates(groups)["wte.weight"] == 1.0
    assert "head.weight" not in lt.rates(groups)
    reference = transformer(width)  # untied, of equal weights: the gradients add up by hand
    scaled(reference, base=transformer(base_width))
    state = model.state_dict()
    factor = (width * width / base_width) ** -0.5
    reference.load_state_dict(state | {"head.weight": factor * state["head.weight"]})
    torch.testing.assert_close(model(tokens()), reference(tokens()), rtol=1e-12, atol=1e-12)
    for net in (model, reference):
        net(tokens()).square().mean().backward()
    of_table, of_readout = reference.wte.weight.grad, reference.head.weight.grad
    assert of_table is not None
    assert of_readout is not None
    both = of_table + factor * of_readout
    torch.testing.assert_close(model.wte.weight.grad, both, rtol=1e-12, atol=1e-12)
    # The bias of the readout is no part of the multiplier.
    with torch.no_grad():
        before = model(tokens())
        model.head.bias.add_(1.0)
        torch.testing.assert_close(model(tokens()), before + 1.0)


@pytest.mark.parametrize("name", ["mup", "mup_table3", "mup_table8", "mup_table9", "complete_p"])
def test_the_tied_readout_has_the_width_law_of_the_untied_one(name: str) -> None:
    none: dict[str, Any] = {"branches": []}
    sizes = {}
    for width in (8, 64):
        model = transformer(width, tied=True)
        scaled(model, name, base=transformer(4, tied=True), **none)
        hook = hooks(model)["head"][0]
        sizes[width] = hook.factor * model.wte.weight.std().item()
    untied = {}
    for width in (8, 64):
        model = transformer(width)
        scaled(model, name, base=transformer(4), **none)
        untied[width] = model.head.weight.std().item()
    for width in (8, 64):
        tolerance = 8 / (VOCABULARY * width) ** 0.5
        assert sizes[width] == pytest.approx(untied[width], rel=tolerance)


def test_ties_that_have_no_form_are_refused_by_name() -> None:
    class Reused(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.embed = nn.Embedding(VOCABULARY, width)
            self.mine = nn.Module()
            self.mine.weight = self.embed.weight

    with pytest.raises(ValueError, match=r"'mine\.weight' \(hidden\) is tied to 'embed\.weight'"):
        lt.parameterize(
            Reused(8),
            "mup",
            base=Reused(4),
            optimizer="adamw",
            lr=1.0,
            layout=lt.Layout(roles={"mine.weight": "hidden"}, fans={"mine.weight": (8, 7)}),
        )
    zero = {"init": {"factor": 0.0}}
    own: dict[str, Any] = {r: {} for r in table.rules("sp", "adam")} | {"output": zero}
    with pytest.raises(ValueError, match=r"one of the roles starts at zero"):
        scaled(transformer(tied=True), {"families": {"adam": own}})


def test_a_module_used_under_two_names_is_one() -> None:
    class Twice(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.first = nn.Linear(3, width)
            block = nn.Linear(width, width)
            self.blocks = nn.ModuleList([block, block])

        def forward(self, x: Tensor) -> Tensor:
            hidden: Tensor = self.first(x)
            for block in self.blocks:
                hidden = hidden + block(hidden)
            return hidden

    model, plain = Twice(8), Twice(8)
    common: dict[str, Any] = {"optimizer": "adamw", "lr": 1.0, "seed": 0, "base": Twice(4)}
    for net, depth in ((model, 2), (plain, 1)):
        layout = lt.Layout(branches="blocks.*", depth=depth)
        groups = lt.parameterize(net, "depth_mup", layout=layout, base_depth=1, **common)
    # Once, although two branches have it.
    torch.testing.assert_close(model.blocks[0].weight, plain.blocks[0].weight / 2**0.5)
    assert sum("blocks" in name for name in lt.rates(groups)) == 2


def test_a_table_without_the_role_of_a_module_is_named() -> None:
    rules: dict[str, Any] = {r: {} for r in table.rules("sp", "adam")}
    for role, changes in (
        ("branch", {"branches": BRANCHES}),
        ("attention_logits", {}),
    ):
        own = {"families": {"adam": {r: v for r, v in rules.items() if r != role}}}
        with pytest.raises(UnknownRoleError, match=rf"module 'h\.0\.attn.*the role '{role}'"):
            scaled(transformer(), own, **changes)


FULL: dict[str, Any] = {"branches": BRANCHES, "inside": PRE_NORMS, "base_depth": 1}


def test_a_second_call_starts_over_and_leaves_the_hooks_of_others() -> None:
    model, fresh = transformer(tied=True), transformer(tied=True)
    seen: list[int] = []
    model.ln_f.register_forward_hook(lambda module, inputs, output: seen.append(1))
    scaled(model, "depth_mup", **FULL, seed=5)
    scaled(model)
    scaled(fresh)
    assert torch.equal(model(tokens()), fresh(tokens()))
    assert seen == [1]
    scaled(model, "sp", attention=None)
    assert hooks(model).keys() == {"ln_f", "head"}


def test_a_failed_second_call_leaves_the_first() -> None:
    model = transformer()
    scaled(model, "depth_mup", **FULL)
    before, outputs = hooks(model), model(tokens())
    with pytest.raises(ValueError, match=r"Give layout=lt\.Layout\(branches="):
        scaled(model, "complete_p")
    assert hooks(model) == before
    assert torch.equal(model(tokens()), outputs)


def test_multipliers_survive_copies_pickles_and_state_dicts() -> None:
    model, plain = transformer(tied=True), transformer(tied=True)
    scaled(model, "depth_mup", **FULL)
    expected = model(tokens())
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(twin(tokens()), expected)
        scaled(twin, "sp", attention=None)  # the copy's hooks are its own, and can be removed
        assert hooks(twin).keys() == {"head"}
    assert torch.equal(model(tokens()), expected)
    assert model.state_dict().keys() == plain.state_dict().keys()
    other = transformer(tied=True)
    scaled(other, "depth_mup", **FULL, seed=1)
    assert not torch.equal(other(tokens()), expected)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(tokens()), expected)


def test_multipliers_hold_in_functional_calls_and_compiled_networks() -> None:
    model = transformer(tied=True)
    scaled(model, "depth_mup", **FULL)
    expected = model(tokens())
    called = torch.func.functional_call(model, dict(model.named_parameters()), (tokens(),))
    assert torch.equal(called, expected)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    assert torch.equal(compiled(tokens()), expected)


def test_a_resumed_run_goes_on_as_if_it_had_not_stopped() -> None:
    model = transformer()
    optimizer = torch.optim.AdamW(scaled(model, weight_decay=0.1))
    whole = trajectory(model, optimizer, tokens(), steps=6)
    first = transformer()
    stopped = torch.optim.AdamW(scaled(first, weight_decay=0.1))
    trajectory(first, stopped, tokens(), steps=3)
    saved = pickle.dumps((first.state_dict(), stopped.state_dict()))
    second = transformer()
    groups = scaled(second, weight_decay=0.1, initialise=False)
    resumed = torch.optim.AdamW(groups)
    weights, state = pickle.loads(saved)
    second.load_state_dict(weights)
    resumed.load_state_dict(state)
    assert torch.equal(trajectory(second, resumed, tokens(), steps=3), whole[3:])
