"""A training job of several processes: the command becomes torchrun, which starts it in each."""

from __future__ import annotations

import logging
import os
import sys
from argparse import Namespace

from lrtransfer.study.plan.expand import Run
from lrtransfer.study.storage.paths import Layout


def train_together(options: Namespace, processes: int) -> None:
    """Run `lrtransfer stage train` with these options in so many processes of this machine.

    As `torchrun --standalone --nproc-per-node PROCESSES -m lrtransfer stage train …` does, which
    may be typed too, but without torchrun's own report of a failure that a process has told.

    Args:
        options: Of the command; its threads are shared out.
        processes: How many.

    Raises:
        SystemExit: A process failed and said why, or this one was asked to stop.
        RuntimeError: All were killed.
    """
    from torch.distributed import run as torchrun
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    threads = str(max(1, options.threads // processes))
    os.environ.setdefault("OMP_NUM_THREADS", threads)
    logging.disable(logging.ERROR)
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    command = ["-m", "lrtransfer", "stage", "train", "--threads", threads]
    for name in ("scale", "experiments"):
        if getattr(options, name) is not None:
            command += [f"--{name}", getattr(options, name)]
    place = ["--standalone", "--local-addr=localhost", f"--nproc-per-node={processes}"]
    sys.stdout.flush()
    try:
        arguments = torchrun.parse_args([*place, *command, *options.files])  # type: ignore[no-untyped-call]
        torchrun.run(arguments)  # type: ignore[no-untyped-call]
    except ChildFailedError as error:
        failures = list(error.failures.values())
        if any(failure.exitcode > 0 for failure in failures):
            raise SystemExit(1) from None
        signals = ", ".join(failure.signal_name() for failure in failures)
        raise RuntimeError(f"the {processes} training processes were ended by {signals}") from None
    except SignalException:
        raise SystemExit(1) from None


def started_by_torchrun() -> bool:
    """Return whether this process is one of several that train together."""
    from torch.distributed import is_torchelastic_launched

    return bool(is_torchelastic_launched())


def train_part(runs: list[Run], layout: Layout, device: str, threads: int) -> None:
    """Train runs together with the other processes that torchrun started.

    Args:
        runs: The same in every process.
        layout: Where their files lie.
        device: `device` of params.yaml.
        threads: Of this process.
    """
    import torch

    from lrtransfer.study.training.distributed.processes import joined
    from lrtransfer.study.training.sweep import Job, train_runs

    torch.set_num_threads(threads)
    with joined(device) as replicas:
        count = train_runs(runs, Job(layout, replicas.device, replicas=replicas))
    if replicas.leads:
        print(
            f"trained {count} of {len(runs)} runs by {replicas.count} processes each; the others "
            "were finished",
            file=sys.stderr,
        )
