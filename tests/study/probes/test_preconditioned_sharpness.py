"""Sharpness under an adaptive optimizer: against a dense matrix, and at the edge of stability."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lrtransfer.curvature.preconditioner import preconditioner as preconditioned
from lrtransfer.curvature.sharpness import sharpness
from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.catalog import load
from lrtransfer.study.probes import Measurement
from lrtransfer.study.training.run import Hooks, TrainingRun
from tests.study.training.configs import changed, configured
from tests.tiny import blobs

from .dense import flat_map
from .seen import seen

COLUMN = "preconditioned_sharpness"
ADAPTIVE = {"adam": {"epsilon": 1e-3, "beta1": 0.8}, "adamw": {}, "rmsprop": {"beta2": 0.9}}


def trained(name: str, steps: int, *, tolerance: float = 1e-7, **changes: Any) -> TrainingRun:
    """Return a run after some updates by an adaptive optimizer."""
    config = configured("adam", parameterization="mup_table9", probes=[COLUMN], **changes)
    optimizer = {"name": name, "options": ADAPTIVE.get(name, {})}
    config = changed(config, measure={"tolerance": tolerance}, optimizer=optimizer)
    run = TrainingRun(config, blobs(), torch.device("cpu"))
    for _ in range(steps):
        run.update_once()
    return run


def preconditioner(run: TrainingRun, name: str, parameter: nn.Parameter) -> Tensor:
    """Return P by the book, from the optimizer's state: its entries are per weight."""
    state = run.optimizer.state[parameter]
    (group,) = (g for g in run.optimizer.param_groups if g["params"][0] is parameter)
    if name == "rmsprop":
        plain: Tensor = state["square_avg"].sqrt() + group["eps"]
        return plain
    beta1, beta2 = group["betas"]
    step = run.progress.step
    corrected = state["exp_avg_sq"] / (1 - beta2**step)
    whole: Tensor = (1 - beta1**step) * (corrected.sqrt() + group["eps"])
    return whole


def dense(run: TrainingRun, name: str) -> float:
    """Return the largest real eigenvalue of DP⁻¹H, which is not symmetric itself."""
    loss, weights = flat_map(run, outputs_only=False)
    hessian = torch.func.jacrev(torch.func.grad(loss))(weights)
    scaled = [
        (
            run.network.relative_rates.get(tensor, 0.0) / preconditioner(run, name, parameter)
        ).flatten()
        for tensor, parameter in run.network.model.named_parameters()
    ]
    values: Tensor = torch.linalg.eigvals(torch.cat(scaled)[:, None] * hessian)
    return values.real.max().item()


@pytest.mark.parametrize("name", list(ADAPTIVE))
@pytest.mark.parametrize("steps", [1, 4])
def test_it_is_the_largest_eigenvalue_of_the_dense_preconditioned_hessian(
    name: str, steps: int
) -> None:
    run = trained(name, steps)
    row = load("probes", COLUMN)().measure(seen(run))
    assert row[COLUMN] == pytest.approx(dense(run, name), rel=1e-6)
    assert row[f"{COLUMN}_residual"] <= 1e-7 * row[COLUMN]
    assert 2 <= row[f"{COLUMN}_products"] <= 100
    assert len({*run.network.relative_rates.values()}) > 1


def test_the_tolerance_as_shipped_keeps_the_error_far_below_the_residual() -> None:
    run = trained("adamw", 4, tolerance=0.01)
    row = load("probes", COLUMN)().measure(seen(run))
    assert row[COLUMN] == pytest.approx(dense(run, "adamw"), rel=1e-3)


def test_it_is_logged_after_the_update_that_its_step_names() -> None:
    run = trained("adam", 0)
    exact: dict[int, float] = {}

    def after_step(step: int, current: TrainingRun) -> None:
        if step in current.progress.rows:
            exact[step] = dense(current, "adam")

    log = run.execute(Hooks(after_step=after_step))
    assert math.isnan(log.rows[0][COLUMN]), "no update, no preconditioner"
    assert list(exact) == [1, 2, 3, 6]
    for step, value in exact.items():
        assert log.rows[step][COLUMN] == pytest.approx(value, rel=1e-6)


