"""The processes that torchrun started: how they meet, agree, fail and part."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from lrtransfer.study.data import Arrays
from lrtransfer.study.training.device import choose_device
from lrtransfer.study.training.distributed.replicated_run import ReplicatedRun

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

    from lrtransfer.study.plan.run_config import RunConfig

T = TypeVar("T")

# A process may wait long for what another one does alone. One that ended is noticed at once, by
# the broken connection or by torchrun.
_PATIENCE = timedelta(days=1)
_REPORTS = "lrtransfer/reports"


@dataclass(frozen=True)
class ProcessReplicas:
    """One of the processes that train a run together; see `Replicas` and `Sharing`.

    Attributes:
        rank: This process's number, from 0; that one leads.
        count: How many processes there are.
        device: Where this process computes.
        group: All of them, for tensors on their devices.
        control: All of them, for what they say to each other from the CPU.
    """

    rank: int
    count: int
    device: torch.device
    group: dist.ProcessGroup
    control: dist.ProcessGroup

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def broadcast(self, answer: Callable[[], T]) -> T:
        """Return the leading process's answer in all of them; the others wait for it."""
        answers: list[Any] = [answer() if self.leads else None]
        dist.broadcast_object_list(answers, src=0, group=self.control)
        found: T = answers[0]
        return found

    def barrier(self) -> None:
        """Wait until all processes are here."""
        dist.barrier(group=self.control)

    def any_raised(self, flag: bool) -> bool:
        """Return in all processes whether one of them raised the flag."""
        flags = torch.tensor(int(flag))
        dist.all_reduce(flags, op=dist.ReduceOp.MAX, group=self.control)
        return bool(flags)

    def part(self, samples: int) -> slice:
        """Return this process's share of so many samples: contiguous, equal to within one."""
        return slice(samples * self.rank // self.count, samples * (self.rank + 1) // self.count)

    def total(self, value: Tensor) -> Tensor:
        """Return the sum of the processes' values, equal in all of them."""
        summed = value.detach().clone()
        dist.all_reduce(summed, group=self.group)
        return summed

    def training_run(
        self, config: RunConfig, arrays: Arrays, device: torch.device
    ) -> ReplicatedRun:
        """Return this process's part of a run."""
        return ReplicatedRun(config, arrays, device, self)


@contextmanager
def joined(wanted: str) -> Iterator[ProcessReplicas]:
    """Meet the other processes that torchrun started, and part from them after the block.

    An error in one of them ends all: the first process to fail raises its error, and the others,
    which fail for want of it, exit without a word.

    Args:
        wanted: `device` of params.yaml. With `cuda` process k computes on GPU k, by NCCL;
            with `cpu` they talk by gloo.

    Raises:
        ValueError: One GPU is asked for by number, or there are fewer GPUs than processes.
        RuntimeError: Another process was killed.
        SystemExit: Another process has reported an error.
    """
    store, rank, count = next(iter(rendezvous("env://")))
    try:
        device = own_device(wanted, int(os.environ["LOCAL_RANK"]), count)
        yield _meet(store, rank, count, device)
        dist.destroy_process_group()
    except Exception as error:
        if not _first_to_report(store, rank):
            raise SystemExit(1) from None
        if _of_the_connection(error):
            raise RuntimeError(
                "another process that trains this run ended without a word; was it killed for "
                "want of memory?"
            ) from error
        raise


def own_device(wanted: str, rank: int, count: int) -> torch.device:
    """Return the device of process `rank` of `count` on this machine.

    Raises:
        ValueError: One GPU is asked for by number, or there are fewer GPUs than processes.
        RuntimeError: A GPU is asked for and there is none.
    """
    device = choose_device(wanted)
    if device.type != "cuda":
        return device
    if device.index is not None:
        raise ValueError(
            f"device is {wanted!r}, one GPU, but resources.processes_per_run is {count}. Give "
            "device: cuda, or processes_per_run: 1."
        )
    if count > torch.cuda.device_count():
        raise ValueError(
            f"resources.processes_per_run is {count}, but the job sees "
            f"{torch.cuda.device_count()} GPUs. Lower it, or raise resources.train.gpu."
        )
    return torch.device("cuda", rank)


def _meet(store: Store, rank: int, count: int, device: torch.device) -> ProcessReplicas:
    backend = "gloo"
    if device.type == "cuda":
        backend = "nccl"
        torch.cuda.set_device(device)
    dist.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=_PATIENCE)
    world = dist.group.WORLD
    assert world is not None  # noqa: S101 - it was just made
    control = world if backend == "gloo" else dist.new_group(backend="gloo", timeout=_PATIENCE)
    return ProcessReplicas(rank, count, device, world, control)


def _first_to_report(store: Store, rank: int) -> bool:
    try:
        return bool(store.add(_REPORTS, 1) == 1)
    except RuntimeError:
        # torchrun, which keeps the store, is gone.
        return rank == 0


def _of_the_connection(error: Exception) -> bool:
    return isinstance(error, dist.DistError) or "gloo" in str(error)
