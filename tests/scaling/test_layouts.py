"""The reader of layouts: whom an entry fits, which counts, and what a user adds."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import lrtransfer as lt
from lrtransfer.scaling.hooks import multipliers
from lrtransfer.scaling.layouts import Logits, TensorLayout, read_layouts

from .outsiders import Block, Transformer


class Stack(nn.Module):
    """Alike matrices, and one more."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up = nn.Parameter(torch.randn(3, width, 2 * width))
        self.own = nn.Linear(width, width)


class Inherited(Stack):
    pass


OWN = {"Stack": {"tensors": {"up": "stack in out"}}}


def test_a_layer_of_torch_is_known_with_its_subclasses_and_no_stranger_of_its_name() -> None:
    class Mine(nn.Linear):
        pass

    Linear = type("Linear", (nn.Module,), {})
    stranger = Linear()
    stranger.weight = nn.Parameter(torch.zeros(2, 3))
    assert read_layouts(Mine(2, 3)).tensors["weight"] == TensorLayout(("out", "in"))
    assert not read_layouts(stranger).tensors


@pytest.mark.parametrize("build", [Stack, Inherited])
def test_a_user_s_entry_is_read_as_the_file_s(build: Any) -> None:
    found = read_layouts(nn.ModuleDict({"first": build(4)}), OWN).tensors
    assert found["first.up"] == TensorLayout(("stack", "in", "out"))
    assert found["first.own.weight"] == TensorLayout(("out", "in"))
    groups = lt.parameterize(
        build(8), "mup", base=build(4), optimizer="sgd", lr=1.0, layout=lt.Layout(modules=OWN)
    )
    assert {n: g["role"] for g in groups for n in g["names"]}["up"] == "hidden"


def test_what_an_outer_module_says_and_what_the_user_says_count_more() -> None:
    outer = {"Stack": {"tensors": {"own.weight": "in out", "own.*": "bias"}}}
    assert read_layouts(Stack(4), outer).tensors["own.weight"].axes == ("in", "out")
    assert read_layouts(nn.LayerNorm(4)).tensors["weight"].role == "norm_gain"
    mine = {"LayerNorm": {"tensors": {"weight": "bias kept undecayed"}}}
    said = read_layouts(nn.LayerNorm(4), mine)
    assert said.tensors["weight"] == TensorLayout(role="bias", kept=True, undecayed=True)
    assert said.tensors["bias"].role == "bias"  # of the file still
    assert said.named("kept") == said.named("undecayed") == ["weight"]


def test_an_entry_counts_in_so_far_as_the_module_has_what_it_names() -> None:
    class BasicBlock(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(2, 2, 1)

    found = read_layouts(BasicBlock())
    assert (found.branches, found.inside) == ({}, ("conv1",))


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_pre_norm_lies_in_its_branch_and_a_post_norm_does_not(norm_first: bool) -> None:
    found = read_layouts(nn.TransformerEncoderLayer(4, 2, 8, norm_first=norm_first))
    assert found.branches == {"self_attn": ("self_attn.out_proj",), "linear2": ("linear2",)}
    assert found.inside == (("linear1", "norm1", "norm2") if norm_first else ("linear1",))
    assert found.logits == (Logits("self_attn", 2),)


def test_queries_are_the_first_part_or_the_first_of_each_head() -> None:
    def logits(**more: Any) -> Logits:
        said = {"queries": "qkv", "parts": 3, "head": "heads"} | more
        model = Transformer(8, blocks=1)
        (found,) = read_layouts(model, {"Attention": {"logits": said}}).logits
        return found

    assert logits() == Logits("h.0.attn.qkv", 2, (0, 8))
    assert logits(interleaved=True) == Logits("h.0.attn.qkv", 2, (0, 2), 6)


def test_blocks_told_by_class_are_those_told_by_name() -> None:
    by_class = lt.Layout(
        modules={
            "Block": {"branches": {"attn": "attn.out", "mlp": "mlp.2"}, "inside": "ln_1 ln_2"},
            "Attention": {"logits": {"queries": "qkv", "parts": 3, "head": "heads"}},
        }
    )
    by_name = lt.Layout(
        branches=["h.*.attn", "h.*.mlp"],
        inside=["h.*.ln_*"],
        attention={"h.*.attn.qkv": (2, slice(0, 8))},
    )
    models = [Transformer(8, blocks=1), Transformer(8, blocks=1)]
    options: dict[str, Any] = {"optimizer": "adamw", "lr": 1.0, "seed": 0, "base_depth": 1}
    for model, told in zip(models, (by_class, by_name), strict=True):
        base = Transformer(4, blocks=1)
        lt.parameterize(model, "depth_mup", base=base, layout=told, **options)
    tokens = torch.tensor([[1, 2, 3]])
    torch.testing.assert_close(models[0](tokens), models[1](tokens))
    # By class the last map of the branch is told too, and takes its multiplier.
    left = [{plan.hook.role for plan in multipliers(model)} for model in models]
    assert left == [{"attention_logits"}, {"attention_logits", "branch"}]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"tensor": {}}, r"layout of Mine has tensor\. Its keys are branches, final_norm"),
        ({"tensors": {"w": "out inn"}}, r"says 'out inn' of w\. Give the meaning of its axes"),
        ({"tensors": {"w": "out in bias"}}, r"says 'out in bias' of w"),
        ({"tensors": {"w": "kept"}}, r"says 'kept' of w"),
        ({"logits": {"queries": "q"}}, r"logits in the layout of Mine lack head"),
        ({"logits": [{"query": "q"}]}, r"logits in the layout of Mine has query"),
        ("bias", r"the layout of Mine is 'bias'\. Give a mapping"),
    ],
)
def test_an_entry_in_another_form_is_refused_by_name(entry: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_layouts(nn.Linear(1, 1), {"Mine": entry})


def test_the_block_of_the_outsiders_is_told_nothing_of() -> None:
    assert not read_layouts(Block(4, 2)).branches
