"""The maps that tensors hold, and how a plan divides groups by them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import lrtransfer as lt
from lrtransfer.scaling.matrices import Interleaved, form_of, matrices
from lrtransfer.scaling.matrix_optimizer import MatrixOptimizer


def numbered(*shape: int) -> Tensor:
    return torch.arange(torch.Size(shape).numel()).reshape(shape)


def plain(tensor: Tensor, form: dict[str, Any]) -> list[Tensor]:
    return [matrix.plain() for matrix in matrices(tensor, form)]


def test_a_tensor_without_a_form_is_one_matrix() -> None:
    (found,) = plain(numbered(2, 3), {})
    assert torch.equal(found, numbered(2, 3))
    (kernel,) = plain(numbered(2, 3, 5, 5), {})
    assert kernel.shape == (2, 75)


def test_a_fused_map_that_torch_has_transposed() -> None:
    owner, weight = nn.Module(), nn.Parameter(torch.zeros(4, 12))  # GPT-2's Conv1D
    form = form_of("h.0.attn.c_attn.weight", weight, owner, ("in", "out"), fused=3)
    assert form == {"transposed": True, "parts": [4, 4, 4]}
    found = plain(numbered(4, 12), form)
    assert torch.equal(found[1], numbered(4, 12)[:, 4:8].T)


def test_unequal_parts_of_grouped_queries() -> None:
    owner = nn.Linear(8, 16, bias=False)
    form = form_of("qkv", owner.weight, owner, ("out", "in"), fused=(8, 4, 4))
    assert [tuple(m.shape) for m in plain(owner.weight, form)] == [(8, 8), (4, 8), (4, 8)]


def test_gate_and_up_that_alternate_in_a_transposed_stack() -> None:
    owner, weight = nn.Module(), nn.Parameter(torch.zeros(2, 3, 8))  # experts, inputs, outputs
    form = form_of(
        "experts.gate_up_proj", weight, owner, ("stack", "in", "out"), fused=Interleaved(2, 4)
    )
    found = plain(numbered(2, 3, 8), form)
    assert len(found) == 4
    assert torch.equal(found[0], numbered(2, 3, 8)[0, :, ::2].T)
    assert torch.equal(found[3], numbered(2, 3, 8)[1, :, 1::2].T)


def test_what_is_put_back_lands_where_it_was() -> None:
    tensor = numbered(2, 3, 8).float()
    form = {"stacked": True, "transposed": True, "parts": [4, 4], "interleaved": 4}
    for matrix in matrices(tensor, form):
        own = matrix.plain()
        own.neg_()
        matrix.put(own)
    assert torch.equal(tensor, -numbered(2, 3, 8).float())


def test_torchs_own_fused_maps_are_known() -> None:
    attention, lstm = nn.MultiheadAttention(4, 2), nn.LSTM(4, 6)
    axes = ("out", "in")
    form = form_of("a.in_proj_weight", attention.in_proj_weight, attention, axes)
    assert form["parts"] == [4, 4, 4]
    weight: Any = lstm.weight_ih_l0
    assert form_of("r.weight_ih_l0", weight, lstm, ("out", "in"))["parts"] == [6] * 4


def test_what_may_be_fused_is_asked_and_never_guessed() -> None:
    owner = nn.Linear(4, 12)
    with pytest.raises(ValueError, match=r"'blocks\.0\.qkv\.weight' looks like several maps"):
        form_of("blocks.0.qkv.weight", owner.weight, owner, ("out", "in"))
    assert form_of("blocks.0.qkv.weight", owner.weight, owner, ("out", "in"), fused=1) == {}
    with pytest.raises(ValueError, match=r"fused says 5 of 'qkv', which has 12 outputs"):
        form_of("qkv", owner.weight, owner, ("out", "in"), fused=5)


def net(width: int) -> nn.Module:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv = nn.Linear(width, 3 * width, bias=False)
            self.out = nn.Linear(3 * width, width)

        def forward(self, inputs: Tensor) -> Tensor:
            return self.out(self.qkv(inputs).tanh())

    return nn.Sequential(nn.Linear(3, width), Block(), nn.Linear(width, 2))


def test_hidden_matrices_are_muon_s_and_the_rest_adamw_s() -> None:
    model = net(16)
    chosen = MatrixOptimizer("muon", factor="kimi", rest_lr=1e-3, fused={"*.qkv.weight": 3})
    groups = lt.parameterize(
        model, "mup", base=net(8), optimizer=chosen, lr=0.02, weight_decay=0.5, seed=0
    )
    by_name = {name: group for group in groups for name in group["names"]}
    fused, other = by_name["1.qkv.weight"], by_name["1.out.weight"]
    assert (fused["optimizer"], fused["factor"], fused["lr"]) == ("muon", "kimi", 0.02)
    assert fused["form"] == {"parts": [16, 16, 16]} and "form" not in other
    assert fused["weight_decay"] == 0.25  # a step shrinks it by ηλ/m, as SMP's independent decay
    readout = by_name["2.weight"]
    table = (1 / 16 / 2) ** 0.5  # 1/√(fan-in · m), the multiplier that the rate absorbs
    assert (readout["optimizer"], readout["lr"]) == ("adamw", pytest.approx(1e-3 * table))
    assert readout["relative_rate"] == pytest.approx(1e-3 * table / 0.02)
    optimizer = lt.make_optimizer(groups, model=model, betas=(0.9, 0.95))
    model(torch.randn(4, 3)).sum().backward()
    optimizer.step()
    assert {group["optimizer"] for group in optimizer.param_groups} == {"muon", "adamw"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "adam"}, "an optimizer of matrices is 'adam'. Give one of muon"),
        ({"name": "muon", "factor": "match_rms_adamw"}, "factor is 'match_rms_adamw' for muon"),
        ({"name": "soap", "factor": "kimi"}, "factor is 'kimi' for soap. Leave it out"),
        ({"name": "muon", "rest_lr": 0.0}, "rest_lr is 0.0"),
    ],
)
def test_a_wrong_choice_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MatrixOptimizer(**options)


def test_a_base_of_the_model_s_own_width_does_not_tell_what_muon_steps() -> None:
    chosen = MatrixOptimizer("muon", fused={"*.qkv.weight": 3})
    with pytest.raises(ValueError, match="steps hidden matrices alone"):
        lt.parameterize(net(8), "mup", base=net(8), optimizer=chosen, lr=0.02)
    told = lt.parameterize(net(8), "mup", base=(net(8), net(16)), optimizer=chosen, lr=0.02)
    assert {group["optimizer"] for group in told} == {"muon", "adamw"}


def test_shampoo_and_soap_step_plain_matrices_alone() -> None:
    for name in ("shampoo", "soap"):
        fused = MatrixOptimizer(name, fused={"*.qkv.weight": 3})
        groups = lt.parameterize(net(16), "mup", base=net(8), optimizer=fused, lr=0.02)
        with pytest.raises(ValueError, match=f"{name} steps plain matrices"):
            lt.make_optimizer(groups)


@pytest.mark.parametrize("family", ["muon", "fixed_norm"])
@pytest.mark.parametrize("base", ["width", "fan_in", "fan_out"])
def test_a_rule_of_the_width_on_top_of_one_is_refused(family: str, base: str) -> None:
    rules = {"hidden": {"init": {"fan_in": -0.5}, "learning_rate": {base: -1}}, "output": {}}
    own = {"families": {family: rules | {"input": {}, "bias": {}, "scalar_bias": {}}}}
    optimizer = "muon" if family == "muon" else "adamh"
    with pytest.raises(ValueError, match=rf"hidden goes as {base}\^-1, which .* holds already"):
        lt.parameterize(net(16), own, base=net(8), optimizer=MatrixOptimizer(optimizer), lr=0.1)


def test_a_parameterization_without_the_family_is_refused() -> None:
    with pytest.raises(
        ValueError, match="u_mup has no rules for the family 'muon', only for 'adam'"
    ):
        lt.parameterize(net(16), "u_mup", base=net(8), optimizer="muon", lr=0.1)


SIZES = {"vocab_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 16}
EXPERTS = {"intermediate_size": 24, "num_key_value_heads": 1, "num_local_experts": 4}
# What doubles with the width.
WIDE = {"n_embd", "n_head", "hidden_size", "intermediate_size"} | {
    "num_attention_heads",
    "num_key_value_heads",
}
FAMILIES: dict[str, tuple[dict[str, Any], dict[str, dict[str, Any]]]] = {
    "GPT2": (
        {"n_embd": 16, "n_layer": 1, "n_head": 2, "vocab_size": 32, "n_positions": 8},
        {
            "attn.c_attn.weight": {"transposed": True, "parts": [16] * 3},
            "mlp.c_fc.weight": {"transposed": True},
        },
    ),
    "GPTNeoX": (
        SIZES | {"intermediate_size": 32},
        {
            "attention.query_key_value.weight": {"parts": [16] * 3, "interleaved": 2},
            "mlp.dense_h_to_4h.weight": {},
        },
    ),
    "Mixtral": (
        SIZES | EXPERTS,
        {
            "mlp.experts.gate_up_proj": {"stacked": True, "parts": [24, 24]},
            "mlp.experts.down_proj": {"stacked": True},
            "self_attn.k_proj.weight": {},
        },
    ),
    "GptOss": (
        SIZES | EXPERTS | {"head_dim": 8, "num_experts_per_tok": 1},
        {
            "mlp.experts.gate_up_proj": {"stacked": True, "transposed": True}
            | {"parts": [24, 24], "interleaved": 24},
            "mlp.experts.down_proj": {"stacked": True, "transposed": True},
        },
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", FAMILIES)
def test_fused_maps_of_known_families_are_told_by_their_layouts(kind: str) -> None:
    transformers = pytest.importorskip("transformers")
    sizes, expected = FAMILIES[kind]
    config = getattr(transformers, f"{kind}Config")
    make = getattr(transformers, "GPT2LMHeadModel" if kind == "GPT2" else f"{kind}ForCausalLM")
    base, model = (
        make(config(**{n: v * (factor if n in WIDE else 1) for n, v in sizes.items()}))
        for factor in (2, 1)
    )
    groups = lt.parameterize(
        model, "mup", base=base, optimizer="muon", lr=0.02, branch_exponent=0.5, base_depth=2
    )
    forms = {n: g.get("form", {}) for g in groups for n in g["names"] if g["optimizer"] == "muon"}
    for ending, form in expected.items():
        (found,) = (f for name, f in forms.items() if name.endswith(ending))
        assert found == form, ending
    optimizer = lt.make_optimizer(groups, model=model)
    tokens = torch.randint(32, (2, 6), generator=torch.Generator().manual_seed(0))
    model(input_ids=tokens, labels=tokens).loss.backward()
    optimizer.step()


@pytest.mark.parametrize(
    ("layer", "forms"),
    [
        (nn.LSTM(8, 8, proj_size=4), {"weight_hh_l0": [8] * 4, "weight_hr_l0": None}),
        (nn.LSTMCell(8, 8), {"weight_ih": [8] * 4}),
        (nn.GRUCell(8, 8), {"weight_hh": [8] * 3}),
        (nn.Conv2d(8, 12, 3, groups=4), {"weight": [3] * 4}),
    ],
)
def test_torch_s_own_layers_tell_their_maps(
    layer: nn.Module, forms: dict[str, list[int] | None]
) -> None:
    for name, parts in forms.items():
        form = form_of(name, layer.get_parameter(name), layer, ("out", "in"))
        assert form == ({} if parts is None else {"parts": parts})


def test_the_groups_of_a_convolution_are_stepped_one_by_one() -> None:
    layer = nn.Conv2d(64, 64, 1, groups=4, bias=False)
    form = form_of("weight", layer.weight, layer, ("out", "in"))
    gradient = torch.randn(layer.weight.shape, generator=torch.Generator().manual_seed(0))
    gradient[48:] *= 0.05  # one map's gradient is small: its step is not
    before, layer.weight.grad = layer.weight.detach().clone(), gradient
    group = {"params": [layer.weight], "form": form}
    lt.Muon([group], lr=1.0, precision="float32").step()
    moved = (layer.weight.detach() - before).view(4, -1).norm(dim=1)
    assert moved.max() < 1.2 * moved.min()


def test_groups_of_a_transposed_convolution_are_refused() -> None:
    layer = nn.ConvTranspose2d(8, 12, 3, groups=4)
    with pytest.raises(ValueError, match="'weight' holds 4 maps side by side along its inputs"):
        form_of("weight", layer.weight, layer, ("in", "out"))
