"""What a study will cost: operations counted exactly, time estimated on this machine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from lrtransfer.study.plan import Plan, Run, catalog
from lrtransfer.study.training.network import block_size
from lrtransfer.study.workflow.blank_network import blank_network

# Lanczos products, and what each costs in gradient evaluations (`make bench TARGETS=curvature`).
_PRODUCTS_PER_MEASUREMENT = 16
_GRADIENTS_PER_PRODUCT = 2.0
# Probes without curvature, in gradient evaluations on the measured samples.
_GRADIENTS_PER_MEASUREMENT = {"alignment": 2.5, "norms": 1.0, "subset_loss": 0.4}
_PRODUCTS_PER_SPECTRUM_TOP = 5
_JOB_SECONDS = 4.0


@dataclass(frozen=True)
class Machine:
    """How fast this machine is: seconds per small operation, FLOP per second in large ones."""

    seconds_per_call: float
    flops_per_second: float


def calibrate() -> Machine:
    """Measure this machine for about half a second, on one thread."""
    torch.set_num_threads(1)
    small, large = torch.randn(8, 8), torch.randn(512, 512)
    return Machine(
        seconds_per_call=_seconds(lambda: small @ small),
        flops_per_second=2 * 512**3 / _seconds(lambda: large @ large),
    )


def run_seconds(run: Run, sizes: tuple[int, int], machine: Machine) -> float:
    """Return the estimated time of one run, in seconds of one core.

    Args:
        run: The run.
        sizes: Numbers per sample, and number of outputs.
        machine: From :func:`calibrate`.
    """
    config = run.config
    flops, calls = _gradient(config, sizes)

    def gradient(samples: int) -> float:
        return samples * flops / machine.flops_per_second + calls * machine.seconds_per_call

    tuner = config.get("tuner")
    price = catalog.constant("optim/tuners", tuner["name"], "PRICE") if tuner else 1.0
    seconds = config["steps"] * price * gradient(config["batch_size"])
    measure = config["measure"]
    if measure and "share" in measure:
        seconds *= 1 + measure["share"]
    elif measure:
        cheap = [_GRADIENTS_PER_MEASUREMENT.get(probe) for probe in measure["probes"]]
        known = [gradients for gradients in cheap if gradients is not None]
        gradients = sum(known)
        if len(known) < len(cheap):
            gradients = _PRODUCTS_PER_MEASUREMENT * _GRADIENTS_PER_PRODUCT
        seconds += len(measure["steps"]) * gradients * gradient(measure["samples"])
    return float(seconds)


def spectra_seconds(plan: Plan, sizes: dict[str, tuple[int, int]], machine: Machine) -> float:
    """Return the estimated time of all spectra, in seconds of one core."""
    total = 0.0
    for spectrum in plan.spectra:
        config = spectrum.config
        data = spectrum.run.config["data"]
        flops, calls = _gradient(spectrum.run.config, sizes[data])
        products = 2 * _PRODUCTS_PER_SPECTRUM_TOP * config["top"]
        products += config["density"]["probes"] * config["density"]["steps"]
        gradient = config["samples"] * flops / machine.flops_per_second
        gradient += calls * machine.seconds_per_call
        total += products * _GRADIENTS_PER_PRODUCT * gradient
    return total


_COUNTED: dict[str, tuple[float, float]] = {}


def _gradient(config: dict[str, Any], sizes: tuple[int, int]) -> tuple[float, float]:
    """Return FLOP per sample of one gradient, and its cost in small operations."""
    name = repr((sorted(config["model"].items(), key=str), sizes))
    if name not in _COUNTED:
        network, block = blank_network(config, sizes), block_size(config)
        with torch.device("meta"):
            sample = torch.randn(1, sizes[0]) if block is None else torch.zeros(1, block).long()
        with FlopCounterMode(display=False) as counter:
            network(sample).sum().backward()
        layers = sum(1 for _ in network.parameters())
        _COUNTED[name] = (float(counter.get_total_flops()), 60.0 + 60.0 * layers)
    return _COUNTED[name]


def _seconds(work: Any) -> float:
    work()
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < 0.2:
        work()
        count += 1
    return (time.perf_counter() - began) / count


def job_seconds(jobs: int) -> float:
    """Return what starting Python and torch costs over all jobs."""
    return jobs * _JOB_SECONDS
