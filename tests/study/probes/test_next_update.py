"""What probes say of the next update, against the update that the run then takes."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from lrtransfer.optim.tuners.next_update import NextUpdate, next_update
from lrtransfer.study.plan.catalog import load
from lrtransfer.study.training.run import TrainingRun
from tests.study.training.configs import changed, configured
from tests.tiny import blobs

from .dense import flat_map, hessian_spectrum, rates
from .seen import seen

CPU = torch.device("cpu")
PROBES = ["edge", "directional_sharpness", "one_step", "batch_sharpness"]


def full_batch(optimizer: str = "sgd", steps: int = 3, **options: Any) -> TrainingRun:
    """Return a run some steps into full-batch training by CDAT in float64."""
    tuner = {"name": "cdat", "options": {"sigma": 2.0}}
    config = configured(
        optimizer, train_samples=12, batch_size=12, learning_rate=0.5, tuner=tuner, probes=[]
    )
    config = changed(
        config,
        optimizer={"options": {**config.optimizer.options, **options}},
        measure={"samples": 12, "tolerance": 1e-7},
    )
    run = TrainingRun(config, blobs(), CPU)
    for _ in range(steps):
        run.update_once()
    return run


def coming_of(run: TrainingRun) -> NextUpdate:
    at = seen(run)
    return next_update(at.optimizer, at.subset_loss, at.relative_rates)


def flat(run: TrainingRun) -> Tensor:
    return torch.cat([p.detach().flatten() for _, p in run.network.trained])


@pytest.mark.parametrize("optimizer", ["muon", "muonh", "adamh"])
def test_without_a_known_preconditioner_there_is_no_edge(optimizer: str) -> None:
    run = TrainingRun(configured(optimizer, probes=["edge"]), blobs(), CPU)
    run.update_once()
    found = load("probes", "edge")().measure(seen(run))
    assert set(found) == {"edge_sharpness", "edge_residual", "edge_alignment"}
    assert all(math.isnan(value) for value in found.values())


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "rmsprop"])
def test_it_is_the_update_that_the_run_then_takes(optimizer: str) -> None:
    run = full_batch(optimizer)
    coming = coming_of(run)
    before = flat(run)
    run.update_once()
    assert run.tuned is not None
    rate = run.tuned.columns["rate"][3].item()
    predicted = rate * torch.cat([u.flatten() for u in coming.direction])
    assert torch.allclose(flat(run) - before, predicted, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "rmsprop"])
def test_its_directional_sharpness_is_what_the_tuner_measures(optimizer: str) -> None:
    run = full_batch(optimizer)
    value = load("probes", "directional_sharpness")().measure(seen(run))["directional_sharpness"]
    run.update_once()
    assert run.tuned is not None
    assert value == pytest.approx(run.tuned.columns["step_sharpness"][3].item(), rel=1e-7)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "rmsprop"])
@pytest.mark.parametrize("name", PROBES)
def test_a_probe_changes_nothing(optimizer: str, name: str) -> None:
    run, twin = full_batch(optimizer), full_batch(optimizer)
    gradients = [p.grad for _, p in run.network.trained]
    load("probes", name)().measure(seen(run))
    assert all(p.grad is g for (_, p), g in zip(run.network.trained, gradients, strict=True))
    for current in (run, twin):
        current.update_once()
    assert torch.equal(flat(run), flat(twin))


def test_the_edge_of_gradient_descent_is_the_dense_eigenvalue() -> None:
    run = full_batch()
    found = load("probes", "edge")().measure(seen(run))
    spectrum = hessian_spectrum(run)
    assert found["edge_sharpness"] == pytest.approx(spectrum[-1].item(), rel=1e-5)
    assert 0 <= found["edge_alignment"] <= 1


def test_the_alignment_is_the_cosine_with_the_dense_eigenvector() -> None:
    run = full_batch()
    loss, weights = flat_map(run, outputs_only=False)
    root = rates(run).sqrt()
    hessian = torch.func.jacrev(torch.func.grad(loss))(weights)
    vector = torch.linalg.eigh(root[:, None] * hessian * root).eigenvectors[:, -1]
    gradient = root * torch.func.grad(loss)(weights)
    expected = abs(float(gradient @ vector / gradient.norm()))
    assert load("probes", "edge")().measure(seen(run))["edge_alignment"] == pytest.approx(
        expected, rel=1e-4
    )


def test_the_edge_is_preconditioned_by_what_the_next_update_is_divided_by() -> None:
    run = full_batch("rmsprop", momentum=0.0)
    found = load("probes", "edge")().measure(seen(run))["edge_sharpness"]
    coming = coming_of(run)
    # Without momentum u = −(D/P)∇f, which gives S² to compare with.
    gradient = torch.cat([g.flatten() for g in coming.objective.gradient])
    squares = -torch.cat([u.flatten() for u in coming.direction]) / gradient
    loss, weights = flat_map(run, outputs_only=False)
    hessian = torch.func.jacrev(torch.func.grad(loss))(weights)
    moved = gradient != 0
    root = torch.where(moved, squares, torch.zeros_like(squares)).sqrt()
    dense = torch.linalg.eigvalsh(root[:, None] * hessian * root)[-1].item()
    if bool(moved.all()):
        assert found == pytest.approx(dense, rel=1e-4)
    assert found >= dense * (1 - 1e-4)


def test_weight_decay_is_part_of_the_edge() -> None:
    plain, decayed = full_batch(), full_batch(weight_decay=0.0)
    for group in decayed.optimizer.param_groups:
        group["weight_decay"] = 0.5
    values = [load("probes", "edge")().measure(seen(r))["edge_sharpness"] for r in (plain, decayed)]
    least = 0.5 * float(rates(plain).min())
    assert values[1] >= values[0] + least * (1 - 1e-6)


def test_cdat_is_above_the_edge_for_gradient_descent() -> None:
    run = full_batch()
    sharpness = load("probes", "edge")().measure(seen(run))["edge_sharpness"]
    along = load("probes", "directional_sharpness")().measure(seen(run))
    directional = along["directional_sharpness"]
    assert directional <= sharpness * (1 + 1e-6)


def test_one_step_reads_the_loss_along_the_update() -> None:
    run = full_batch()
    found = load("probes", "one_step")().measure(seen(run))
    along = load("probes", "directional_sharpness")().measure(seen(run))
    sharpness = along["directional_sharpness"]
    loss, weights = flat_map(run, outputs_only=False)
    coming = coming_of(run)
    u = torch.cat([part.flatten() for part in coming.direction])
    expected = float(loss(weights + u / abs(sharpness)) - loss(weights))
    assert found["one_step_greedy"] == pytest.approx(expected, rel=1e-6)
    assert set(found) == {"one_step_greedy", "one_step_on_edge"}


def test_batch_sharpness_of_the_whole_subset_is_the_directional_one() -> None:
    run = full_batch()
    batch = load("probes", "batch_sharpness")().measure(seen(run))
    along = load("probes", "directional_sharpness")().measure(seen(run))
    directional = along["directional_sharpness"]
    assert batch["batch_sharpness"] == pytest.approx(directional, rel=1e-6)
    assert batch["batch_sharpness_of_means"] == pytest.approx(directional, rel=1e-6)


def test_smaller_batches_feel_other_curvature() -> None:
    run = full_batch()
    small = load("probes", "batch_sharpness")().measure(seen(run, batch_size=3))
    whole = load("probes", "batch_sharpness")().measure(seen(run))
    assert small["batch_sharpness"] != pytest.approx(whole["batch_sharpness"], rel=1e-3)


@pytest.mark.parametrize("name", PROBES)
def test_a_diverged_network_measures_nan(name: str) -> None:
    run = full_batch()
    with torch.no_grad():
        for parameter in run.network.model.parameters():
            parameter.fill_(math.nan)
    assert all(math.isnan(v) for v in load("probes", name)().measure(seen(run)).values())


def test_the_edge_goes_on_from_its_state() -> None:
    run = full_batch()
    first = load("probes", "edge")()
    first.measure(seen(run))
    second = load("probes", "edge")()
    second.load_state(first.state())
    run.update_once()
    assert second.measure(seen(run)) == first.measure(seen(run))