def test_frozen_tensors_have_no_part_in_it() -> None:
    run = trained("adam", 2, trained="output")
    row = load("probes", COLUMN)().measure(seen(run))
    readout = run.network.model.readout.weight  # type: ignore[union-attr]
    assert isinstance(readout, nn.Parameter)
    features: list[Tensor] = []
    run.network.model.readout.register_forward_pre_hook(  # type: ignore[union-attr]
        lambda module, inputs: features.append(inputs[0].detach())
    )
    outputs = run.network.model(run.subset[0]).detach()
    inputs, p = features[0] * run.network.scaled["readout.weight"].multiplier, outputs.softmax(-1)
    spread = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    hessian = torch.einsum("nab,ni,nj->aibj", spread, inputs, inputs) / len(inputs)
    rate = run.network.relative_rates["readout.weight"]
    scale = (rate / preconditioner(run, "adam", readout)).flatten().sqrt()
    size = readout.numel()
    matrix = scale[:, None] * hessian.reshape(size, size) * scale
    assert row[COLUMN] == pytest.approx(torch.linalg.eigvalsh(matrix)[-1].item(), rel=1e-6)


def test_it_leaves_weights_gradients_and_the_optimizer_s_state_alone() -> None:
    run = trained("adam", 3)
    before = run.state().tensors
    gradients = [p.grad.clone() for p in run.network.model.parameters() if p.grad is not None]
    load("probes", COLUMN)().measure(seen(run))
    for name, tensor in run.state().tensors.items():
        assert torch.equal(tensor.nan_to_num(), before[name].nan_to_num()), name
    for gradient, parameter in zip(gradients, run.network.model.parameters(), strict=True):
        assert torch.equal(gradient, parameter.grad)  # type: ignore[arg-type]


def test_it_goes_on_from_its_state_bit_equal() -> None:
    run = trained("adam", 3, tolerance=0.01)
    first, twin, fresh = (load("probes", COLUMN)() for _ in range(3))
    first.measure(seen(run))
    twin.load_state(first.state())
    expected = first.measure(seen(run, seed=1))
    assert twin.measure(seen(run, seed=1)) == expected
    assert fresh.measure(seen(run, seed=1)) != expected


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_weights_that_are_not_finite_give_nan_and_keep_the_last_state(bad: float) -> None:
    run = trained("adam", 3)
    probe = load("probes", COLUMN)()
    columns = probe.measure(seen(run)).keys()
    kept = probe.state()[COLUMN]
    with torch.no_grad():
        run.network.model.readout.weight[0, 0] = bad  # type: ignore[index, operator, union-attr]
    row = probe.measure(seen(run))
    assert row.keys() == columns
    assert all(math.isnan(value) for value in row.values())
    assert torch.equal(probe.state()[COLUMN], kept)


def test_a_parameter_that_was_never_moved_is_left_out_and_the_value_is_not_nan() -> None:
    run = trained("adam", 2)
    model, (inputs, targets) = run.network.model, run.subset
    whole = load("probes", COLUMN)().measure(seen(run))[COLUMN]
    still = model.get_parameter("embed.weight")
    del run.optimizer.state[still]
    found = load("probes", COLUMN)().measure(seen(run))[COLUMN]
    scale = preconditioned(model, run.optimizer, lr=run.learning_rates.of_run(1))
    assert not scale["embed.weight"].any()
    exact = sharpness(model, run.loss, (inputs, targets), scale=scale, tolerance=1e-7).value
    assert found == pytest.approx(exact, rel=1e-6)
    assert found < whole


