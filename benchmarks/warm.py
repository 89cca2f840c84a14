"""How few products a warm start may take: wrong answers and prices along training runs.

Chains of measurements as a log takes them: each starts from the vector of the last one of its own
chain, right or wrong, so that a chain which loses the top eigenvector may stay lost. Chains begin
cold, at several offsets. The reference at every step is a cold run for two pairs, much tighter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.pricing import digits, prepare, seconds
from benchmarks.problems import GROUP_NORM, IMAGES, TOKENS, Problem, make
from lrtransfer.curvature import HessianOperator, eigenvalues

LEAST = (2, 3, 4, 6)
CHAINS = ((1, 0), (5, 0), (5, 2), (20, 0), (20, 10))
"""Steps between measurements, and the first step."""
STEPS = {"mlp": 61, "gpt": 61, "resnet": 41}
_COLD_EVERY = 5
SMOOTHING = 0.2
WRONG = (1e-3, 1e-2)
_COLD = 0


@dataclass
class _Chain:
    every: int
    offset: int
    least: int
    vector: Tensor | None = None


@dataclass
class _Seen:
    """Measurements of one kind, in one list each."""

    errors: list[float] = field(default_factory=list)
    products: list[int] = field(default_factory=list)
    prices: list[float] = field(default_factory=list)
    overlaps: list[float] = field(default_factory=list)
    crossings: list[bool] = field(default_factory=list)


def measure(device: str) -> list[dict[str, Any]]:
    """Return rows by trainer and interval for each least number of products, and over all."""
    chosen = prepare(device)
    kinds: dict[tuple[str, int, int], _Seen] = defaultdict(_Seen)
    for problem in _problems(chosen):
        weights = {name: p.clone() for name, p in problem.model.state_dict().items()}
        for trainer, build in _trainers(problem).items():
            problem.model.load_state_dict(weights)
            _follow(problem, trainer, build, kinds)
    rows = [_row(name, every, least, seen) for (name, every, least), seen in kinds.items()]
    for least in (*LEAST, _COLD):
        together = _Seen()
        for (_, _, other), seen in kinds.items():
            if other == least:
                for name, values in vars(seen).items():
                    getattr(together, name).extend(values)
        rows.insert(0, _row("all", "all", least, together))
    return rows


def _problems(device: torch.device) -> Iterator[Problem]:
    small = IMAGES | GROUP_NORM | {"width": 4, "groups": 2}
    short = TOKENS | {"block_size": 16}
    for problem in (
        make("mlp", "residual_mlp", 64, device, **IMAGES, width=48),
        make("gpt", "gpt", 4, device, **short, width=32),
        make("resnet", "resnet", 4, device, **small),
    ):
        yield replace(problem, smoothing=SMOOTHING)


def _trainers(problem: Problem) -> dict[str, Callable[[], Callable[[int], None]]]:
    """Return what makes a step function of each kind.

    Gradient descent has 1.6 times the largest rate that is stable on the first Hessian, so that it
    oscillates and the top eigenvectors cross; SGD takes a random half of the batch at each step.
    """
    parameters = list(problem.model.parameters())
    top = eigenvalues(HessianOperator(problem.model, problem.loss, problem.batch)).values.item()

    def descent() -> Callable[[int], None]:
        optimizer = torch.optim.SGD(parameters, lr=3.2 / top)
        return lambda step: problem.train(1, optimizer)

    def stochastic() -> Callable[[int], None]:
        optimizer = torch.optim.SGD(parameters, lr=0.5 / top, momentum=0.9)
        return lambda step: _half(problem, step).train(1, optimizer)

    def adam() -> Callable[[int], None]:
        optimizer = torch.optim.Adam(parameters, lr=3e-3)
        return lambda step: problem.train(1, optimizer)

    return {"gradient descent past the edge": descent, "SGD": stochastic, "Adam": adam}


def _half(problem: Problem, step: int) -> Problem:
    random = torch.Generator().manual_seed(step)
    count = len(problem.inputs)
    chosen = torch.randperm(count, generator=random)[: count // 2].to(problem.device)
    return problem.on(chosen)


def _follow(
    problem: Problem,
    trainer: str,
    build: Callable[[], Callable[[int], None]],
    kinds: dict[tuple[str, int, int], _Seen],
) -> None:
    advance = build()
    chains = [_Chain(*chain, least) for chain in CHAINS for least in LEAST]
    pairs: dict[int, Tensor] = {}
    for step in range(STEPS[problem.name]):
        exact = eigenvalues(_operator(problem), 2, tolerance=3e-3)
        pairs[step] = exact.vectors
        top = exact.values[0].item()
        problem.gradient()
        unit = min(seconds(problem.gradient, problem.device) for _ in range(3))
        for chain in chains:
            if step % chain.every != chain.offset:
                continue
            before = chain.vector
            seen = _measured(problem, chain, top, unit, random=step)
            if before is not None:
                old = pairs[step - chain.every]
                crossed = abs(float(old[1] @ exact.vectors[0])) > 0.7
                overlap = abs(float(before @ exact.vectors[0]))
                kind = kinds[trainer, chain.every, chain.least]
                for name, value in {**seen, "overlaps": overlap, "crossings": crossed}.items():
                    getattr(kind, name).append(value)
        if step % _COLD_EVERY == 0:
            cold = _Chain(_COLD_EVERY, 0, _COLD)
            for name, value in _measured(problem, cold, top, unit, random=step).items():
                getattr(kinds[trainer, _COLD_EVERY, _COLD], name).append(value)
        advance(step)


def _measured(
    problem: Problem, chain: _Chain, top: float, unit: float, random: int
) -> dict[str, float]:
    """Measure once, hand the vector on, and return error, products and price."""
    warm = {"warm_products": chain.least} if chain.least else {}
    found = []
    spent = seconds(
        lambda: found.append(
            eigenvalues(
                _operator(problem),
                start=chain.vector,
                generator=torch.Generator().manual_seed(1000 + random),
                **warm,
            )
        ),
        problem.device,
    )
    (pairs,) = found
    chain.vector = pairs.vectors[0]
    error = abs(pairs.values.item() / top - 1)
    return {"errors": error, "products": pairs.products, "prices": spent / unit}


def _operator(problem: Problem) -> HessianOperator:
    return HessianOperator(problem.model, problem.loss, problem.batch)


def _row(trainer: str, every: int | str, least: int, seen: _Seen) -> dict[str, Any]:
    errors = np.asarray(seen.errors)
    row: dict[str, Any] = {"trainer": trainer, "every": every}
    row["warm_products"] = least or "cold"
    row["measurements"] = len(errors)
    row |= {f"wrong_{limit:g}": int(np.sum(errors > limit)) for limit in WRONG}
    row["largest_error"] = digits(float(errors.max()))
    row["products"] = round(float(np.mean(seen.products)), 1)
    row["gradient_evaluations"] = round(float(np.median(seen.prices)), 1)
    if seen.overlaps:
        row["overlap_above_0.9"] = round(float(np.mean(np.asarray(seen.overlaps) > 0.9)), 2)
        crossed = np.asarray(seen.crossings)
        row["crossings"] = int(crossed.sum())
        row["wrong_at_crossings"] = int(np.sum(errors[crossed] > min(WRONG)))
    return row
