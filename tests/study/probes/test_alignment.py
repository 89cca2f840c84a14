"""The probe of alignment, on a double of the measurement that knows the last update."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lrtransfer.alignment import measure
from lrtransfer.optim.adamw import adamw
from lrtransfer.scaling.apply import apply
from lrtransfer.scaling.rules import Constants
from lrtransfer.scaling.symmetry import absorbed, moved
from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.catalog import load
from lrtransfer.theory import weight_decay
from tests.scaling.nets import rules
from tests.study.models.cases import CLASSES, FIRST, Case, inputs

QUANTITIES = (
    "weight_alignment",
    "update_alignment",
    "alignment_ratio",
    "relative_update",
    "relative_change",
    "weight_rms",
)


@dataclass(frozen=True)
class Update:
    """The last update of :class:`Training`."""

    previous: Mapping[str, Tensor]
    inputs: Tensor


@dataclass
class Training:
    """A model, its optimizer, and what a probe would see of them."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    inputs: Tensor
    update: Update | None = None
    random: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(3))

    def step(self, batch: Tensor) -> None:
        """Make one update towards random outputs."""
        previous = {n: p.detach().clone() for n, p in self.model.named_parameters()}
        outputs = self.model(batch)
        target = torch.randn(outputs.shape, generator=self.random, dtype=outputs.dtype)
        self.optimizer.zero_grad()
        (outputs - target).square().mean().backward()
        self.optimizer.step()
        self.update = Update(previous, batch)


def training(
    model: nn.Module, subset: Tensor, *, name: str = "adamw", rate: float = 0.01, **options: Any
) -> Training:
    groups = [{"params": [p], "name": n} for n, p in model.named_parameters()]
    made = catalog.load("optim", name)(groups, **options)
    for group in made.param_groups:
        group["lr"] = rate
    return Training(model, made, subset)


def tiny() -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).double()
    return model, torch.randn(12, 5, dtype=torch.float64), torch.randn(9, 5, dtype=torch.float64)


def test_it_logs_both_batches_and_both_updates_of_every_layer() -> None:
    model, batch, subset = tiny()
    run = training(model, subset, weight_decay=2.0)
    for _ in range(3):
        run.step(batch)
    assert run.update is not None
    columns = load("probes", "alignment")().measure(run)  # type: ignore[arg-type]
    part = batch[: len(subset)]
    own = measure(model, run.update.previous, part)["2.weight"]
    other = measure(model, run.update.previous, subset)["2.weight"]
    bare = own.without_decay(0.02)
    for quantity in QUANTITIES:
        assert columns[f"{quantity}/2.weight"] == getattr(own, quantity)
    for quantity in ("weight_alignment", "update_alignment", "alignment_ratio", "relative_change"):
        assert columns[f"{quantity}_held_out/2.weight"] == getattr(other, quantity)
    for quantity in ("update_alignment", "alignment_ratio", "relative_update", "relative_change"):
        assert columns[f"{quantity}_without_decay/2.weight"] == getattr(bare, quantity)
    assert len(columns) == 2 * 14, "a model without roles has no columns of its hidden weights"
    assert len(set(columns.values())) == 2 * 14


def test_before_the_first_update_the_same_columns_are_nan() -> None:
    model, batch, subset = tiny()
    model[0].requires_grad_(False)  # type: ignore[index]
    run = training(model[2], subset)  # type: ignore[index]
    run = Training(model, run.optimizer, subset)
    probe = load("probes", "alignment")()
    empty = probe.measure(run)  # type: ignore[arg-type]
    assert all(math.isnan(value) for value in empty.values())
    run.step(batch)
    assert run.update is not None
    trained = {n: p for n, p in run.update.previous.items() if n.startswith("2.")}
    run.update = Update(trained, batch)
    assert list(probe.measure(run)) == list(empty)  # type: ignore[arg-type]


def test_decay_that_is_not_apart_leaves_its_columns_nan() -> None:
    model, batch, subset = tiny()
    run = training(model, subset, name="sgd", momentum=0.9, weight_decay=0.1)
    run.step(batch)
    columns = load("probes", "alignment")().measure(run)  # type: ignore[arg-type]
    nan = {name for name, value in columns.items() if math.isnan(value)}
    assert nan == {name for name in columns if "_without_decay" in name}
    assert len(nan) == 8


