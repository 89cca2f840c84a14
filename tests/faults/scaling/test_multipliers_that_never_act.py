"""Multipliers on modules that a network uses without calling them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import lrtransfer as lt
from lrtransfer.scaling.first_pass import FirstPass

Use = Callable[[nn.Linear, Tensor], Tensor]


def call(block: nn.Linear, hidden: Tensor) -> Tensor:
    return block(hidden)  # type: ignore[no-any-return]


def call_forward(block: nn.Linear, hidden: Tensor) -> Tensor:
    return block.forward(hidden)


def use_weight(block: nn.Linear, hidden: Tensor) -> Tensor:
    return nn.functional.linear(hidden, block.weight, block.bias)


def skip(block: nn.Linear, hidden: Tensor) -> Tensor:
    return hidden


def recompute(block: nn.Linear, hidden: Tensor) -> Tensor:
    return checkpoint(block, hidden, use_reentrant=False)  # type: ignore[no-any-return]


def recompute_reentrantly(block: nn.Linear, hidden: Tensor) -> Tensor:
    return checkpoint(block, hidden, use_reentrant=True)  # type: ignore[no-any-return]


class Bent(nn.Linear):
    """A branch whose output is linear in no tensor, so that its multiplier is a hook."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs).tanh()


class Residual(nn.Module):
    """Two branches, the second used as `use` says."""

    def __init__(self, width: int, use: Use = call) -> None:
        super().__init__()
        self.first = nn.Linear(3, width)
        self.blocks = nn.ModuleList(Bent(width, width) for _ in range(2))
        self.last = nn.Linear(width, 2)
        self.use = use

    def forward(self, inputs: Tensor) -> Tensor:
        hidden: Tensor = self.first(inputs)
        hidden = hidden + self.blocks[0](hidden)
        hidden = hidden + self.use(self.blocks[1], hidden)  # type: ignore[arg-type]
        outputs: Tensor = self.last(hidden)
        return outputs


class Attentive(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(3, width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)


def scale(
    model: nn.Module,
    base: nn.Module,
    branches: str = "blocks.*",
    depth: int | None = None,
    **more: Any,
) -> nn.Module:
    layout = lt.Layout(branches=branches, inside=[], depth=depth)
    common: dict[str, Any] = {"optimizer": "adamw", "lr": 0.1, "seed": 0, "base_depth": 1}
    lt.parameterize(model, "depth_mup", base=base, layout=layout, **(common | more))
    return model


def residual(use: Use = call, **more: Any) -> nn.Module:
    return scale(Residual(8, use), Residual(4, use), **more)


def watched(model: nn.Module) -> bool:
    return any(isinstance(hook, FirstPass) for hook in model._forward_hooks.values())


X = torch.linspace(-1, 1, 12).view(4, 3)


@pytest.mark.parametrize("use", [call_forward, use_weight])
def test_a_branch_that_is_used_but_not_called_is_named_at_the_first_pass(use: Use) -> None:
    model = residual(use)
    with pytest.raises(RuntimeError, match=r"'blocks\.1', a Bent, has a multiplier \(branch\)"):
        model(X)


@pytest.mark.parametrize("use", [call, recompute, recompute_reentrantly])
def test_a_branch_that_is_called_passes_and_the_question_is_not_asked_again(use: Use) -> None:
    model = residual(use)
    assert watched(model)
    model(X).sum().backward()
    assert not watched(model)


def test_a_branch_that_is_skipped_is_no_fault() -> None:
    model = residual(skip)
    model(X)
    assert not watched(model)


def test_a_pass_without_a_graph_decides_only_if_every_multiplier_acted() -> None:
    called, unused = residual(), residual(use_weight)
    with torch.no_grad():
        called(X), unused(X)
    assert not watched(called)
    assert watched(unused)
    with pytest.raises(RuntimeError, match=r"blocks\.1"):
        unused(X)


def test_copies_and_pickles_are_asked_too_each_for_itself() -> None:
    model = residual(use_weight)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        with pytest.raises(RuntimeError, match=r"blocks\.1"):
            twin(X)
    good = residual()
    twin = copy.deepcopy(good)
    good(X)
    assert watched(twin)
    twin(X)
    assert not watched(twin)


def test_outputs_in_mappings_and_tuples_are_looked_into() -> None:
    class Wrapped(Residual):
        def forward(self, inputs: Tensor) -> Any:
            return {"kind": "logits", "all": (None, [super().forward(inputs)])}

    model = scale(Wrapped(8, use_weight), Wrapped(4, use_weight))
    with pytest.raises(RuntimeError, match=r"blocks\.1"):
        model(X)


def test_a_failed_pass_decides_nothing() -> None:
    model = residual()
    with pytest.raises(RuntimeError, match="shapes"):
        model(X[:, :2])
    assert watched(model)
    model(X)
    assert not watched(model)


def test_compiled_traced_and_exported_networks_keep_their_multipliers() -> None:
    expected = residual()(X)
    for transform in (
        lambda m: torch.compile(m, backend="eager", fullgraph=True),
        lambda m: torch.jit.trace(m, X),  # type: ignore[no-untyped-call]
        lambda m: torch.export.export(m, (X,)).module(),
        torch.fx.symbolic_trace,
    ):
        torch.testing.assert_close(transform(residual())(X), expected)


def test_a_compiled_block_is_called_as_far_as_can_be_seen() -> None:
    model = residual()
    model.blocks[1].compile(backend="eager")  # type: ignore[index, union-attr]
    model(X)


def test_torchscript_says_what_it_cannot_compile_and_what_can() -> None:
    with pytest.raises(AttributeError, match=r"torch\.jit\.script cannot.*Use torch\.jit\.trace"):
        torch.jit.script(residual())


@pytest.mark.parametrize("branches", ["attention.out_proj", "attention"])
def test_the_output_map_of_torch_s_attention_takes_its_multiplier(branches: str) -> None:
    model, plain = Attentive(8), Attentive(8)
    scale(plain, Attentive(4), branches, depth=1)
    scale(model, Attentive(4), branches, depth=4)
    assert not any(m._forward_hooks for m in model.attention.modules())  # type: ignore[union-attr]
    expected = plain.attention.out_proj.weight / 2
    torch.testing.assert_close(model.attention.out_proj.weight, expected)
