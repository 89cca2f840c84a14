"""A plan made by name holds for the parameters that wrapping left."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

import lrtransfer as lt


class Tied(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, width)
        self.block = nn.Linear(width, width)
        self.readout = nn.Linear(width, 11, bias=False)
        self.readout.weight = self.embed.weight

    def forward(self, tokens: Tensor) -> Tensor:
        return self.readout(self.block(self.embed(tokens)).relu())


def planned(model: nn.Module | None = None) -> list[dict[str, Any]]:
    return lt.parameterize(
        model or Tied(), "mup", base=Tied(4), optimizer="adamw", lr=0.1, weight_decay=0.2, seed=0
    )


def numbers(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in group.items() if k != "params"} for group in groups]


class Wrapped(nn.Module):
    """Holds the model as DistributedDataParallel does, without processes."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.module = model


@pytest.mark.parametrize(
    "wrap",
    [
        Wrapped,
        pytest.param(torch.compile, marks=pytest.mark.slow),  # takes two seconds to load
        pytest.param(lambda model: Wrapped(torch.compile(model)), marks=pytest.mark.slow),
    ],
    ids=["copies", "compiled", "both"],
)
def test_names_are_found_behind_wrappers_and_numbers_stay(wrap: Any) -> None:
    groups = planned()
    model = Tied()
    bound = lt.rebind(groups, wrap(model))
    assert numbers(bound) == numbers(groups)
    own = dict(model.named_parameters())
    for group in bound:
        assert all(p is own[n] for n, p in zip(group["names"], group["params"], strict=True))


@pytest.mark.slow
def test_a_compiled_part_and_a_module_called_module_are_told_apart() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module: Any = nn.Linear(2, 2)

    groups = [{"names": [n], "params": [p]} for n, p in Own().named_parameters()]
    model = Own()
    model.module = torch.compile(model.module)
    bound = lt.rebind(groups, Wrapped(model))
    assert bound[0]["params"][0] is model.module._orig_mod.weight


def test_a_block_under_activation_checkpointing_keeps_its_names() -> None:
    model = Tied()
    groups = planned(model)
    wrapped: Any = checkpoint_wrapper(model.block)
    model.block = wrapped
    assert "block._checkpoint_wrapped_module.weight" in dict(model.named_parameters())
    bound = lt.rebind(groups, model)
    assert numbers(bound) == numbers(groups)


def test_a_missing_name_raises_with_what_is_near_it() -> None:
    model = Tied()
    model.blocks = model.block
    del model.block
    with pytest.raises(
        ValueError, match=r"no parameter block\.weight, block\.bias; near it are bl"
    ):
        lt.rebind(planned(), model)


def test_a_tie_that_wrapping_undid_is_named() -> None:
    model = Tied()
    groups = planned(model)
    model.readout.weight = nn.Parameter(model.embed.weight.detach().clone())
    with pytest.raises(ValueError, match=r"readout\.weight is trained.*equals embed\.weight"):
        lt.rebind(groups, model)


def test_a_tensor_added_after_the_plan_is_named_and_a_frozen_one_is_not() -> None:
    model = Tied()
    model.adapter = nn.Linear(8, 2, bias=False)
    with pytest.raises(ValueError, match=r"adapter\.weight is trained, and no group has it\. It c"):
        lt.rebind(planned(), model)
    model.adapter.requires_grad_(False)
    assert lt.rebind(planned(), model)


def test_a_flattened_shard_is_refused() -> None:
    model = Tied()
    groups = planned(model)
    model.block.weight = nn.Parameter(torch.zeros(32))
    with pytest.raises(ValueError, match=r"block\.weight had the shape \(8, 8\) and has \(32,\)"):
        lt.rebind(groups, model)


def test_two_models_in_one_and_groups_without_names_are_refused() -> None:
    both = Wrapped(Tied())
    both.add_module("_orig_mod", Tied())
    with pytest.raises(ValueError, match="two tensors for"):
        lt.rebind(planned(), both)
    with pytest.raises(ValueError, match="a group has no names"):
        lt.rebind([{"params": []}], Tied())


def test_groups_with_torchs_own_key_for_names_are_rebound() -> None:
    model = nn.Linear(2, 1)
    groups = [{"param_names": [n], "params": [p], "lr": 0.1} for n, p in model.named_parameters()]
    copied = deepcopy(model)
    first, second = lt.rebind(groups, copied)
    assert first["params"][0] is copied.weight and second["params"][0] is copied.bias
    assert first["lr"] == 0.1


def test_a_group_is_split_where_some_of_its_tensors_are_sharded() -> None:
    model = Tied()
    groups = planned(model)
    [hidden] = [group for group in groups if group["names"] == ["block.weight"]]
    hidden["names"].append("extra")
    hidden["params"].append(nn.Parameter(torch.zeros(1)))
    model.extra = nn.Parameter(torch.zeros(1))
    vars(model.extra)["device_mesh"] = "mesh"  # as a DTensor has
    bound = lt.rebind(groups, model)
    assert len(bound) == len(groups) + 1
    assert [g["names"] for g in bound if g["role"] == "hidden"] == [["block.weight"], ["extra"]]
