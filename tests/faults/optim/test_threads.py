"""Tuners in several threads: each as if alone, or refused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.backends import cuda
from torch.nn.modules import module as modules

from lrtransfer.optim.tuners.cdat import CDAT

from .whole import Trial


def together(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    start = threading.Barrier(len(jobs), timeout=30)

    def run(job: Callable[[], Any]) -> Any:
        start.wait()
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return [future.result() for future in [pool.submit(run, job) for job in jobs]]


def quiet(name: str) -> Trial:
    trial = Trial(name)
    trial.model[3].__dict__.update(p=0.0)  # random draws belong to the process
    return trial


@pytest.mark.parametrize("name", ["cdat", "line_search"])
def test_two_models_in_two_threads_train_as_each_alone(name: str) -> None:
    trials, alone = [quiet(name), quiet(name)], quiet(name)
    together([lambda t=t: [t.tuner.step(t.loss) for _ in range(15)] for t in trials])  # type: ignore[misc]
    for _ in range(15):
        alone.tuner.step(alone.loss)
    random = 9
    for trial in trials:
        found, wanted = trial.state(), alone.state()
        assert found[:random] == wanted[:random]
    assert cuda.flash_sdp_enabled()
    assert not modules._global_forward_pre_hooks


def test_one_model_in_two_threads_is_refused_by_name() -> None:
    trial = quiet("cdat")
    other = CDAT(torch.optim.SGD(trial.model.parameters(), lr=1.0))
    inside, done = threading.Event(), threading.Event()

    def slow() -> Tensor:
        inside.set()
        assert done.wait(30)
        return trial.loss()

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(trial.tuner.step, slow)
        assert inside.wait(30)
        before = trial.state()
        with pytest.raises(RuntimeError, match="another thread is in a step of the same param"):
            other.step(trial.loss)
        assert trial.state()[0] == before[0]
        done.set()
        first.result()
    other.step(trial.loss)
    assert (trial.tuner.steps, other.steps) == (3, 1)


def test_modules_of_another_thread_are_not_taken_for_the_closure_s() -> None:
    trial, stranger = quiet("line_search"), quiet("cdat").model
    calls = []

    def closure() -> Tensor:
        # Buffers that another thread moves meanwhile are none of this step's to put back.
        thread = threading.Thread(target=stranger, args=(trial.inputs,))
        thread.start()
        thread.join()
        calls.append(stranger[1].num_batches_tracked.item())
        return trial.loss()

    trial.tuner.step(closure)
    assert stranger[1].num_batches_tracked.item() == calls[-1] == calls[0] + len(calls) - 1
