"""What only torch can judge of a study, judged before any job starts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from lrtransfer.optim import optimizer, schedule, tuners
from lrtransfer.scaling.apply import scale_modules, scale_tensors
from lrtransfer.scaling.rules import Constants
from lrtransfer.study.data import source
from lrtransfer.study.plan import Plan, Run, StudyError
from lrtransfer.study.storage import paths
from lrtransfer.study.training.group_warmup import factors
from lrtransfer.study.training.network import block_size
from lrtransfer.study.training.replicated_run import check_model, check_settings
from lrtransfer.study.training.run import check_passes
from lrtransfer.study.training.width_rule import ruled
from lrtransfer.study.workflow.blank_network import blank_network


def check_runs(plan: Plan) -> None:
    """Build every network of a study without memory, and try its rules and settings.

    Raises:
        StudyError: A model, a role, an optimizer, a schedule or a batch does not fit; each line
            names the arm and the remedy.
    """
    # The runs of a sweep differ in learning rate, seed and in whether they measure.
    runs = [max(sweep.runs, key=lambda run: run.measured) for sweep in plan.sweeps]
    faults = dict.fromkeys(fault for run in runs for fault in _faults(plan, run))
    if faults:
        raise StudyError([f"params.yaml: {fault}" for fault in faults])


def _faults(plan: Plan, run: Run) -> Iterator[str]:
    place = f"study.{run.experiment}.arms.{run.arm}"
    attempts = (_try_network, _try_optimizer, _try_tuner, _try_schedule, _try_sizes, _try_split)
    for attempt in attempts:
        try:
            attempt(plan, run.config)
        except (ValueError, TypeError) as error:
            size = f"width {run.width}, depth {run.depth}"
            yield f"{place} ({size}): {error}" if attempt is _try_network else f"{place}: {error}"


def _try_network(plan: Plan, config: dict[str, Any]) -> None:
    spec = config["model"]
    model = blank_network(config, _sizes(plan, config))
    roles = model.roles()  # type: ignore[operator]
    rules = config["parameterization"]["rules"]
    constants = Constants(**config["parameterization"]["constants"])
    size = {"width": spec["width"], "depth": spec["depth"]}
    scaled = dict(scale_tensors(model, roles, rules, constants, **size))
    if "decay" in config:
        own = ruled(config, model, roles, scaled)
        if "group_warmup" in config:
            factors(config, roles, scaled, own)(0)
    for _ in scale_modules(roles, rules, constants, **size):
        pass


def _try_optimizer(plan: Plan, config: dict[str, Any]) -> None:
    parameter = nn.Parameter(torch.zeros(1))
    spec = config["optimizer"]
    optimizer(spec["name"], [{"params": [parameter]}], **spec["options"])


def _try_tuner(plan: Plan, config: dict[str, Any]) -> None:
    if "tuner" not in config:
        return
    spec, tuner = config["optimizer"], config["tuner"]
    group = {"params": [nn.Parameter(torch.zeros(1))], "relative_rate": 1.0}
    base = optimizer(spec["name"], [group], **spec["options"])
    base.param_groups[0]["lr"] = 1.0
    tuners.build(tuner["name"], base, **tuner["options"])


def _try_schedule(plan: Plan, config: dict[str, Any]) -> None:
    spec = config["schedule"]
    schedule(spec["name"])(0, config["steps"], **spec["options"])


def _try_split(plan: Plan, config: dict[str, Any]) -> None:
    processes = plan.study.resources.processes_per_run
    if processes > 1:
        check_settings(config, processes)
        check_model(blank_network(config, _sizes(plan, config)), processes)


def _try_sizes(plan: Plan, config: dict[str, Any]) -> None:
    """Compare a batch and the measured subset with the data, where those are prepared."""
    try:
        manifest = json.loads(paths.manifest(config["data"]).read_text(encoding="utf-8"))
        shapes = {name: array["shape"] for name, array in manifest["arrays"].items()}
    except (OSError, ValueError, KeyError, TypeError):
        return
    block = block_size(config)
    if block is None and "train_inputs" in shapes:
        samples = shapes["train_inputs"][0]
    elif block is not None and "train_tokens" in shapes:
        samples = (shapes["train_tokens"][0] - 1) // block
    else:
        kind = "images" if block is None else "text"
        raise ValueError(
            f"the data set holds {', '.join(shapes)}; the model {config['model']['family']!r} "
            f"needs {kind}. Choose another data set or model."
        )
    chosen = config.get("train_samples", samples)
    if chosen > samples:
        raise ValueError(f"train_samples is {chosen}, but there are {samples} samples. Lower it.")
    samples = chosen
    check_passes(config, samples)
    measured = config["measure"]["samples"] if config["measure"] else 0
    for name, count in (("batch_size", config["batch_size"]), ("measure.samples", measured)):
        if count > samples:
            raise ValueError(f"{name} is {count}, but there are {samples} samples. Lower it.")


def _sizes(plan: Plan, config: dict[str, Any]) -> tuple[int, int]:
    spec = next(d.spec for d in plan.datasets if d.id == config["data"])
    return source(spec.source, **spec.options).sizes