def test_it_keeps_nothing_between_measurements() -> None:
    probe = load("probes", "alignment")()
    assert probe.state() == {}
    assert probe.needs_update  # type: ignore[attr-defined]


@pytest.mark.parametrize("case", FIRST.values(), ids=lambda case: case.family)
def test_every_matrix_of_every_family_is_measured(case: Case) -> None:
    torch.manual_seed(0)
    sizes = {"out_features": CLASSES} | case.sizes
    model = load("models", case.family)(**sizes).double()
    batch = inputs(case)
    batch = batch.double() if batch.is_floating_point() else batch
    run = training(model, batch)
    run.step(batch)
    columns = load("probes", "alignment")().measure(run)  # type: ignore[arg-type]
    matrices = {
        name
        for name, parameter in model.named_parameters()
        if parameter.ndim > 1
        and isinstance(
            model.get_submodule(name.rpartition(".")[0]), nn.Linear | nn.Conv2d | nn.Embedding
        )
    }
    per_layer = [name for name in columns if "/" in name]
    assert {name.split("/")[1] for name in per_layer} == matrices
    assert all(0 < columns[f"weight_alignment/{name}"] <= 1 for name in matrices)


@pytest.mark.parametrize("factor", [0.2, 5.0])
def test_equivalent_forms_have_the_same_quantities_but_for_the_weights_size(factor: float) -> None:
    found = []
    for form in (lambda s: absorbed(s, "adam"), lambda s: moved(s, factor, "adam")):
        model = load("models", "llama")(in_features=0, out_features=11, width=8, depth=2).double()
        roles = model.roles()  # type: ignore[operator]
        scaled = apply(
            model,
            roles,
            rules("mup", "adam"),
            Constants(base_width=4),
            width=8,
            depth=2,
            generator=torch.Generator().manual_seed(0),
            form=form,
        )
        groups = [
            {
                "params": [p],
                "relative_weight_decay": scaled[n].weight_decay,
                "relative_epsilon": scaled[n].epsilon,
            }
            for n, p in model.named_parameters()
        ]
        made = adamw(groups, weight_decay=0.3)
        for group, (name, _) in zip(made.param_groups, model.named_parameters(), strict=True):
            group["lr"] = 0.02 * scaled[name].learning_rate
        tokens = torch.randint(0, 11, (4, 6), generator=torch.Generator().manual_seed(1))
        run = Training(model, made, tokens)
        for _ in range(3):
            run.step(tokens)
        found.append(load("probes", "alignment")().measure(run))  # type: ignore[arg-type]
    first, second = (
        {n: v for n, v in columns.items() if not n.startswith(("weight_rms", "hidden_rate"))}
        for columns in found
    )
    assert first == pytest.approx(second, rel=1e-9)
    assert found[0] != pytest.approx(found[1], rel=1e-3)


def test_relative_updates_of_noise_are_those_of_the_theory() -> None:
    """Late in training on noise ‖ΔW‖/‖W‖ without decay is √(2ηλ(1−β₁)/(1+β₁))."""
    torch.manual_seed(0)
    model = nn.Linear(48, 48, bias=False).double()
    batch = torch.randn(8, 48, dtype=torch.float64)
    run = training(model, batch, rate=0.02, weight_decay=0.5, beta2=0.99)
    probe, seen = load("probes", "alignment")(), []
    for step in range(900):
        previous = {"weight": model.weight.detach().clone()}
        model.weight.grad = torch.randn(48, 48, dtype=torch.float64)
        run.optimizer.step()
        if step >= 500 and step % 20 == 0:
            run.update = Update(previous, batch)
            seen.append(probe.measure(run)["relative_update_without_decay/weight"])  # type: ignore[arg-type]
    law = weight_decay.equilibrium_relative_update(0.02, 0.5, beta1=0.9)
    assert sum(seen) / len(seen) == pytest.approx(law, rel=0.02)
