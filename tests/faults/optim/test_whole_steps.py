"""A step that fails, at whatever moment, did not happen."""

from __future__ import annotations

import copy
import signal
import time
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lrtransfer.optim.tuners.closure import NonFiniteLossError

from .whole import BASES, TUNERS, Trial


@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize("name", TUNERS)
@pytest.mark.parametrize("base", BASES)
def test_a_closure_that_raises_leaves_no_trace(base: str, name: str, call: int) -> None:
    trial, twin = Trial(name, base), Trial(name, base)
    calls = 0

    def closure() -> Tensor:
        nonlocal calls
        calls += 1
        loss = trial.loss()
        if calls == call:
            raise KeyboardInterrupt
        return loss

    before, random = trial.state(), torch.get_rng_state()
    try:
        trial.tuner.step(closure)
    except KeyboardInterrupt:
        assert trial.state() == before
    else:  # this tuner asks fewer times
        return
    trial.tuner.step(trial.loss)
    torch.set_rng_state(random)
    twin.tuner.step(twin.loss)
    assert trial.state() == twin.state()


@pytest.mark.parametrize("name", TUNERS)
def test_a_batch_of_nan_leaves_no_trace(name: str) -> None:
    trial = Trial(name)
    before = trial.state()
    trial.inputs = trial.inputs * torch.nan
    with pytest.raises(NonFiniteLossError):
        trial.tuner.step(trial.loss)
    assert trial.state() == before


def test_a_rate_that_cannot_be_chosen_leaves_no_trace() -> None:
    trial = Trial("cdat")
    trial.tuner._method = "forward"  # type: ignore[attr-defined]
    before = trial.state()
    with pytest.raises(ValueError, match="differentiates the model itself"):
        trial.tuner.step(trial.loss)
    assert trial.state() == before


def test_a_base_that_raises_in_mid_step_leaves_no_trace() -> None:
    trial = Trial("line_search", "adam")
    before = trial.state()

    def fail(optimizer: Any, args: Any, kwargs: Any) -> None:
        raise ValueError("after the step of the base")

    handle = trial.tuner.base.register_step_post_hook(fail)
    with pytest.raises(ValueError, match="after the step"):
        trial.tuner.step(trial.loss)
    assert trial.state() == before
    handle.remove()
    trial.tuner.step(trial.loss)
    assert trial.tuner.steps == 3


def test_a_second_interrupt_while_the_first_is_undone_is_undone_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trial = Trial("line_search", "adam")
    before = trial.state()
    copy, left = Tensor.copy_, [3]

    def interrupted(self: Tensor, *args: Any) -> Tensor:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return copy(self, *args)

    def closure() -> Tensor:
        trial.loss()
        monkeypatch.setattr(Tensor, "copy_", interrupted)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trial.tuner.step(closure)
    monkeypatch.undo()
    assert left[0] < 0
    assert trial.state() == before


def test_memory_that_the_base_keeps_is_written_back_in_place() -> None:
    trial = Trial("cdat", "adam")
    kept = trial.tuner.base.state[trial.model[0].weight]["exp_avg"]
    trial.inputs = trial.inputs * torch.nan
    with pytest.raises(NonFiniteLossError):
        trial.tuner.step(trial.loss)
    assert trial.tuner.base.state[trial.model[0].weight]["exp_avg"] is kept


def interrupted_steps(name: str, base: str, count: int, seed: int) -> tuple[int, int]:
    """Interrupt `count` steps at random times; return how many were cut and how many torn.

    A step is torn if its state is neither that before it nor that of a step in peace.
    """
    trial = Trial(name, base)
    generator = np.random.default_rng(seed)
    cut = torn = 0

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    handler = signal.signal(signal.SIGALRM, stop)
    try:
        begin = time.perf_counter()
        trial.tuner.step(trial.loss)
        length = time.perf_counter() - begin
        twin = Trial(name, base)
        for _ in range(count):
            random = torch.get_rng_state()
            twin.model.load_state_dict(trial.model.state_dict())
            twin.tuner.load_state_dict(copy.deepcopy(trial.tuner.state_dict()))
            before = trial.state()
            try:
                signal.setitimer(signal.ITIMER_REAL, generator.uniform(1e-6, 1.2 * length))
                trial.tuner.step(trial.loss)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                cut += 1
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            after = trial.state()
            if after != before:
                torch.set_rng_state(random)
                twin.tuner.step(twin.loss)
                torn += after != twin.state()
    finally:
        signal.signal(signal.SIGALRM, handler)
    return cut, torn


def test_an_interrupt_at_a_random_time_leaves_a_whole_step_or_none() -> None:
    cut, torn = interrupted_steps("line_search", "adam", 40, seed=0)
    assert cut > 0
    assert torn == 0


@pytest.mark.long
@pytest.mark.parametrize("name", TUNERS)
@pytest.mark.parametrize("base", BASES)
def test_no_interrupt_tears_a_step(name: str, base: str) -> None:
    cut, torn = interrupted_steps(name, base, 60, seed=1)
    print(f"{name}, {base}: {cut} interrupts, {torn} torn")
    assert torn == 0
