"""The coordinate check over the optimizers: own changes of hidden matrices over widths."""

from __future__ import annotations

import pytest
from torch import Tensor, nn

import lrtransfer as lt
from lrtransfer.scaling.matrix_optimizer import Factor


class Wide(nn.Module):
    """n → 4n → n, where Muon's factors differ."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out = nn.Linear(width, 4 * width, bias=False)
        self.back = nn.Linear(4 * width, width, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.back(self.out(inputs).tanh())


def net(width: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(4, width), nn.Tanh(), Wide(width), nn.Tanh(), nn.Linear(width, 2)
    )


def slopes(optimizer: str | lt.MatrixOptimizer, widths: list[int]) -> dict[str, float]:
    check = lt.coordinate_check(
        net, widths=widths, rule="mup", optimizer=optimizer, seeds=range(2), steps=5
    )
    measured = {
        judged.coordinates.module: judged.measured
        for judged in check.coordinates
        if judged.coordinates.quantity in ("own", "own weight")
    }
    return {name: (measured[name].low + measured[name].high) / 2 for name in ("2.out", "2.back")}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("factor", "expected"), [("spectral", 0.0), ("original", 0.0), ("kimi", 0.5)]
)
def test_the_slopes_of_muon_s_factors(factor: Factor, expected: float) -> None:
    for name, slope in slopes(lt.MatrixOptimizer("muon", factor=factor), [8, 16, 32, 64]).items():
        assert slope == pytest.approx(expected, abs=0.1), name


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["lion", "adopt", "shampoo", "soap"])
def test_those_of_the_package_are_flat(optimizer: str) -> None:
    pytest.importorskip("pytorch_optimizer")
    for name, slope in slopes(optimizer, [8, 16, 32, 64]).items():
        assert slope == pytest.approx(0.0, abs=0.1), name


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["muonh", "adamh"])
def test_a_share_of_the_norm_in_a_few_singular_values_grows(optimizer: str) -> None:
    # Eight samples: the update's rank does not grow with the width, as isotropic ones would.
    for name, slope in slopes(optimizer, [16, 32, 64]).items():
        assert slope == pytest.approx(0.5, abs=0.15), name
