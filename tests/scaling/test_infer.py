"""Roles and width read off two instances of different width."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import nn

from lrtransfer.scaling.infer import UnplacedTensorError, differ, growths, infer_roles, infer_width
from lrtransfer.scaling.layouts import read_layouts
from lrtransfer.scaling.roles import Roles
from lrtransfer.study.plan.catalog import load
from tests.study.models.cases import CASES, CLASSES, Case


def roles(build: Any, told: dict[str, str] | None = None) -> dict[str, str]:
    return placed(build(16), build(8), told)


def placed(model: nn.Module, base: nn.Module, told: dict[str, str] | None = None) -> dict[str, str]:
    found = infer_roles(growths(model, base, read_layouts(model).tensors), told or {})
    assert all(len(possible) == 1 for possible in found.values())
    return {name: possible[0] for name, possible in found.items()}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_family_s_roles_are_found_from_two_widths(case: Case) -> None:
    sizes = {"out_features": CLASSES} | case.sizes
    wider = sizes | {"width": 2 * sizes["width"]}
    model, base = load("models", case.family)(**wider), load("models", case.family)(**sizes)
    known: Roles = model.roles()  # type: ignore[operator]
    # A router's experts do not grow, so two widths tell an output; the source has it hidden.
    grows_on_one_side = {name: "output" for name in known.tensors if "router" in name}
    assert placed(model, base) == known.tensors | grows_on_one_side
    width, base_width = infer_width(growths(model, base, {}))
    assert width == 2 * base_width


def test_convolutions_and_a_flattened_readout() -> None:
    def build(n: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(3, n, 3),
            nn.BatchNorm2d(n),
            nn.Conv2d(n, n, 3, groups=n),
            nn.GroupNorm(2, n),
            nn.InstanceNorm2d(n, affine=True),
            nn.ConvTranspose2d(n, 2 * n, 1, bias=False),
            nn.Flatten(),
            nn.Linear(2 * n * 16, 10),
        )

    assert roles(build) == {
        "0.weight": "input",
        "0.bias": "bias",
        "1.weight": "norm_gain",
        "1.bias": "bias",
        "2.weight": "input",  # of each channel alone: its fan-in does not grow
        "2.bias": "bias",
        "3.weight": "norm_gain",
        "3.bias": "bias",
        "4.weight": "norm_gain",
        "4.bias": "bias",
        "5.weight": "hidden",
        "7.weight": "output",
        "7.bias": "scalar_bias",
    }


def test_fused_attention_and_torch_s_own_transformer_layer() -> None:
    found = roles(lambda n: nn.TransformerEncoderLayer(n, 2, 4 * n))
    assert found["self_attn.in_proj_weight"] == "hidden"
    assert found["self_attn.in_proj_bias"] == "bias"
    assert found["self_attn.out_proj.weight"] == "hidden"
    assert found["linear1.weight"] == found["linear2.weight"] == "hidden"
    assert found["norm1.weight"] == "norm_gain"
    assert found["norm1.bias"] == found["linear1.bias"] == "bias"


def test_attention_over_inputs_of_fixed_size_has_input_projections() -> None:
    found = roles(lambda n: nn.MultiheadAttention(n, 2, kdim=5, vdim=6))
    assert found["q_proj_weight"] == "hidden"
    assert found["k_proj_weight"] == found["v_proj_weight"] == "input"


def test_recurrent_layers() -> None:
    found = roles(lambda n: nn.LSTM(5, n))
    assert found["weight_ih_l0"] == "input"
    assert found["weight_hh_l0"] == "hidden"
    assert found["bias_ih_l0"] == found["bias_hh_l0"] == "bias"


class Bare(nn.Module):
    """One parameter of a shape, in a module that torch does not know."""

    def __init__(self, shape: tuple[int, ...], value: float | None) -> None:
        super().__init__()
        self.hidden = nn.Linear(shape[-1], shape[-1], bias=False)
        values = torch.randn(shape) if value is None else torch.full(shape, value)
        self.own = nn.Parameter(values)


@pytest.mark.parametrize(("value", "role"), [(1.0, "norm_gain"), (0.0, "bias")])
def test_an_unknown_vector_is_told_by_how_it_starts(value: float, role: str) -> None:
    assert roles(lambda n: Bare((n,), value))["own"] == role


@pytest.mark.parametrize(("value", "role"), [(1.0, "scalar_gain"), (0.0, "scalar_bias")])
def test_a_vector_that_does_not_grow_is_scalar(value: float, role: str) -> None:
    class Fixed(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.hidden = nn.Linear(width, width, bias=False)
            self.own = nn.Parameter(torch.full((4,), value))

    assert roles(Fixed)["own"] == role


def test_the_fresh_base_tells_how_a_vector_starts_when_the_model_was_trained() -> None:
    model, base = Bare((16,), 1.0), Bare((8,), 1.0)
    with torch.no_grad():
        model.own.add_(0.3)
    assert placed(model, base)["own"] == "norm_gain"


def test_a_base_on_the_meta_device_leaves_it_to_the_model() -> None:
    model, base = Bare((16,), 1.0), Bare((8,), 0.0).to("meta")
    assert placed(model, base)["own"] == "norm_gain"


@pytest.mark.parametrize(
    ("name", "shape", "role"),
    [("pos_embed", (1, 5), "positional"), ("cls_token", (1, 1), "embedding")],
)
def test_positions_and_tokens_are_told_by_name(
    name: str, shape: tuple[int, ...], role: str
) -> None:
    class Named(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            setattr(self, name, nn.Parameter(torch.zeros(*shape, width)))

    assert roles(Named) == {name: role}


def test_a_table_without_growth_is_scalar_and_one_that_grows_in_entries_unknown() -> None:
    assert roles(lambda n: nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, n)))["0.weight"] == (
        "scalar"
    )
    with pytest.raises(UnplacedTensorError, match=r"'weight' of shape \(16, 4\)"):
        roles(lambda n: nn.Embedding(n, 4))


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda n: Bare((5, n), None), "own"),  # positions, or a matrix stored (in, out)?
        (lambda n: Bare((n, n), None), "own"),
        (lambda n: Bare((n,), 0.1), "own"),  # a layer scale must not start anew at zero
        (lambda n: nn.Sequential(nn.Linear(3, n), nn.PReLU(n)), "1.weight"),
        (lambda n: nn.MultiheadAttention(n, 2, add_bias_kv=True), "bias_k"),
        (lambda n: nn.Conv1d(n, n, n), "weight"),  # the kernel grows
    ],
)
def test_what_cannot_be_placed_is_named_with_the_remedy(build: Any, name: str) -> None:
    with pytest.raises(UnplacedTensorError, match=rf"'{re.escape(name)}' of shape .*roles="):
        roles(build)


def test_all_that_cannot_be_placed_is_named_at_once_and_told_roles_count() -> None:
    def build(n: int) -> nn.Module:
        return nn.ModuleList([Bare((5, n), None), Bare((n, n), None)])

    with pytest.raises(UnplacedTensorError, match=r"'0\.own'.*'1\.own'"):
        roles(build)
    found = roles(build, {"0.own": "positional", "1.own": "hidden"})
    assert (found["0.own"], found["1.own"]) == ("positional", "hidden")


def test_a_base_that_differs_in_more_than_width_is_refused() -> None:
    wide, narrow = nn.Linear(3, 8), nn.Linear(3, 4)
    assert not differ(growths(wide, wide, {}))
    assert differ(growths(wide, narrow, {}))
    with pytest.raises(ValueError, match=r"base lacks 'bias'"):
        growths(wide, nn.Linear(3, 4, bias=False), {})
    with pytest.raises(ValueError, match=r"the model lacks 'bias'"):
        growths(nn.Linear(3, 8, bias=False), narrow, {})
    with pytest.raises(ValueError, match=r"'weight' has 2 dimensions in the model and 3 in base"):
        growths(wide, nn.Conv1d(3, 4, 1), {})


def test_widths_with_several_ratios_are_refused_by_name() -> None:
    wide = nn.Sequential(nn.Linear(3, 8), nn.Linear(8, 30))
    narrow = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 10))
    with pytest.raises(ValueError, match=r"'1\.weight' grows from 10 to 30.*Layout\(width="):
        infer_width(growths(wide, narrow, {}))
