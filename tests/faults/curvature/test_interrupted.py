"""Ctrl-C at a random time of a measurement leaves no trace of it."""

import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lrtransfer.curvature import (
    GaussNewtonOperator,
    HessianOperator,
    NTKOperator,
    batch_sharpness,
    critical_sharpness,
    dense,
    directional_sharpness,
    eigenvalues,
    sharpness,
    spectral_density,
    surroundings,
    trace,
)

torch.manual_seed(1)
X, Y = torch.randn(8, 3, 4), torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
CHUNKS = [(X[:4], Y[:4]), (X[4:], Y[4:])]


Alarm = Callable[[float], object]


class Network(nn.Module):
    """Attention, BatchNorm in train mode, dropout, a frozen tensor, a hook and a gradient."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.norm, self.dropout = nn.BatchNorm1d(4), nn.Dropout(0.2)
        self.head = nn.Linear(4, 3)
        self.attention.in_proj_bias.requires_grad = False
        self.dropout.eval()
        self.head.register_forward_hook(lambda module, args, output: 2 * output)
        F.cross_entropy(self(X), Y).backward()

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.attention(x, x, x, need_weights=False)[0].mean(1)
        logits: Tensor = self.head(self.dropout(self.norm(mixed)))
        return logits


def state(model: nn.Module) -> list[Any]:
    """Return, in comparable form, all that a measurement could leave otherwise."""
    tensors = [*model.named_parameters(), *model.named_buffers()]
    gradients = [(name, p.grad) for name, p in model.named_parameters() if p.grad is not None]
    backends: Any = torch.backends.cuda
    return [
        [(name, id(t), t.requires_grad, t.detach().numpy().tobytes()) for name, t in tensors],
        [(name, id(g), g.numpy().tobytes()) for name, g in gradients],
        [(m.training, [*m._parameters], [*m._buffers]) for m in model.modules()],
        [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()],
        [p._backward_hooks for p in model.parameters()],
        torch.get_rng_state().numpy().tobytes(),
        [torch.is_grad_enabled(), torch.is_inference_mode_enabled()],
        [torch.is_autocast_enabled("cpu"), torch._C._functorch.peek_interpreter_stack()],
        [torch._C._len_torch_function_stack(), torch._C._len_torch_dispatch_stack()],
        [backends.flash_sdp_enabled(), backends.mem_efficient_sdp_enabled()],
        [backends.math_sdp_enabled(), backends.cudnn_sdp_enabled()],
    ]


def shuffled() -> DataLoader[Any]:
    return DataLoader(TensorDataset(X, Y), batch_size=4, shuffle=True)


MEASURES: dict[str, Callable[[nn.Module], object]] = {
    "sharpness": lambda m: sharpness(m, F.cross_entropy, (X, Y)),
    "sharpness of chunks": lambda m: sharpness(m, F.cross_entropy, CHUNKS),
    "eigenvalues": lambda m: eigenvalues(GaussNewtonOperator(m, F.cross_entropy, (X, Y)), k=2),
    "density": lambda m: spectral_density(
        HessianOperator(m, F.cross_entropy, (X, Y)), probes=1, steps=8
    ),
    "trace": lambda m: trace(HessianOperator(m, F.cross_entropy, (X, Y)), max_products=16),
    "batch_sharpness": lambda m: batch_sharpness(m, F.cross_entropy, shuffled()),
    "ntk": lambda m: dense(NTKOperator(m, [X[:4], X[4:]])),
    "critical": lambda m: critical_sharpness(
        m, F.cross_entropy, (X, Y), {n: p for n, p in m.named_parameters() if p.requires_grad}
    ),
    "directional": lambda m: directional_sharpness(m, F.cross_entropy, CHUNKS),
}


@pytest.fixture
def alarm() -> Iterator[Alarm]:
    """Ask for a KeyboardInterrupt after so many seconds; 0 takes it back."""

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    handler = signal.signal(signal.SIGALRM, stop)
    yield partial(signal.setitimer, signal.ITIMER_REAL)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, handler)


def interrupts(name: str, count: int, seed: int, alarm: Alarm) -> tuple[int, int]:
    """Interrupt a measurement `count` times; return how often it was cut and how often it left
    something changed.
    """
    model, measure = Network(), MEASURES[name]
    generator = np.random.default_rng(seed)
    measure(model)
    begin = time.perf_counter()
    measure(model)
    length = time.perf_counter() - begin
    cut = torn = 0
    for _ in range(count):
        before = state(model)
        try:
            try:
                alarm(generator.uniform(1e-6, length))
                measure(model)
            finally:
                alarm(0)
        except KeyboardInterrupt:
            cut += 1
        after = state(model)
        if after != before:
            torn += 1
            pairs = enumerate(zip(after, before, strict=True))
            print(name, [place for place, (a, b) in pairs if a != b])
            torch.set_grad_enabled(True)
            model = Network()
    assert surroundings.LOCK.acquire(blocking=False)
    surroundings.LOCK.release()
    return cut, torn


@pytest.mark.parametrize("name", MEASURES)
def test_a_measurement_in_peace_leaves_no_trace(name: str) -> None:
    model = Network()
    before = state(model)
    MEASURES[name](model)
    assert state(model) == before


@pytest.mark.parametrize("name", MEASURES)
def test_an_interrupt_at_a_random_time_leaves_no_trace(name: str, alarm: Alarm) -> None:
    cut, torn = interrupts(name, 12, 0, alarm)
    assert cut >= 4
    assert torn == 0


@pytest.mark.long
@pytest.mark.parametrize("name", MEASURES)
def test_no_interrupt_leaves_a_trace(name: str, alarm: Alarm) -> None:
    cut, torn = interrupts(name, 200, 1, alarm)
    print(f"{name}: {cut} interrupts, {torn} with a trace")
    assert torn == 0


def test_an_interrupt_while_a_change_is_taken_back_leaves_it_taken_back() -> None:
    calls: list[str] = []

    def put_back() -> None:
        calls.append("begun")
        if len(calls) == 1:
            raise KeyboardInterrupt
        calls.append("done")

    with pytest.raises(KeyboardInterrupt):
        surroundings.Undone(lambda: None, put_back).around(lambda: 1)
    assert calls == ["begun", "begun", "done"]
