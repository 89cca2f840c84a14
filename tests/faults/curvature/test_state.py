"""Model, gradients, flags and the process's state stay whole: errors, interrupts, threads."""

import copy
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lrtransfer.curvature import (
    GaussNewtonOperator,
    NTKOperator,
    critical_sharpness,
    dense,
    directional_sharpness,
    eigenvalues,
    sharpness,
    surroundings,
    trace,
)

X, Y = torch.randn(8, 4), torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])


def network(dropout: float = 0.3) -> Any:
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(5).eval()
    return nn.Sequential(nn.Linear(4, 5), norm, nn.Tanh(), nn.Dropout(dropout), nn.Linear(5, 3))


def state(model: nn.Module) -> list[Any]:
    backends: Any = torch.backends.cuda
    tensors = [*model.parameters(), *model.buffers(), *(p.grad for p in model.parameters())]
    return [
        [None if t is None else (id(t), t.detach().clone()) for t in tensors],
        [m.training for m in model.modules()],
        [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()],
        torch.is_grad_enabled(),
        backends.flash_sdp_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.is_inference_mode_enabled(),
    ]


def check(model: nn.Module, before: list[Any], random_state: Tensor) -> None:
    torch.testing.assert_close(state(model), before, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), random_state)


MEASURES: dict[str, Callable[[nn.Module, Callable[..., Tensor]], object]] = {
    "sharpness": lambda m, loss: sharpness(m, loss, (X, Y)),
    "chunks": lambda m, loss: sharpness(m, loss, [(X[:4], Y[:4]), (X[4:], Y[4:])]),
    "ggn": lambda m, loss: eigenvalues(GaussNewtonOperator(m, loss, (X, Y))),
    "directional": lambda m, loss: directional_sharpness(m, loss, (X, Y)),
    "critical": lambda m, loss: critical_sharpness(m, loss, (X, Y), torch.ones(53)),
    "trace": lambda m, loss: trace(GaussNewtonOperator(m, loss, (X, Y))),
    "ntk": lambda m, loss: dense(NTKOperator(m, [X[:4], X[4:]])),
}


def interrupted_at(call: int, work: Callable[[], object]) -> bool:
    """Whether `work`, interrupted as that call of a function begins, did not end.

    Calls of `__exit__` are not counted: no `with` is proof against those.
    """
    left = call

    def trace(frame: FrameType, event: str, _: Any) -> None:
        nonlocal left
        if frame.f_code.co_name != "__exit__":
            left -= 1
        if left == 0:
            raise KeyboardInterrupt

    sys.settrace(trace)
    try:
        work()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)
    return False


@pytest.mark.parametrize("measure", MEASURES)
def test_an_interrupt_at_any_call_leaves_everything_as_it_was(measure: str) -> None:
    model = network()
    model.train()(X).sum().backward()
    before, random_state = state(model), torch.get_rng_state()
    for call in range(1, 180, 8):
        assert interrupted_at(call, lambda: MEASURES[measure](model, F.cross_entropy))
        check(model, before, random_state)
    assert surroundings.LOCK.acquire(blocking=False)
    surroundings.LOCK.release()


@pytest.mark.parametrize("retain", [True, False])
def test_backward_inside_the_loss_leaves_no_gradients(retain: bool) -> None:
    model = network(dropout=0.0)
    model(X).sum().backward()
    before, random_state = state(model), torch.get_rng_state()

    def loss_fn(outputs: Tensor, targets: Tensor) -> Any:
        loss: Any = F.cross_entropy(outputs, targets)
        loss.backward(retain_graph=retain)
        return loss

    if retain:
        expected = sharpness(model, F.cross_entropy, (X, Y)).value
        assert sharpness(model, loss_fn, (X, Y)).value == expected
    else:
        with pytest.raises(ValueError, match=r"do not call backward\(\)"):
            sharpness(model, loss_fn, (X, Y))
    check(model, before, random_state)


def test_a_data_loader_as_the_batch_keeps_the_random_state() -> None:
    model = network(dropout=0.0)
    loader = DataLoader(TensorDataset(X, Y), batch_size=4, shuffle=True)
    random_state = torch.get_rng_state()
    sharpness(model, F.cross_entropy, loader)
    assert torch.equal(torch.get_rng_state(), random_state)


def in_threads(*work: Callable[[], Any]) -> list[Any]:
    found: list[Any] = [None] * len(work)

    def run(place: int) -> None:
        found[place] = work[place]()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_threads_that_measure_get_what_one_thread_gets() -> None:
    model = network(dropout=0.0).train()
    models = [model, model, copy.deepcopy(model)]
    expected = sharpness(model, F.cross_entropy, (X, Y)).value
    before, random_state = state(model), torch.get_rng_state()

    def measure(model: nn.Module) -> Callable[[], list[float]]:
        return lambda: [sharpness(model, F.cross_entropy, (X, Y)).value for _ in range(2)]

    assert in_threads(*map(measure, models)) == [[expected] * 2] * 3
    check(model, before, random_state)


def test_a_thread_that_draws_beside_a_measurement_draws_each_number_once() -> None:
    model, done = network(dropout=0.0), threading.Event()

    def measure() -> None:
        for _ in range(10):
            sharpness(model, F.cross_entropy, (X, Y))
        done.set()

    def draw() -> list[float]:
        drawn = []
        while not done.is_set():
            drawn.append(torch.rand((), dtype=torch.float64).item())
            time.sleep(1e-5)
        return drawn

    _, drawn = in_threads(measure, draw)
    assert len(set(drawn)) == len(drawn) > 10
