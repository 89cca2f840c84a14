"""Fan-in and fan-out by the module that holds a tensor."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lrtransfer.scaling.fans import fans
from lrtransfer.scaling.layouts import TensorLayout, read_layouts


@pytest.mark.parametrize(
    ("owner", "name", "role", "expected"),
    [
        (nn.Linear(3, 5), "weight", "hidden", (3, 5)),
        (nn.Linear(3, 5), "bias", "bias", (1, 1)),
        (nn.Conv2d(3, 5, (2, 4)), "weight", "input", (24, 40)),
        (nn.Conv1d(6, 6, 3, groups=6), "weight", "input", (3, 18)),
        (nn.ConvTranspose1d(3, 5, 2), "weight", "hidden", (6, 10)),
        (nn.Embedding(7, 4), "weight", "embedding", (1, 4)),
        (nn.Embedding(7, 4), "weight", "scalar", (1, 4)),  # looked up, whatever its role
        (nn.MultiheadAttention(4, 2), "in_proj_weight", "hidden", (4, 12)),
        (nn.GRU(3, 5), "weight_ih_l0", "input", (3, 15)),
        (nn.LayerNorm((2, 3)), "weight", "norm_gain", (1, 1)),
        (nn.LayerNorm((2, 3)), "weight", "scalar_gain", (1, 1)),
    ],
)
def test_sizes_are_those_of_the_sum_over_inputs(
    owner: nn.Module, name: str, role: str, expected: tuple[int, int]
) -> None:
    said = read_layouts(owner).tensors[name]
    assert fans(name, owner.get_parameter(name), owner, role, said) == expected


def test_positions_of_one_s_own_are_added_and_tokens_looked_up() -> None:
    owner, table = nn.Module(), torch.zeros(6, 4)
    assert fans("pos", table, owner, "positional", TensorLayout()) == (1, 1)
    assert fans("token", table, owner, "embedding", TensorLayout()) == (1, 4)


def test_a_matrix_of_one_s_own_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"'w', of shape \(6, 4\) in a Module.*fans=\{\"w\""):
        fans("w", torch.zeros(6, 4), nn.Module(), "hidden", TensorLayout())
