"""The check of plain networks whose roles are read off their widths."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import lrtransfer as lt
from lrtransfer.coordinates.coordinate_check import coordinate_check
from lrtransfer.coordinates.growth import CoordinateCheck

WIDTHS = [64, 128, 256, 512]


def mlp(width: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(10, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, 5),
    )


def slope(check: CoordinateCheck, module: str, quantity: str) -> float:
    [found] = [j for j in check.coordinates if tuple(j.coordinates) == (module, quantity)]
    return found.measured.value


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "rmsprop"])
def test_under_mup_a_plain_network_is_stable_and_its_features_move(optimizer: str) -> None:
    check = coordinate_check(mlp, widths=WIDTHS, rule="mup", optimizer=optimizer)
    assert check.stable, check.fastest
    for module in ("0", "2", "4"):
        assert slope(check, module, "own") == pytest.approx(0, abs=0.2)
    assert slope(check, "4", "start") == pytest.approx(-0.5, abs=0.2)


def test_in_standard_parameterization_the_logits_grow() -> None:
    check = coordinate_check(mlp, widths=WIDTHS, rule="sp")
    assert not check.stable
    assert check.fastest.coordinates == ("4", "change")
    assert slope(check, "2", "own") == pytest.approx(1, abs=0.2)
    assert str(check).endswith(f"unstable: {check.fastest}")


def test_the_check_leaves_the_random_state_and_is_the_same_each_time() -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first, second = (
        coordinate_check(mlp, widths=[8, 16], rule="mup", seeds=(0, 1)) for _ in range(2)
    )
    assert torch.equal(torch.get_rng_state(), state)
    assert str(first) == str(second)


def test_tokens_are_drawn_for_an_embedding_and_other_inputs_are_asked_for() -> None:
    def text(width: int) -> nn.Module:
        return nn.Sequential(nn.Embedding(11, width), nn.Linear(width, 11))

    def image(width: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(1, width, 3), nn.Flatten(), nn.Linear(4 * width, 3))

    short: dict[str, Any] = {"widths": [16, 32], "rule": "mup", "seeds": (0, 1)}
    assert {j.coordinates.module for j in coordinate_check(text, **short).coordinates} == {"0", "1"}
    with pytest.raises(ValueError, match=r"inputs is not told.*Conv2d"):
        coordinate_check(image, **short)
    assert coordinate_check(image, inputs=torch.randn(2, 1, 4, 4), **short).coordinates


def test_what_parameterize_must_be_told_is_passed_on() -> None:
    class Residual(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.embed = nn.Linear(10, width)
            self.block = nn.Linear(width, width)
            self.readout = nn.Linear(width, 5)

        def forward(self, inputs: Tensor) -> Tensor:
            hidden = self.embed(inputs)
            outputs: Tensor = self.readout(hidden + self.block(hidden.relu()))
            return outputs

    short: dict[str, Any] = {"widths": [16, 32], "rule": "depth_mup", "seeds": (0, 1)}
    layout = lt.Layout(branches="block", depth=1)
    assert coordinate_check(Residual, **short, layout=layout, base_depth=1).coordinates
    asked: set[int] = set()

    def by_width(width: int) -> lt.Layout:
        asked.add(width)
        return layout

    assert coordinate_check(Residual, **short, layout=by_width, base_depth=1).coordinates
    assert asked == {16, 32}
    with pytest.raises(ValueError, match="branches"):
        coordinate_check(Residual, **short)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"widths": [64]}, "widths is"),
        ({"widths": [64, 32]}, "widths is"),
        ({"optimizer": "lamb"}, "optimizer is 'lamb'.*adamw"),
        ({"seeds": (0,)}, "seeds is"),
        ({"rule": "mupp"}, "mupp"),
        ({"inputs": (torch.zeros(2, 10),)}, "inputs is a tuple. Give a tensor, or a mapping"),
    ],
)
def test_a_bad_argument_is_named(argument: dict[str, Any], message: str) -> None:
    arguments = {"widths": [16, 32], "rule": "mup"} | argument
    with pytest.raises(ValueError, match=message):
        coordinate_check(mlp, **arguments)


def test_keywords_that_are_no_tensors_are_passed_on() -> None:
    class Flagged(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.net = mlp(width)

        def forward(self, x: Tensor, *, flag: bool) -> Tensor:
            return self.net(x) if flag else x

    inputs = {"x": torch.randn(4, 10), "flag": True}
    check = coordinate_check(Flagged, widths=[16, 32], rule="mup", seeds=range(2), inputs=inputs)
    assert check.coordinates


def test_a_network_that_returns_no_tensor_is_refused() -> None:
    class Named(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.embed, self.readout = nn.Linear(10, width), nn.Linear(width, 5)

        def forward(self, inputs: Tensor) -> dict[str, Tensor]:
            return {"logits": self.readout(self.embed(inputs))}

    with pytest.raises(TypeError, match="returns dict"):
        coordinate_check(Named, widths=[16, 32], rule="mup")