def test_an_optimizer_without_squared_gradients_is_refused() -> None:
    run = TrainingRun(configured("momentum", probes=[COLUMN]), blobs(), torch.device("cpu"))
    run.update_once()
    with pytest.raises(ValueError, match=r"needs adam, adamw or rmsprop, not SGD\. Remove"):
        load("probes", COLUMN)().measure(seen(run))


# Curvatures of a quadratic ½Σ h w² that is trained by the real optimizer. Its ε is so large beside
# the gradients that the preconditioner is frozen, at ε: Adam's first updates, which its bias
# correction enlarges, can multiply w by 1e38 where the later ones are stable.
CURVATURE = torch.tensor([3.0, 0.7, 0.1], dtype=torch.float64)
EPSILON = 1e120


class Quadratic(nn.Module):
    """w, to be measured by its loss ½Σ h w²."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, dtype=torch.float64))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return w for every sample."""
        return self.weight.expand(len(inputs), -1)


def quadratic_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return ½Σ h w², mean over samples."""
    return 0.5 * (CURVATURE * outputs.square()).sum(-1).mean()


def measured_and_growth(name: str, share: float, edge: float) -> tuple[float, float]:
    """Train the quadratic for 1000 steps at η = ``share``·edge/(λ_max/ε).

    Returns:
        η times the probe's value at the end, and the weight's size over that at half time.
    """
    model, batch = Quadratic(), torch.zeros(2, 1, dtype=torch.float64)
    rate = share * edge / (CURVATURE[0].item() / EPSILON)
    group = {"params": [model.weight], "lr": rate, "name": "weight"}
    options = {"beta1": 0.9} if name == "adam" else {}
    made = catalog.load("optim", name)([group], epsilon=EPSILON, **options)
    sizes = []
    for _ in range(1000):
        sizes.append(model.weight.detach().abs().max().item())
        made.zero_grad()
        quadratic_loss(model(batch), batch).backward()  # type: ignore[no-untyped-call]
        made.step()
    at = Measurement(
        model=model,
        loss=quadratic_loss,
        inputs=batch,
        targets=batch,
        tolerance=1e-9,
        relative_rates={"weight": 1.0},
        optimizer=made,
        generator=torch.Generator().manual_seed(0),
    )
    row = load("probes", COLUMN)().measure(at)
    return row[COLUMN] * rate, max(sizes[-20:]) / max(sizes[500:520])


@pytest.mark.parametrize(("name", "edge"), [("adam", 38.0), ("rmsprop", 2.0)])
def test_training_is_stable_below_the_documented_edge_and_diverges_above(
    name: str, edge: float
) -> None:
    """η·λ_max(P⁻¹H) against 2(1+β₁)/(1−β₁) = 38 and 2: 1 % to either side decides."""
    below, shrunk = measured_and_growth(name, 0.99, edge)
    above, grown = measured_and_growth(name, 1.01, edge)
    assert below == pytest.approx(0.99 * edge, rel=1e-5)
    assert above == pytest.approx(1.01 * edge, rel=1e-5)
    assert shrunk < 0.5
    assert grown > 2.0


@pytest.mark.parametrize("beta1", [0.0, 0.5, 0.9, 0.95])
def test_the_edge_of_averaged_gradients_is_that_of_the_linear_recursion(beta1: float) -> None:
    """m ← β₁m + (1−β₁)λw, w ← w − ηm: spectral radius one at ηλ = 2(1+β₁)/(1−β₁)."""

    def radius(product: float) -> float:
        step = torch.tensor(
            [[beta1, (1 - beta1) * product], [-beta1, 1 - (1 - beta1) * product]],
            dtype=torch.float64,
        )
        roots: Tensor = torch.linalg.eigvals(step)
        return roots.abs().max().item()

    edge = 2 * (1 + beta1) / (1 - beta1)
    assert radius(0.999 * edge) < 1 < radius(1.001 * edge)
    assert edge == pytest.approx((2 + 2 * beta1) / (1 - beta1))
