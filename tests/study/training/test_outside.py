"""A plain module as a study's model: scaled by `parameterize`, trained as any other."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import lrtransfer as lt
from lrtransfer.scaling.infer import UnplacedTensorError
from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.run_config import RunConfig
from lrtransfer.study.training import streams
from lrtransfer.study.training.network import run_network
from lrtransfer.study.training.run import Hooks, TrainingRun
from tests.study.plan.package_copy import forget
from tests.study.training.configs import changed, configured
from tests.tiny import blobs

PLAIN = """
from torch import nn


def make(width, depth, in_features, out_features, bias: bool = False):
    layers = [nn.Linear(in_features, width, bias=bias), nn.Tanh()]
    for _ in range(depth):
        layers += [nn.Linear(width, width, bias=bias), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(width, out_features, bias=bias))


MODEL = make
"""
# A family of ours without its roles, which are read off two widths then.
SILENT = """
from lrtransfer.study.models.residual_mlp import ResidualMLP


class Silent(ResidualMLP):
    roles = None


LAYOUT = {"branches": "branches.*"}
MODEL = Silent
"""
STRANGE = """
import torch
from torch import nn


class Strange(nn.Module):
    def __init__(self, width, in_features, out_features):
        super().__init__()
        self.embed = nn.Linear(in_features, width)
        self.rates = nn.Parameter(torch.linspace(-2.0, 1.0, 3).repeat(width, 1))
        self.readout = nn.Linear(width, out_features)

    def forward(self, inputs):
        return self.readout(self.embed(inputs.flatten(1)) * self.rates.sigmoid().mean(1))


MODEL = Strange
"""


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a study's own models."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "models"
    folder.mkdir()
    for name, text in (("plain", PLAIN), ("silent", SILENT), ("strange", STRANGE)):
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    forget()
    yield folder
    forget()


def outside(config: RunConfig, family: str, column: str, **options: Any) -> RunConfig:
    """Return the configuration with a model of the study's own."""
    size = {"family": family, "width": 8, "depth": 2, "options": options}
    scaling = {"outside": column, "constants": {"base_width": 2}}
    return changed(config, model=size, parameterization=scaling)


def losses(config: RunConfig) -> list[float]:
    return TrainingRun(config, blobs(), torch.device("cpu")).execute(Hooks()).losses


@pytest.mark.slow
@pytest.mark.usefixtures("models")
def test_a_run_is_what_parameterize_and_a_loop_of_torch_give() -> None:
    config = outside(configured("adamw", probes=[]), "plain", "adam", bias=True)
    config = replace(config, measure=None)
    make = catalog.load("models", "plain")
    sizes = {"depth": 2, "in_features": 5, "out_features": 3, "bias": True}
    model = make(width=8, **sizes).double()
    groups = lt.parameterize(
        model,
        "mup",
        optimizer="adamw",
        lr=config.learning_rate,
        weight_decay=0.1,
        base=make(width=2, **sizes),
        seed=streams.generator("initialisation", config.seed),
    )
    optimizer = torch.optim.AdamW(groups)
    data, order = blobs(), streams.BatchOrder(40, config.batch_size, config.seed)
    inputs = torch.from_numpy(data["train_inputs"]).double()
    targets = torch.from_numpy(data["train_targets"])
    expected = []
    for step in range(config.steps):
        chosen = order(step)
        loss = nn.functional.cross_entropy(model(inputs[chosen]), targets[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        expected.append(loss.item())
    assert len(set(expected)) == config.steps
    np.testing.assert_allclose(losses(config), expected, rtol=1e-12)


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(("name", "column"), [("sgd", "sgd"), ("adam", "adam")])
@pytest.mark.parametrize("parameterization", ["mup", "ntp", "sp"])
def test_a_family_of_ours_trains_alike_when_its_roles_are_read_off(
    name: str, column: str, parameterization: str
) -> None:
    """The two forms are equivalent, so the losses are equal but for rounding."""
    told = configured(name, parameterization=parameterization, probes=[])
    told = changed(told, model={"width": 8, "depth": 2}, measure=None)
    constants = {"branch_exponent": 0.5, "base_width": 4, "base_depth": 1}
    told = changed(told, parameterization={"constants": constants})
    silent = changed(told, model={"family": "silent"}, parameterization={"outside": column})
    rtol = 1e-9 if name == "sgd" else 1e-4  # Adam's ε is not zero beside the smaller gradients
    np.testing.assert_allclose(losses(silent), losses(told), rtol=rtol)


@pytest.mark.usefixtures("models")
def test_relative_rates_are_those_of_the_table_by_role() -> None:
    config = outside(configured("adam"), "plain", "adam")
    found = run_network(config, 5, 3, torch.device("cpu"))
    assert found.roles.tensors == {
        "0.weight": "input",
        "2.weight": "hidden",
        "4.weight": "hidden",
        "6.weight": "output",
    }
    rates = found.relative_rates
    wider = run_network(changed(config, model={"width": 16}), 5, 3, torch.device("cpu"))
    grown = {name: wider.relative_rates[name] / rate for name, rate in rates.items()}
    # Under Adam, from width 8 to 16: an input's rate stays, a hidden one's and the output's halve.
    expected = {"0.weight": 1.0, "2.weight": 0.5, "4.weight": 0.5, "6.weight": 0.5}
    assert grown == pytest.approx(expected)


def test_what_cannot_be_placed_is_named_and_said_in_the_model_s_file(models: Path) -> None:
    config = outside(configured("adam"), "strange", "adam")
    with pytest.raises(UnplacedTensorError, match=r"'rates' of shape \(8, 3\).* LAYOUT = "):
        run_network(config, 5, 3, torch.device("cpu"))
    told = 'LAYOUT = {"roles": {"rates": "bias"}, "kept": "rates"}\n'
    (models / "strange.py").write_text(STRANGE + told, encoding="utf-8")
    forget()
    sys.modules.pop("study_folder", None)
    found = run_network(config, 5, 3, torch.device("cpu"))
    assert found.roles.tensors["rates"] == "bias"
    kept = dict(found.model.named_parameters())["rates"]
    torch.testing.assert_close(kept[0], torch.linspace(-2.0, 1.0, 3).double(), rtol=1e-6, atol=0)


@pytest.mark.usefixtures("models")
def test_a_run_that_was_stopped_goes_on_bit_equal() -> None:
    config = outside(configured("momentum", probes=["norms"]), "plain", "sgd")
    whole = losses(config)
    first = TrainingRun(config, blobs(), torch.device("cpu"))
    states = []
    first.execute(Hooks(after_step=lambda step, run: states.append(deepcopy(run.state()))))
    second = TrainingRun(config, blobs(), torch.device("cpu"))
    second.load_state(states[2])
    assert second.execute(Hooks()).losses == whole
