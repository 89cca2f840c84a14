"""Under loss scaling whatever overflows is a skipped step, and the next ones work."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lrtransfer.optim.tuners.cdat import CDAT
from lrtransfer.study.plan import catalog

from .whole import Trial


@pytest.mark.parametrize("name", ["cdat", "sharpness_rule", "parabola_fit", "constant"])
def test_a_scale_far_too_large_comes_down_to_steps(name: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    inputs, targets = torch.randn(12, 4), torch.randint(3, (12,))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
    tuner = catalog.load("optim/tuners", name)(
        torch.optim.SGD(model.parameters(), lr=1.0), scaler=scaler
    )
    taken = []
    for _ in range(24):
        tuner.step(lambda: 1e3 * nn.functional.cross_entropy(model(inputs), targets))
        scaler.update()
        taken.append(tuner.steps)
    assert taken[0] == 0
    assert taken[-1] >= 5
    assert scaler.get_scale() < 2.0**127


def test_a_curvature_that_overflows_lowers_the_scale_and_leaves_the_rest() -> None:
    trial = Trial("cdat", "adam")
    trial.tuner = CDAT(trial.tuner.base, scaler=torch.amp.GradScaler("cpu", init_scale=2.0**120))
    scaler = trial.tuner._surroundings.scaler
    assert scaler is not None

    def steep() -> Tensor:
        bend = 1e6 * trial.model[0].weight.square().sum()
        return trial.loss() + bend - bend.detach()

    before = trial.state()
    trial.tuner.step(steep)
    scaler.update()
    assert trial.state() == before
    assert scaler.get_scale() == 2.0**119


def test_an_error_between_leaves_the_scaler_ready() -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    weight = nn.Parameter(torch.ones(2))
    tuner = CDAT(torch.optim.SGD([weight], lr=1.0), scaler=scaler)
    move = tuner._apply
    tuner._apply = None  # type: ignore[assignment, method-assign]
    with pytest.raises(TypeError):
        tuner.step(lambda: weight.square().sum())
    tuner._apply = move  # type: ignore[method-assign]
    tuner.step(lambda: weight.square().sum())
    scaler.update()
    assert tuner.steps == 1
