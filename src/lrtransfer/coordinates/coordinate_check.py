"""The coordinate check: does a rule keep what a network computes the same size at every width?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lrtransfer.coordinates.float64 import Float64
from lrtransfer.coordinates.growth import judge
from lrtransfer.coordinates.model_check import ModelCheck
from lrtransfer.coordinates.networks import (
    EPSILON,
    EPSILONS,
    LEARNING_RATES,
    STEPS,
    Inputs,
    Network,
    Problem,
)
from lrtransfer.coordinates.sizes import first_tensor, measure, outputs, owned
from lrtransfer.optim.make_optimizer import build
from lrtransfer.scaling.groups import FAMILIES
from lrtransfer.scaling.layout import Layout
from lrtransfer.scaling.matrix_optimizer import MatrixOptimizer
from lrtransfer.scaling.parameterize import parameterize

SAMPLES = 8
TOKENS = 8


def coordinate_check(
    make_model: Callable[[int], nn.Module],
    *,
    widths: Sequence[int],
    rule: str | Mapping[str, Any],
    optimizer: str | MatrixOptimizer = "adamw",
    inputs: Inputs | None = None,
    seeds: Sequence[int] = range(4),
    steps: int = STEPS,
    layout: Layout | Callable[[int], Layout] | None = None,
    **options: Any,
) -> ModelCheck:
    """Train networks of several widths for a few tiny steps and fit how their coordinates grow.

    Of every module that owns a tensor: the size of its output at the start, its change by the
    module's own update, and its change in all (see `lrtransfer.coordinates.sizes.measure`).
    The networks are scaled by `lrtransfer.parameterize`, which reads the roles off the
    widths, and trained in float64 on a linear loss, so that only the rule decides what grows; what
    would round to float32 inside, as norms of transformers do, does not here.

        check = lt.coordinate_check(make_model, widths=[64, 128, 256, 512], rule="mup")
        check.stable, check.failing  # a verdict, and the parameters that break it
        print(check)  # a line for each layer
        check.figure("coordinates.png")

    Args:
        make_model: Width -> a fresh network that takes `inputs` and returns a tensor, a tuple that
            begins with it, or an output with `logits`. Networks of two widths differ in width
            alone. Random parts such as dropout must be off.
        widths: N, ascending, two or more; the first is the base width. A factor of eight between
            the ends tells the exponents of the tables apart.
        rule: A name in `parameterizations.yaml`, or an entry of your own in its form.
        optimizer: As for `lrtransfer.parameterize`, by name or a `MatrixOptimizer`.
        inputs: A small batch, samples along the first axis, or a mapping that is passed as
            keywords; None for noise, where the first layer is an `nn.Linear` or an `nn.Embedding`.
        seeds: Of the initial weights; two or more, for the intervals.
        steps: Updates before the coordinates are measured again.
        layout: What `lrtransfer.parameterize` must be told of the model; a function of the width
            if it depends on it, as a head dimension may.
        options: `base_depth`, `branch_exponent`, `gamma0` of `lrtransfer.parameterize`.

    Returns:
        The exponents with their intervals over seeds, a verdict by layer, `stable`, `failing`
        and `fastest`. Nothing is predicted.

    Raises:
        ValueError: An argument does not fit; the message names it.
        TypeError: The network returns no tensor.
        UnplacedTensorError: The role of a tensor cannot be told; give `layout=`.

    Example:
        >>> from torch import nn
        >>> import lrtransfer as lt
        >>> def mlp(width: int) -> nn.Module:
        ...     return nn.Sequential(
        ...         nn.Linear(4, width), nn.Tanh(), nn.Linear(width, width), nn.Linear(width, 2)
        ...     )
        >>> lt.coordinate_check(mlp, widths=[8, 16, 32], rule="mup", seeds=range(2)).stable
        True
    """
    _check(widths, optimizer, seeds, steps)
    kind = optimizer if isinstance(optimizer, str) else optimizer.name
    base = _made(make_model, widths[0]), _made(make_model, widths[1])

    def network(width: int, seed: int) -> Network:
        model = _made(make_model, width)
        groups = parameterize(
            model,
            rule,
            optimizer=optimizer,
            lr=LEARNING_RATES[FAMILIES[kind]],
            eps=EPSILONS.get(kind, EPSILON),
            base=base,
            layout=layout(width) if callable(layout) else layout,
            seed=seed,
            **options,
        )
        return Network(model, groups)

    batch = _noise(base[0]) if inputs is None else inputs
    if isinstance(batch, Tensor):
        batch = _double(batch)
    elif isinstance(batch, Mapping):
        batch = {name: _double(value) for name, value in batch.items()}
    else:
        raise ValueError(
            f"inputs is a {type(batch).__name__}. Give a tensor, or a mapping that is passed as "
            "keywords."
        )
    with Float64():
        problem = Problem(
            widths=tuple(widths),
            network=network,
            optimizer=build,
            inputs=batch,
            signs=_signs(network(widths[0], seeds[0]).model, batch),
            steps=steps,
        )
        sizes = measure(problem, seeds=seeds)
    judged = judge(sizes, problem.widths)
    return ModelCheck(judged.coordinates, problem.widths, sizes, _layers(base[0]))


def _layers(model: nn.Module) -> dict[str, tuple[str, ...]]:
    held = {name: tuple(owned(model, name).values()) for name, _ in model.named_modules()}
    return {name: tensors for name, tensors in held.items() if tensors}


def _double(value: Any) -> Any:
    floats = isinstance(value, Tensor) and value.is_floating_point()
    return value.double() if floats else value


def _check(
    widths: Sequence[int], optimizer: str | MatrixOptimizer, seeds: Sequence[int], steps: int
) -> None:
    if len(widths) < 2 or sorted(set(widths)) != list(widths):
        raise ValueError(f"widths is {list(widths)}. Give two or more, ascending.")
    if not isinstance(optimizer, MatrixOptimizer) and optimizer not in FAMILIES:
        raise ValueError(f"optimizer is {optimizer!r}. Give one of {', '.join(FAMILIES)}.")
    if isinstance(seeds, int) or len(seeds) < 2:
        raise ValueError(f"seeds is {seeds}. Give two or more, for an interval.")
    if steps < 1:
        raise ValueError(f"steps is {steps}. Give one or more.")


def _made(make_model: Callable[[int], nn.Module], width: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):  # constructors draw weights that are drawn anew
        return make_model(width).double()


def _noise(model: nn.Module) -> Tensor:
    """Return Gaussian numbers or random tokens for a network that begins with a known layer."""
    random = torch.Generator().manual_seed(0)
    first = next((m for m in model.modules() if list(m.parameters(recurse=False))), None)
    if isinstance(first, nn.Linear):
        return torch.randn(SAMPLES, first.in_features, generator=random)
    if isinstance(first, nn.Embedding):
        return torch.randint(first.num_embeddings, (SAMPLES, TOKENS), generator=random)
    raise ValueError(
        f"inputs is not told, and the first layer is a {type(first).__name__}. Give inputs=, a "
        "small batch."
    )


def _signs(model: nn.Module, inputs: Inputs) -> Tensor:
    with torch.no_grad():
        found = first_tensor(outputs(model, inputs))
    if not isinstance(found, Tensor):
        raise TypeError(
            f"the network returns {type(found).__name__}. Let make_model return a module that "
            "returns one tensor, the logits say."
        )
    random = torch.Generator().manual_seed(1)
    return torch.randn(found.shape, generator=random, dtype=torch.float64).sign()
