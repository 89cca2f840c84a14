"""Which layers are measured, and which are refused by name."""

from __future__ import annotations

import pytest
from torch import nn
from torch.nn.utils import parametrizations

from lrtransfer.alignment import weight_layers


def test_matrices_of_linear_maps_convolutions_and_tables_are_found_in_order() -> None:
    model = nn.ModuleDict(
        {
            "embed": nn.Embedding(7, 4),
            "norm": nn.LayerNorm(4),
            "conv": nn.Conv1d(4, 6, 3, groups=2),
            "inner": nn.Sequential(nn.Linear(4, 4), nn.Conv3d(2, 3, 2)),
        }
    )
    found = {layer.name: layer.fan_in for layer in weight_layers(model)}
    assert found == {
        "embed.weight": 7,
        "conv.weight": 12,
        "inner.0.weight": 4,
        "inner.1.weight": 16,
    }
    assert list(found) == [n for n, p in model.named_parameters() if n in found]


def test_a_layer_alone_is_named_by_its_weight() -> None:
    assert [layer.name for layer in weight_layers(nn.Linear(2, 3))] == ["weight"]


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"), "'0.weight' pads its images by"),
        (nn.Embedding(5, 3, max_norm=1.0), "'0.weight' has max_norm"),
        (parametrizations.weight_norm(nn.Linear(2, 3)), "'0.weight' is computed from other"),
    ],
)
def test_layers_without_a_fixed_matrix_are_refused_until_skipped(
    layer: nn.Module, message: str
) -> None:
    model = nn.Sequential(layer, nn.Linear(3, 3))
    with pytest.raises(ValueError, match=message):
        list(weight_layers(model))
    assert [w.name for w in weight_layers(model, skip=["0.weight"])] == ["1.weight"]


def test_a_skipped_name_must_be_a_layer_s() -> None:
    with pytest.raises(ValueError, match=r"skip names \['1.weight'\]"):
        list(weight_layers(nn.Sequential(nn.Linear(2, 2)), skip=["1.weight"]))
