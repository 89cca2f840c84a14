"""What all tuners share: closures, state, schedules, groups, scaling, workers."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lrtransfer.optim.tuners.cdat import CDAT
from lrtransfer.optim.tuners.closure import NonFiniteLossError
from lrtransfer.optim.tuners.constant import Constant
from lrtransfer.optim.tuners.line_search import BacktrackingLineSearch
from lrtransfer.optim.tuners.tuner import Tuner
from lrtransfer.study.plan import catalog

from .own_base import Signed
from .problems import Dropout, Quadratic, adam, batch, flat, loss_of, momentum, network, sgd

# Tuners that evaluate the closure again.
SEARCHERS = ("line_search", "parabola_fit")


@pytest.mark.parametrize("name", catalog.names("optim/tuners"))
@pytest.mark.parametrize("base", [momentum, adam])
def test_a_resumed_run_is_bit_equal(name: str, base: Any) -> None:
    torch.manual_seed(0)
    model, data = Dropout(), batch(dtype=torch.float32)
    tuner = catalog.load("optim/tuners", name)(base(model.parameters()))
    for _ in range(3):
        tuner.step(loss_of(model, data))
    stored = io.BytesIO()
    torch.save((model.state_dict(), tuner.state_dict(), torch.get_rng_state()), stored)
    expected = [tuner.step(loss_of(model, data)).item() for _ in range(4)]

    stored.seek(0)
    weights, state, random = torch.load(stored, weights_only=True)
    other = Dropout()
    other.load_state_dict(weights)
    resumed = catalog.load("optim/tuners", name)(base(other.parameters()))
    resumed.load_state_dict(state)
    torch.set_rng_state(random)
    assert [resumed.step(loss_of(other, data)).item() for _ in range(4)] == expected
    assert torch.equal(flat(other), flat(model))
    assert resumed.learning_rate == tuner.learning_rate
    assert resumed.steps == 7


def test_state_of_something_else_is_refused() -> None:
    tuner = CDAT(sgd(network().parameters()))
    with pytest.raises(ValueError, match="not a tuner's"):
        tuner.load_state_dict(tuner.base.state_dict())
    constant = Constant(sgd(network().parameters()))
    with pytest.raises(ValueError, match="state_dict is of Constant; this is CDAT"):
        tuner.load_state_dict(constant.state_dict())


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_goes_on_alike(duplicate: Callable[[Any], Any]) -> None:
    model, data = network(), batch()
    tuner = CDAT(momentum(model.parameters()))
    tuner.step(loss_of(model, data))
    model_copy, tuner_copy = duplicate((model, tuner))
    tuner.step(loss_of(model, data))
    tuner_copy.step(loss_of(model_copy, data))
    assert torch.equal(flat(model_copy), flat(model))


@pytest.mark.parametrize("name", SEARCHERS)
def test_further_evaluations_leave_no_trace(name: str) -> None:
    torch.manual_seed(0)
    model, data = Dropout(), batch(dtype=torch.float32)
    twin = copy.deepcopy(model)
    tuner = catalog.load("optim/tuners", name)(sgd(model.parameters()))
    torch.manual_seed(3)
    calls = []

    def closure() -> Tensor:
        loss = loss_of(model, data)()
        calls.append((loss.item(), flat(model)))
        return loss

    tuner.step(closure)
    after = torch.rand(3)
    torch.manual_seed(3)
    loss_of(twin, data)()
    assert torch.equal(after, torch.rand(3))
    for one, other in zip(model.buffers(), twin.buffers(), strict=True):
        assert torch.equal(one, other)
    assert len(calls) >= 2
    # The same masks: the loss at a trial is that of a fresh model under the same seed.
    value, weights = calls[1]
    nn.utils.vector_to_parameters(weights, twin.parameters())
    torch.manual_seed(3)
    assert loss_of(twin, data)().item() == pytest.approx(value, rel=1e-6)


def test_either_a_closure_or_its_parts() -> None:
    model, data = network(), batch()
    tuner = CDAT(sgd(model.parameters()))
    with pytest.raises(ValueError, match="step needs a closure"):
        tuner.step()
    with pytest.raises(ValueError, match="either a closure, or"):
        tuner.step(loss_of(model, data), model=model)


@pytest.mark.parametrize("name", catalog.names("optim/tuners"))
def test_frozen_and_unused_parameters_stay(name: str) -> None:
    model, data = network(), batch()
    spare = nn.Parameter(torch.ones(3, dtype=torch.float64))
    model[0].bias.requires_grad_(False)
    frozen = model[0].bias.clone()
    base = torch.optim.SGD([*model.parameters(), spare], lr=1.0, momentum=0.9)
    tuner = catalog.load("optim/tuners", name)(base)
    for _ in range(3):
        tuner.step(loss_of(model, data))
    assert torch.equal(model[0].bias, frozen)  # type: ignore[arg-type]
    assert spare.tolist() == [1, 1, 1]
    assert spare.grad is None


def test_groups_move_at_their_relative_rates() -> None:
    problem = Quadratic([1.0, 4.0, 9.0])
    first, second = problem.parameters
    base = torch.optim.SGD([{"params": [first], "lr": 0.25}, {"params": [second], "lr": 2.0}])
    tuner = CDAT(base, sigma=1.0)
    w, g = problem.point, problem.gradient()
    u = -g * torch.tensor([0.25, 0.25, 2.0], dtype=torch.float64)
    rate = -(g @ u) / (u @ problem.hessian @ u)
    tuner.step(problem.loss)
    assert tuner.learning_rate == pytest.approx(rate.item(), rel=1e-12)
    torch.testing.assert_close(problem.point, w + rate * u, rtol=1e-12, atol=1e-13)
    assert [group["lr"] for group in base.param_groups] == [0.25, 2.0]


def test_relative_rates_of_a_parameterization_leave_the_global_rate() -> None:
    problem = Quadratic([1.0, 4.0, 9.0])
    other = Quadratic([1.0, 4.0, 9.0])
    groups = [{"params": problem.parameters, "lr": 3e-4, "relative_rate": 1.0}]
    told, plain = CDAT(torch.optim.SGD(groups)), CDAT(sgd(other.parameters))
    told.step(problem.loss)
    plain.step(other.loss)
    assert told.learning_rate == plain.learning_rate
    assert torch.equal(problem.point, other.point)


@pytest.mark.parametrize("attach", [lambda tuner: tuner, lambda tuner: tuner.base])
@pytest.mark.parametrize("name", ["cdat", "constant", "line_search"])
def test_a_schedule_multiplies_the_tuned_rate(name: str, attach: Any) -> None:
    problem, twin = Quadratic([1.0, 4.0, 9.0]), Quadratic([1.0, 4.0, 9.0])
    tuner, plain = (
        catalog.load("optim/tuners", name)(sgd(problem.parameters)),
        catalog.load("optim/tuners", name)(sgd(twin.parameters)),
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(attach(tuner), lambda step: (step + 1) / 4)
    start = problem.point
    tuner.step(problem.loss)
    schedule.step()
    plain.step(twin.loss)
    assert tuner.learning_rate == pytest.approx(plain.learning_rate / 4)  # type: ignore[operator]
    torch.testing.assert_close(problem.point - start, (twin.point - start) / 4)
    tuner.step(problem.loss)
    factor = tuner.learning_rate / tuner.memory["tuned_rate"]  # type: ignore[operator]
    assert factor == pytest.approx(0.5)


def test_a_schedule_at_zero_stands_still() -> None:
    problem = Quadratic([1.0, 4.0, 9.0])
    tuner = CDAT(sgd(problem.parameters))
    torch.optim.lr_scheduler.LambdaLR(tuner.base, lambda step: 0.0)
    before = problem.point
    tuner.step(problem.loss)
    assert torch.equal(problem.point, before)
    assert tuner.memory["tuned_rate"] > 0


def test_a_rate_is_kept_between_measurements() -> None:
    model, data = network(), batch()
    tuner = CDAT(sgd(model.parameters()), sigma=1.0, every=3)
    rates = []
    for _ in range(7):
        tuner.step(loss_of(model, data))
        rates.append(tuner.learning_rate)
    assert rates[0] == rates[1] == rates[2] != rates[3] == rates[4] == rates[5] != rates[6]


def test_a_group_added_later_is_tuned_too() -> None:
    model, data = network(), batch()
    tuner = CDAT(sgd(model[0].parameters()), sigma=1.0)
    tuner.step(loss_of(model, data))
    tuner.add_param_group({"params": list(model[2].parameters()), "lr": 2.0})
    before = model[2].weight.detach().clone()
    gradient = torch.autograd.grad(loss_of(model, data)(), next(model[2].parameters()))[0]
    tuner.step(loss_of(model, data))
    moved = before - 2 * tuner.learning_rate * gradient  # type: ignore[operator]
    torch.testing.assert_close(model[2].weight.detach(), moved)


@pytest.mark.parametrize("by", ["groups", "model"])
def test_gradients_are_left_in_grad_and_clipping_changes_the_direction_alone(by: str) -> None:
    problem = Quadratic([1.0, 4.0, 9.0])
    base = sgd(problem.parameters)
    g, w = problem.gradient(), problem.point

    def clip(optimizer: Any, args: Any, kwargs: Any) -> None:
        for group in optimizer.param_groups if by == "groups" else [{"params": problem.parameters}]:
            nn.utils.clip_grad_value_(group["params"], 0.1)

    base.register_step_pre_hook(clip)
    tuner = CDAT(base, sigma=1.0)
    u = -g.clamp(-0.1, 0.1)
    rate = -(g @ u) / (u @ problem.hessian @ u)
    tuner.step(problem.loss)
    torch.testing.assert_close(problem.point, w + rate * u, rtol=1e-12, atol=1e-13)
    left = torch.cat([p.grad for p in problem.parameters])  # type: ignore[misc]
    torch.testing.assert_close(left, g)


def test_an_unknown_base_acts_on_the_weights_themselves() -> None:
    problem = Quadratic([1.0, 4.0, 9.0])
    w, g = problem.point, problem.gradient()
    lengths = torch.stack([w[:2].norm(), w[:2].norm(), w[2:].norm()])
    u = -g.sign() * lengths
    tuner = CDAT(Signed(problem.parameters), sigma=1.0)
    rate = -(g @ u) / (u @ problem.hessian @ u)
    tuner.step(problem.loss)
    torch.testing.assert_close(problem.point, w + rate * u, rtol=1e-12, atol=1e-13)


def test_a_small_step_keeps_its_digits_in_float32() -> None:
    weight = nn.Parameter(torch.tensor([1e4]))
    tuner = CDAT(sgd([weight]), sigma=1.0)
    tuner.step(lambda: (1e-6 * weight + 0.5 * weight**2 * 1e-9).sum())
    # n = g² and d = g²·1e-9, though w − g is w in float32.
    assert tuner.learning_rate == pytest.approx(1e9, rel=1e-4)


def test_loss_scaling_changes_nothing_and_an_overflow_skips_the_step() -> None:
    plain, scaled, data = network(), network(), batch()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    one = CDAT(momentum(plain.parameters()))
    two = CDAT(momentum(scaled.parameters()), scaler=scaler)
    for _ in range(3):
        one.step(loss_of(plain, data))
        two.step(loss_of(scaled, data))
        scaler.update()
    assert torch.equal(flat(plain), flat(scaled))
    before, scale = flat(scaled), scaler.get_scale()
    weight = next(scaled.parameters())
    two.step(lambda: loss_of(scaled, data)() + weight.sub(weight).sqrt().sum())
    scaler.update()
    assert torch.equal(flat(scaled), before)
    assert scaler.get_scale() == scale / 2
    assert two.steps == 3


def test_a_disabled_scaler_hides_no_overflow() -> None:
    weight = nn.Parameter(torch.zeros(2, dtype=torch.float64))
    tuner = CDAT(sgd([weight]), scaler=torch.amp.GradScaler("cpu", enabled=False))
    with pytest.raises(NonFiniteLossError, match="gradient"):
        tuner.step(lambda: weight.abs().sqrt().sum())


@pytest.mark.parametrize("name", ["cdat", "line_search", "sharpness_rule"])
def test_workers_with_parts_of_a_batch_step_as_one_with_all_of_it(name: str) -> None:
    inputs, targets = batch()
    whole, parts = network(), [network(), network()]
    alone = catalog.load("optim/tuners", name)(sgd(whole.parameters()))
    workers = Lockstep(2)
    tuners: list[Tuner] = [
        catalog.load("optim/tuners", name)(sgd(part.parameters()), reduce=workers.mean_of(index))
        for index, part in enumerate(parts)
    ]
    halves = [(inputs[:8], targets[:8]), (inputs[8:], targets[8:])]
    for _ in range(3):
        alone.step(loss_of(whole, (inputs, targets)))
        workers.run(
            [
                lambda t=tuner, m=part, d=half: t.step(loss_of(m, d))  # type: ignore[misc]
                for tuner, part, half in zip(tuners, parts, halves, strict=True)
            ]
        )
        assert tuners[0].learning_rate == tuners[1].learning_rate
        assert tuners[0].learning_rate == pytest.approx(alone.learning_rate, rel=1e-9)
    assert torch.equal(flat(parts[0]), flat(parts[1]))
    torch.testing.assert_close(flat(parts[0]), flat(whole), rtol=1e-9, atol=1e-12)


class Lockstep:
    """Workers as threads that meet at every reduction."""

    def __init__(self, count: int) -> None:
        import threading

        self._barrier = threading.Barrier(count, timeout=60)
        self._slots: list[Tensor | None] = [None] * count

    def mean_of(self, index: int) -> Callable[[Tensor], Tensor]:
        def mean(tensor: Tensor) -> Tensor:
            self._slots[index] = tensor.detach().clone()
            self._barrier.wait()
            found = torch.stack([slot for slot in self._slots if slot is not None]).mean(0)
            self._barrier.wait()
            return found

        return mean

    def run(self, jobs: list[Callable[[], Any]]) -> None:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(len(jobs)) as pool:
            for future in [pool.submit(job) for job in jobs]:
                future.result()


def test_a_search_stops_alike_on_all_workers() -> None:
    # One worker alone would accept what the mean refuses.
    weights = [nn.Parameter(torch.ones(1, dtype=torch.float64)) for _ in range(2)]
    workers = Lockstep(2)
    tuners = [
        BacktrackingLineSearch(sgd([w]), reduce=workers.mean_of(i), decrease=0.5)
        for i, w in enumerate(weights)
    ]
    curvatures = (0.1, 20.0)
    workers.run(
        [
            lambda t=t, w=w, c=c: t.step(lambda: 0.5 * c * w.square().sum())  # type: ignore[misc]
            for t, w, c in zip(tuners, weights, curvatures, strict=True)
        ]
    )
    assert tuners[0].learning_rate == tuners[1].learning_rate == 0.125
