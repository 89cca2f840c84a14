"""Curvature of a saved model: a run's checkpoint, or anybody's weights with the code they fit."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast, get_args

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from lrtransfer.curvature.lanczos import Eigenpairs
from lrtransfer.curvature.operators import OperatorName
from lrtransfer.curvature.spectrum_of_model import eigenvalues
from lrtransfer.study.data.prepare import load_arrays
from lrtransfer.study.plan.run_config import RunConfig
from lrtransfer.study.spectra.problem import Problem, of_run
from lrtransfer.study.storage.seal import CorruptFileError
from lrtransfer.study.training.tensors import load_tensors


@dataclass(frozen=True)
class Eigenvalue:
    """One row of what is printed.

    Attributes:
        operator: Which curvature.
        rank: 1 is the largest.
        value: In units of the loss (nats for cross-entropy), for D as told by the problem.
        residual: An eigenvalue lies within this distance of `value`.
        products: Products with the operator that all its eigenvalues took together.
        converged: Whether the search met its tolerance.
    """

    operator: str
    rank: int
    value: float
    residual: float
    products: int
    converged: bool


def measure(
    problem: Problem, operators: Sequence[str], k: int, *, tolerance: float = 0.01
) -> list[Eigenvalue]:
    """Return the `k` largest eigenvalues of each operator, or as many as it has.

    Args:
        problem: The network, in the mode it is in, its loss and samples.
        operators: Names as of `lrtransfer.curvature.curvature_operator`.
        k: How many.
        tolerance: Relative residual.

    Raises:
        ValueError: An operator is unknown or does not fit the loss; `k` is out of range.
        NonFiniteCurvatureError: The weights, the loss or a product is NaN or infinite.
    """
    return [row for name in operators for row in _of_operator(problem, name, k, tolerance)]


def _of_operator(problem: Problem, name: str, k: int, tolerance: float) -> Iterator[Eigenvalue]:
    choices = [choice for choice in get_args(OperatorName) if choice != "preconditioned"]
    if name not in choices:
        raise ValueError(f"operator {name!r}: choose among {', '.join(choices)}")
    found: Eigenpairs = eigenvalues(
        problem.model,
        problem.loss,
        problem.batch,
        k,
        operator=cast("OperatorName", name),
        scale=problem.relative_rates,
        tolerance=tolerance,
    )
    pairs = zip(found.values.tolist(), found.residuals.tolist(), strict=True)
    for rank, (value, residual) in enumerate(pairs, start=1):
        yield Eigenvalue(name, rank, value, residual, found.products, found.converged)


def from_checkpoint(path: Path, samples: int | None) -> tuple[Problem, dict[str, Any]]:
    """Return the problem of a run's checkpoint, and its run's key, step and configuration.

    Args:
        path: `results/checkpoints/<key>/<step>.safetensors`.
        samples: How many of the run's measured subset; None is as many as the run measured.

    Raises:
        FileNotFoundError: There is no such file, or the run's data are not prepared.
        ValueError: The file is damaged or no checkpoint of a run, the run diverged before this
            step, or there are fewer samples.
    """
    try:
        weights, about = load_tensors(path)
    except CorruptFileError as error:
        raise ValueError(
            f"{path} is no undamaged checkpoint of a run. For weights of your own say with "
            "--problem MODULE:FUNCTION which model they fit."
        ) from error
    if about["status"] != "ok":
        raise ValueError(f"{path}: the run diverged before step {about['step']}: no weights.")
    config = RunConfig.from_json(about["config"])
    if samples is not None and samples < 1:
        raise ValueError(f"--samples is {samples}. Give 1 or more.")
    count = samples or (config.measure.samples if config.measure else None)
    if count is None:
        raise ValueError(f"{path}: the run measured no samples. Say with --samples how many.")
    problem = of_run(config, weights, load_arrays(config.data), count, torch.device("cpu"))
    return problem, about


def from_function(place: str, weights: Path | None) -> Problem:
    """Return what the user's function gives, with the weights of a safetensors file if one is told.

    Args:
        place: `module:function`; the function takes nothing and returns model, loss function
            and batch. The module is looked for in the present folder too.
        weights: A safetensors file of the model's `state_dict`. Pickled files are refused,
            since loading one runs whatever code it holds.

    Raises:
        ValueError: The function is not there, fails or returns something else, or the file is no
            safetensors file or does not fit the model.
        FileNotFoundError: There is no such file.
    """
    made = _called(place)
    if not (isinstance(made, tuple) and len(made) == 3 and isinstance(made[0], nn.Module)):
        raise ValueError(f"{place} returned {type(made).__name__}. Return (model, loss_fn, batch).")
    model, loss, batch = made
    if weights is None:
        return Problem(model, loss, batch)
    try:
        model.load_state_dict(load_file(weights))
    except SafetensorError as error:
        raise ValueError(
            f"{weights} is no safetensors file ({error}). Write it with "
            "safetensors.torch.save_file(model.state_dict(), path)."
        ) from error
    except RuntimeError as error:
        raise ValueError(f"{weights} does not fit the model of {place}: {error}") from error
    return Problem(model, loss, batch)


def _called(place: str) -> Any:
    made = function(place)
    try:
        return made()
    except Exception as error:  # anything that a user's code may raise
        raise ValueError(f"{place} failed with {type(error).__name__}: {error}") from error


def function(place: str) -> Any:
    """Import what `module:function` names; the module is looked for in the present folder too.

    Raises:
        ValueError: It is not there.
    """
    module, _, name = place.partition(":")
    if not (module and name):
        raise ValueError(f"{place!r} names no function. Write module:function.")
    sys.path.insert(0, "")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"{place}: {error}. Write module:function, importable from here."
        ) from error
    finally:
        sys.path.remove("")
