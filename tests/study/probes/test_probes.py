"""What probes log, against dense oracles, and that they leave the run alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from lrtransfer.curvature import GaussNewtonOperator, eigenvalues, sharpness
from lrtransfer.study.plan import catalog
from lrtransfer.study.probes import Update
from lrtransfer.study.training.run import Hooks, Log, TrainingRun
from tests.study.training.configs import changed, configured
from tests.tiny import EXPERIMENT, blobs, tiny_grid, tiny_params, tiny_plan

from .dense import hessian_spectrum, ntk_spectrum
from .seen import seen

NAMES = ("norms", "ntk", "sharpness", "subset_loss")


def training(
    arm: str = "mup", loss: str = "cross_entropy", *, tolerance: float = 0.01, **grid: Any
) -> TrainingRun:
    """Return the measured run of one arm in float64."""
    content = tiny_params()
    tiny_grid(content).update({"precision": "float64"} | grid)
    tiny_grid(content)["measure"]["tolerance"] = tolerance
    content["study"][EXPERIMENT]["loss"] = loss
    run = next(r for r in tiny_plan(content).runs if r.measured and r.arm == arm)
    return TrainingRun(run.config, blobs(), torch.device("cpu"))


def logged_and_exact(
    run: TrainingRun, oracle: Callable[[TrainingRun], torch.Tensor]
) -> tuple[Log, dict[int, torch.Tensor]]:
    """Train, and evaluate ``oracle`` at every measured step."""
    exact = {0: oracle(run)}

    def after_step(step: int, current: TrainingRun) -> None:
        if step in current.progress.rows:
            exact[step] = oracle(current)

    return run.execute(Hooks(after_step=after_step)), exact


@pytest.mark.slow
def test_logged_trace_is_that_of_the_scaled_dense_hessian_within_its_error() -> None:
    run = training(measure={"probes": ["trace"], "samples": 8, "points": 3, "spacing": "linear"})
    log, exact = logged_and_exact(run, hessian_spectrum)
    for step, row in log.rows.items():
        whole = exact[step].sum().item()
        assert row["trace"] == pytest.approx(whole, abs=max(4 * row["trace_error"], 1e-6 * whole))
        assert row["trace_error"] < 0.2 * whole


@pytest.mark.parametrize("arm", ["mup", "ntp", "sp"])
@pytest.mark.parametrize("loss", ["cross_entropy", "squared"])
def test_logged_sharpness_is_the_largest_eigenvalue_of_the_scaled_dense_hessian(
    arm: str, loss: str
) -> None:
    log, exact = logged_and_exact(training(arm, loss, tolerance=1e-6), hessian_spectrum)
    assert list(log.rows) == list(exact) == [0, 1, 2, 3, 6]
    for step, row in log.rows.items():
        assert row["sharpness"] == pytest.approx(exact[step][-1].item(), rel=1e-6)
        assert exact[step][0].item() - 1e-9 <= row["sharpness_smallest"] <= row["sharpness"]


@pytest.mark.parametrize("arm", ["mup", "ntp", "sp"])
def test_the_tolerance_as_shipped_keeps_the_error_far_below_the_residual(arm: str) -> None:
    log, exact = logged_and_exact(training(arm), hessian_spectrum)
    for step, row in log.rows.items():
        value = exact[step][-1].item()
        assert row["sharpness"] == pytest.approx(value, rel=3e-4)
        assert row["sharpness_residual"] <= 0.01 * row["sharpness"]
        assert row["sharpness"] <= value * (1 + 1e-9)


@pytest.mark.parametrize("arm", ["mup", "ntp", "sp"])
def test_logged_ntk_is_the_largest_eigenvalue_of_the_dense_kernel(
    arm: str,
) -> None:
    log, exact = logged_and_exact(training(arm, tolerance=1e-6), ntk_spectrum)
    for step, row in log.rows.items():
        assert row["ntk"] == pytest.approx(exact[step][-1].item(), rel=1e-6)


def test_under_mup_the_sharpness_is_gamma_squared_times_that_of_the_hessian() -> None:
    run = training("mup", widths=[6])
    model, inputs, targets = run.network.model, *run.subset
    bare = sharpness(model, run.loss, (inputs, targets), tolerance=1e-8)
    row = catalog.load("probes", "sharpness")().measure(seen(run))
    assert row["sharpness"] == pytest.approx(6 * bare.value, rel=3e-4)


def test_kernel_and_gauss_newton_share_their_spectrum_for_squared_loss() -> None:
    run = training("mup", "squared")
    operator = GaussNewtonOperator(
        run.network.model, run.loss, run.subset, scale=run.network.relative_rates
    )
    top = eigenvalues(operator, 5, tolerance=1e-9)
    torch.testing.assert_close(top.values, ntk_spectrum(run).flip(0)[:5], rtol=1e-7, atol=0)


def stepped(name: str) -> tuple[TrainingRun, Log]:
    """Return a run under Adam, which every probe can measure, and what the probe logged of it."""
    run = TrainingRun(configured("adam", probes=[name]), blobs(), torch.device("cpu"))
    return run, run.execute(Hooks())


@pytest.mark.parametrize("name", catalog.names("probes"))
def test_a_probe_logs_the_columns_that_its_file_names(name: str) -> None:
    bare = TrainingRun(configured("adam", probes=[]), blobs(), torch.device("cpu"))
    _, log = stepped(name)
    logged = log.rows[6].keys() - bare.execute(Hooks()).rows[6].keys()
    described = catalog.constant("probes", name, "COLUMNS")
    assert {column for column in logged if "/" not in column} == set(described)
    assert {column.partition("/")[0] for column in logged} == set(described)
    kinds = {kind for of_column in described.values() for kind in of_column}
    assert kinds <= {"curvature", "compared", "phases", "predictor", "times_rate"}


@pytest.mark.parametrize("name", catalog.names("probes"))
def test_a_probe_costs_about_its_price(name: str) -> None:
    run, _ = stepped(name)
    price = catalog.constant("probes", name, "PRICE")
    assert price / 3 <= run.probes[name].gradients <= 3 * price


@pytest.mark.parametrize("name", catalog.names("probes"))
def test_a_probe_changes_neither_weights_gradients_modes_nor_random_state(name: str) -> None:
    run, _ = stepped(name)
    model = run.network.model
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    before = [(p.detach().clone(), p.grad.clone(), p.requires_grad) for p in model.parameters()]  # type: ignore[union-attr]
    state, modes = torch.get_rng_state(), [m.training for m in model.modules()]
    previous = {n: p.detach().clone() + 0.01 for n, p in model.named_parameters()}
    at = replace(seen(run), update=Update(previous, run.subset[0]))
    catalog.load("probes", name)().measure(at)
    for (weight, gradient, required), p in zip(before, model.parameters(), strict=True):
        assert torch.equal(p.detach(), weight)
        assert torch.equal(p.grad, gradient)  # type: ignore[arg-type]
        assert p.requires_grad == required
    assert torch.equal(torch.get_rng_state(), state)
    assert [m.training for m in model.modules()] == modes


def test_measuring_leaves_the_trajectory_as_it_is() -> None:
    run = training()
    bare = TrainingRun(changed(run.config, measure=None), blobs(), torch.device("cpu"))
    assert run.execute(Hooks()).losses == bare.execute(Hooks()).losses


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_weights_that_are_not_finite_give_nan_in_the_same_columns(name: str, bad: float) -> None:
    run = training()
    columns = catalog.load("probes", name)().measure(seen(run)).keys()
    with torch.no_grad():
        run.network.model.readout.weight[0, 0] = bad  # type: ignore[operator, union-attr]
    row = catalog.load("probes", name)().measure(seen(run))
    assert row.keys() == columns
    untouched = {"weight_norm/embed.weight", "weight_norm/branches.0.1.weight"}
    for column, value in row.items():
        assert math.isfinite(value) == (column in untouched), column


def test_norms_are_those_of_gradient_and_weights() -> None:
    run = training()
    row = catalog.load("probes", "norms")().measure(seen(run))
    named = dict(run.network.model.named_parameters())
    loss = run.loss(run.network.model(run.subset[0]), run.subset[1])
    gradients = torch.autograd.grad(loss, list(named.values()))
    squares = {name: p.detach().square().sum().item() for name, p in named.items()}
    assert row["gradient_norm"] == pytest.approx(sum(g.square().sum() for g in gradients) ** 0.5)
    assert row["weight_norm"] == pytest.approx(sum(squares.values()) ** 0.5)
    for name, square in squares.items():
        assert row[f"weight_norm/{name}"] == pytest.approx(square**0.5)
    assert len(row) == 2 + len(named)


def test_subset_loss_is_the_mean_over_the_fixed_subset() -> None:
    run = training()
    log_p = run.network.model(run.subset[0]).log_softmax(-1)
    expected = -log_p[torch.arange(len(log_p)), run.subset[1]].mean().item()
    row = catalog.load("probes", "subset_loss")().measure(seen(run))
    assert row == {"subset_loss": pytest.approx(expected, rel=1e-12)}


@pytest.mark.parametrize("name", ["sharpness", "ntk"])
def test_a_probe_goes_on_from_its_state_bit_equal(name: str) -> None:
    run = training()
    first, twin, fresh = (catalog.load("probes", name)() for _ in range(3))
    assert first.state() == {}
    first.measure(seen(run))
    twin.load_state(first.state())
    expected = first.measure(seen(run, seed=1))
    assert twin.measure(seen(run, seed=1)) == expected
    assert fresh.measure(seen(run, seed=1)) != expected


@pytest.mark.parametrize("name", NAMES)
def test_a_fresh_probe_has_nothing_to_keep(name: str) -> None:
    made = catalog.load("probes", name)()
    made.load_state({})
    assert made.state() == {}
