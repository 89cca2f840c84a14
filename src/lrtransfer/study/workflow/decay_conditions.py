"""Whether a study's runs can show what weight decay does, told before they are trained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lrtransfer.optim import schedule
from lrtransfer.scaling.apply import scale_tensors
from lrtransfer.scaling.rules import Constants
from lrtransfer.study.plan import Plan, Run
from lrtransfer.study.storage import paths
from lrtransfer.study.training.network import block_size
from lrtransfer.study.training.width_rule import ruled
from lrtransfer.study.workflow.blank_network import blank_network
from lrtransfer.theory.steady_state import judge


def condition_lines(plan: Plan, sizes: dict[str, tuple[int, int]]) -> Iterator[str]:
    """Yield a line on the conditions of an experiment with weight-decay rules, then its warnings.

    Judged is, of the first arm that has a rule, the widest net at the measured learning rate (the
    first one where nothing is measured).

    Args:
        plan: The part of one experiment.
        sizes: Data set -> numbers per sample, and number of outputs.
    """
    ruled_runs = [run for run in plan.runs if "decay" in run.config]
    if not ruled_runs:
        return
    arm = ruled_runs[0].arm
    of_arm = [run for run in ruled_runs if run.arm == arm]
    chosen = [run for run in of_arm if run.measured] or of_arm
    narrow, wide = (pick(chosen, key=lambda run: run.width) for pick in (min, max))
    samples, fan_in = _regime(wide.config, sizes[wide.config["data"]])
    rates, decay = _hidden(narrow, sizes[narrow.config["data"]])
    judgement = judge(
        samples=samples,
        fan_in=fan_in,
        learning_rates=rates,
        weight_decay=decay,
        width_multiplier=max(1.0, wide.width / narrow.width),
    )
    yield (
        f"  weight decay: {judgement.samples_per_input:.3g} samples per input of the widest net, "
        f"learning rates times decay sum to {judgement.total_decay:.3g}{_passes(wide.config)}"
    )
    for warning in judgement.warnings:
        yield f"  note: {warning}"


def _hidden(run: Run, sizes: tuple[int, int]) -> tuple[np.ndarray[Any, Any], float]:
    """Return every update's learning rate of a hidden weight, and its λ."""
    config = run.config
    model, parameterization = blank_network(config, sizes), config["parameterization"]
    roles = model.roles()  # type: ignore[operator]
    size = {"width": run.width, "depth": run.depth}
    constants = Constants(**parameterization["constants"])
    table = dict(scale_tensors(model, roles, parameterization["rules"], constants, **size))
    numbers = ruled(config, model, roles, table)
    own = next(n for name, n in numbers.items() if roles.tensors[name] == "hidden")
    spec, steps = config["schedule"], config["steps"]
    shape = [schedule(spec["name"])(t, steps, **spec["options"]) for t in range(steps)]
    rates = np.array(shape) * run.learning_rate * own.learning_rate
    return rates, own.weight_decay * config["optimizer"]["options"]["weight_decay"]


def _regime(config: dict[str, Any], sizes: tuple[int, int]) -> tuple[int, int]:
    """Return B and C of the hidden layer with the fewest samples per input."""
    model, block = blank_network(config, sizes), block_size(config)
    roles = model.roles()  # type: ignore[operator]
    seen: dict[str, tuple[int, int]] = {}

    def note(name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        weight = module.get_parameter("weight")
        per_sample = output.numel() // weight.shape[0]
        seen[name] = (per_sample * config["batch_size"], weight[0].numel())

    for name, module in model.named_modules():
        if (
            isinstance(module, nn.Linear | nn.Conv2d)
            and roles.tensors[f"{name}.weight"] == "hidden"
        ):
            module.register_forward_hook(partial(note, name))
    with torch.device("meta"):
        model(torch.randn(1, sizes[0]) if block is None else torch.zeros(1, block).long())
    return min(seen.values(), key=lambda found: found[0] / found[1])


def _passes(config: dict[str, Any]) -> str:
    """Say how often a run sees its data, where those are prepared."""
    try:
        manifest = json.loads(paths.manifest(config["data"]).read_text(encoding="utf-8"))
        arrays = manifest["arrays"]
        block = block_size(config)
        if block is None:
            samples = arrays["train_inputs"]["shape"][0]
        else:
            samples = (arrays["train_tokens"]["shape"][0] - 1) // block
    except (OSError, ValueError, KeyError):
        return ""
    return f", {config['steps'] * config['batch_size'] / samples:.3g} passes over the data"
