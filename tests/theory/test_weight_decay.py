"""The norm recursion and the implicit warm-up against published numbers and torch's AdamW."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from lrtransfer.study.plan.catalog import load
from lrtransfer.theory import weight_decay as theory
from lrtransfer.theory.weight_decay import Array

# A scheduled run of the size of a small language model: T, η, λ, m, ρ₀.
SMALL: dict[str, Any] = {"steps": 4000, "rate": 0.02, "decay": 0.1, "multiplier": 8, "rms": 0.05}
UPDATES = [0, 200, 400, 800, 1200, 1600, 2000, 3000]
RECURSION = [0.125, 0.245, 0.605, 0.917, 0.976, 0.991, 0.996, 0.999]
ADAMW_NOISE = [0.125, 0.239, 0.599, 0.917, 0.977, 0.993, 0.996, 0.998]
PRODUCT_FORM = [0.125, 0.138, 0.185, 0.372, 0.616, 0.812, 0.915, 0.982]

EVERY = 100  # updates between two looks at the simulation
CONSTANT_UPDATES = [0, 100, 500, 1000, 2000, 3000, 5000]
EQUATION_11 = [0.125, 0.1379, 0.2034, 0.3241, 0.6817, 0.9302, 0.9986]


def linear(steps: int, peak: float) -> Array:
    """Return 10 % linear warm-up and linear decay, in the form of the reference table."""
    t, w = np.arange(1, steps + 1), steps / 10
    values: Array = peak * np.minimum(t / w, 1) * np.minimum(1, (steps - t + 1) / (steps - w))
    return values


def small_rates() -> Array:
    return linear(SMALL["steps"], SMALL["rate"])


def adamw_on_noise(
    rates: Array, decay: float, rms: float, betas: tuple[float, float] = (0.9, 0.95)
) -> tuple[Array, Array]:
    """Return the weights' RMS before every 100th update, and the update's without its decay."""
    random = torch.Generator().manual_seed(0)
    weight = torch.nn.Parameter(rms * torch.randn(4096, generator=random, dtype=torch.float64))
    optimizer = torch.optim.AdamW([weight], lr=0.0, betas=betas, weight_decay=decay, eps=0.0)
    norms, updates = [], []
    for t, rate in enumerate(rates):
        optimizer.param_groups[0]["lr"] = float(rate)
        weight.grad = torch.randn(4096, generator=random, dtype=torch.float64)
        before = weight.detach().clone()
        optimizer.step()
        if t % EVERY:
            continue
        norms.append(float(before.square().mean().sqrt()))
        moved = weight.detach() - (1 - rate * decay) * before
        updates.append(float(moved.square().mean().sqrt()))
    return np.array(norms), np.array(updates)


@cache
def simulated(beta1: float) -> tuple[Array, Array, Array]:
    """Return norms and relative updates at (η, λ), and s, at a constant learning rate."""
    rates = np.full(5001, 0.01)
    rms = theory.equilibrium_rms(0.01, 0.1)
    base, moved = adamw_on_noise(rates, 0.1, rms, (beta1, 0.999))
    scaled, scaled_moved = adamw_on_noise(rates / 8, 0.8, rms, (beta1, 0.999))
    relative = moved / base
    return base, relative, scaled_moved / scaled / relative


def test_the_reference_schedule_is_the_package_s_own() -> None:
    factor = load("optim/schedules", "linear")
    own = [0.02 * factor(step, 4000, warmup_fraction=0.1) for step in range(4000)]
    np.testing.assert_allclose(own, small_rates(), rtol=1e-14)


def test_the_recursion_gives_the_reference_numbers_of_a_scheduled_run() -> None:
    s = theory.implicit_warmup(small_rates(), SMALL["decay"], SMALL["multiplier"], SMALL["rms"])
    np.testing.assert_allclose(s[UPDATES], RECURSION, atol=5.01e-4)


def test_the_product_form_gives_its_numbers_and_is_far_too_slow() -> None:
    s = theory.implicit_warmup_simplified(small_rates(), SMALL["decay"], SMALL["multiplier"])
    np.testing.assert_allclose(s[UPDATES], PRODUCT_FORM, atol=5.01e-4)
    assert np.argmax(s > 0.9) > 2 * UPDATES[3] > 2 * np.argmax(np.array(RECURSION) > 0.9)


def test_adamw_on_noise_follows_the_recursion_through_a_schedule() -> None:
    rates, m = small_rates(), SMALL["multiplier"]
    base, moved = adamw_on_noise(rates, SMALL["decay"], SMALL["rms"])
    scaled, scaled_moved = adamw_on_noise(rates / m, m * SMALL["decay"], SMALL["rms"])
    s = (scaled_moved / scaled) / (moved / base)
    looks = np.array(UPDATES) // EVERY
    np.testing.assert_allclose(s[looks], RECURSION, rtol=0.035)
    np.testing.assert_allclose(s[looks], ADAMW_NOISE, rtol=0.02)


@pytest.mark.parametrize(
    ("exponent", "total", "half", "nine_tenths"),
    [(-9, 1.95, 0.30, None), (-8, 3.91, 0.13, 0.29), (-7, 7.81, 0.08, 0.14)],
)
def test_the_share_of_a_paper_sized_run_that_the_warm_up_takes(
    exponent: int, total: float, half: float, nine_tenths: float | None
) -> None:
    rates = linear(20_000, 2.0**exponent)
    s = theory.implicit_warmup(rates, 0.1, 16, 2048**-0.5)
    assert 0.1 * rates.sum() == pytest.approx(total, abs=0.006)
    assert np.argmax(s > 0.5) / 20_000 == pytest.approx(half, abs=0.005)
    if nine_tenths is None:
        assert s.max() < 0.9
    else:
        assert np.argmax(s > 0.9) / 20_000 == pytest.approx(nine_tenths, abs=0.005)


def test_equation_11_gives_its_reference_numbers() -> None:
    s = theory.implicit_warmup_constant(CONSTANT_UPDATES, 0.01, 0.1, 8)
    np.testing.assert_allclose(s, EQUATION_11, atol=5.01e-5)


@pytest.mark.parametrize("beta1", [0.0, 0.9])
def test_adamw_on_noise_follows_equation_11(beta1: float) -> None:
    s = simulated(beta1)[2][np.array(CONSTANT_UPDATES) // EVERY]
    np.testing.assert_allclose(s, EQUATION_11, rtol=0.04)


@pytest.mark.parametrize("beta1", [0.0, 0.9])
def test_adamw_on_noise_keeps_the_norm_whatever_its_momentum(beta1: float) -> None:
    norms, _, _ = simulated(beta1)
    assert norms[2000 // EVERY :].mean() == pytest.approx(
        theory.equilibrium_rms(0.01, 0.1), rel=0.03
    )


@pytest.mark.parametrize("beta1", [0.0, 0.9])
def test_momentum_shrinks_the_relative_update(beta1: float) -> None:
    relative = simulated(beta1)[1][2000 // EVERY :].mean()
    assert relative == pytest.approx(theory.equilibrium_relative_update(0.01, 0.1, beta1), rel=0.02)


@pytest.mark.parametrize("beta1", [0.0, 0.9, 0.99])
def test_to_first_order_the_equilibrium_is_the_paper_s(beta1: float) -> None:
    rate, decay = 1e-4, 0.1
    assert theory.equilibrium_rms(rate, decay, beta1) == pytest.approx(
        math.sqrt(rate / (2 * decay)), rel=1e-3
    )
    assert theory.equilibrium_relative_update(rate, decay, beta1) == pytest.approx(
        math.sqrt(2 * rate * decay * (1 - beta1) / (1 + beta1)), rel=1e-3
    )


def test_at_strong_decay_momentum_counts_as_in_the_exact_equilibrium() -> None:
    """The sum of the covariances of u_t = β₁u_{t−1} + noise, weighted by how much is left."""
    rate, decay, beta1 = 0.1, 1.0, 0.9
    lags, noise = np.arange(400), (1 - beta1) / (1 + beta1)
    left = (1 - rate * decay) ** lags
    covariance = noise * beta1 ** np.abs(lags[:, None] - lags)
    exact = rate * math.sqrt(left @ covariance @ left)
    assert theory.equilibrium_rms(rate, decay, beta1) == pytest.approx(exact, rel=1e-9)
    assert theory.equilibrium_relative_update(rate, decay, beta1) == pytest.approx(
        rate * math.sqrt(noise) / exact, rel=1e-9
    )


@pytest.mark.parametrize("initial", [0.02, 1.0, 5.0])
def test_equation_11_solves_the_recursion_to_first_order(initial: float) -> None:
    rate, decay, m = 1e-5, 10.0, 8.0
    rms = initial * theory.equilibrium_rms(rate, decay)
    recursion = theory.implicit_warmup(np.full(30_000, rate), decay, m, rms)
    t = np.arange(0, 30_001, 100)
    closed = theory.implicit_warmup_constant(t, rate, decay, m, initial)
    np.testing.assert_allclose(recursion[t], closed, rtol=rate * decay * 2)
    assert closed[0] == pytest.approx(1 / m)


def test_the_simplified_form_is_equation_11_at_a_constant_rate_from_equilibrium() -> None:
    closed = theory.implicit_warmup_constant(np.arange(501), 0.01, 0.1, 8)
    product = theory.implicit_warmup_simplified(np.full(500, 0.01), 0.1, 8)
    np.testing.assert_allclose(product, closed, rtol=1e-12)


def test_the_warm_up_s_time_is_where_it_reaches_one_over_root_two() -> None:
    time = theory.implicit_warmup_time(0.001, 0.1, 8)
    s = theory.implicit_warmup_constant([time], 0.001, 0.1, 8)
    assert s[0] == pytest.approx(2**-0.5, rel=1e-3)
    assert theory.implicit_warmup_time(0.001, 0.1, 1.2) == 0


def test_the_norm_settles_at_its_equilibrium() -> None:
    norms = theory.weight_rms(np.full(20_000, 0.01), 0.1, 3.0)
    assert norms[-1] == pytest.approx(theory.equilibrium_rms(0.01, 0.1), rel=1e-9)
    assert norms[0] == 3.0


def test_without_decay_the_norm_is_a_random_walk_s() -> None:
    norms = theory.weight_rms(np.full(100, 0.3), 0.0, 2.0)
    np.testing.assert_allclose(norms, np.sqrt(4 + 0.09 * np.arange(101)), rtol=1e-14)
    relative = theory.relative_updates(np.full(30_000, 0.3), 0.0, 2.0)
    assert relative[-1] == pytest.approx(30_000**-0.5, rel=1e-3)


def test_late_relative_updates_tell_the_rules_apart() -> None:
    """Independent decay holds them over widths, standard decay lets them fall as 1/√m."""
    rates, decay = np.full(40_000, 0.05), 0.1
    base = theory.relative_updates(rates, decay, 0.05)[-1]
    for m in (4.0, 16.0):
        independent = theory.relative_updates(rates / m, m * decay, 0.05)[-1]
        standard = theory.relative_updates(rates / m, decay, 0.05)[-1]
        assert independent == pytest.approx(base, rel=1e-9)
        assert standard == pytest.approx(base / math.sqrt(m), rel=3e-3)


def test_only_the_product_of_rate_and_decay_counts_late() -> None:
    one = theory.relative_updates(np.full(20_000, 0.01), 0.1, 0.05, beta1=0.9)
    other = theory.relative_updates(np.full(20_000, 0.04), 0.025, 0.05, beta1=0.9)
    assert one[-1] == pytest.approx(other[-1], rel=1e-6)
    assert one[-1] == pytest.approx(theory.equilibrium_relative_update(0.01, 0.1, 0.9), rel=6e-3)
    assert one[0] < other[0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.equilibrium_rms(0.1, 0.0), "times weight_decay 0.0 is 0; without decay"),
        (lambda: theory.equilibrium_relative_update(0.1, 0.1, 1.0), "beta1 is 1.0"),
        (lambda: theory.weight_rms([0.1, -0.1], 0.1, 1.0), "none negative"),
        (lambda: theory.weight_rms([0.1, math.nan], 0.1, 1.0), "finite numbers"),
        (lambda: theory.weight_rms([[0.1]], 0.1, 1.0), "a row of"),
        (lambda: theory.weight_rms([0.1], -0.1, 1.0), "weight_decay is -0.1"),
        (lambda: theory.weight_rms([20.0], 0.1, 1.0), "more than the whole weight"),
        (lambda: theory.weight_rms([0.1], 0.1, -1.0), "initial_rms is -1.0"),
        (lambda: theory.relative_updates([0.1], 0.1, 0.0), "initial_rms is 0"),
        (lambda: theory.implicit_warmup([0.1], 0.1, 8, 0.0), "initial_rms is 0"),
        (lambda: theory.implicit_warmup([0.1], 0.1, 0, 1.0), "width_multiplier is 0"),
        (lambda: theory.implicit_warmup_simplified([0.1], 0.1, -1), "width_multiplier is -1"),
        (lambda: theory.implicit_warmup_constant([1], 0.1, 0.1, 8, 0), "initial_over_equilibrium"),
        (lambda: theory.implicit_warmup_time(0.1, 0.1, math.inf), "width_multiplier is inf"),
    ],
)
def test_what_has_no_meaning_is_refused_by_name(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
