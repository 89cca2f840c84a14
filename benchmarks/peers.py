"""Other packages' largest Hessian eigenvalues, at their defaults and at their best settings.

A peer that is not installed has no settings; the requirements are `requirements-bench.lock`.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn

from benchmarks.problems import Problem

MOST_PRODUCTS = 400
"""Of eigsh, whose own limit is ten times the number of parameters, and whose default tolerance is
that of the arithmetic: float32 products may never meet it."""

Answer = tuple[list[float], int]
"""The eigenvalues, and the Hessian-vector products spent."""


@dataclass(frozen=True)
class Setting:
    """One way to ask a package for the `k` largest eigenvalues.

    Attributes:
        package: the package's name.
        label: the arguments that differ from its defaults.
        k: number of eigenvalues.
        default: whether this is what its documentation's first call does.
        run: problem -> answer.
    """

    package: str
    label: str
    k: int
    default: bool
    run: Callable[[Problem], Answer]


def versions() -> dict[str, str]:
    """Return the versions of the peers that are installed."""
    found = {}
    for name in ("PyHessian", "hessian-eigenthings", "curvlinops-for-pytorch"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def settings() -> list[Setting]:
    """Return all settings of the installed peers."""
    found: list[Setting] = []
    if find_spec("pyhessian"):
        found += _pyhessian_settings()
    if find_spec("hessian_eigenthings"):
        found += _eigenthings_settings()
    if find_spec("curvlinops"):
        found += _curvlinops_settings()
    return found


def warm_settings(start: Tensor) -> list[Setting]:
    """Return the peers that take a vector of the last measurement, at their best with it."""
    found: list[Setting] = []
    if find_spec("hessian_eigenthings"):
        run = partial(_power, start=start)
        found.append(Setting("hessian-eigenthings", "power_iteration_one, init", 1, False, run))
    if find_spec("curvlinops"):
        run = partial(_curvlinops, k=1, start=start, tol=1e-2, ncv=8)
        found.append(Setting("curvlinops + eigsh", "tol=1e-2, ncv=8, v0", 1, False, run))
    return found


def _pyhessian_settings() -> Iterator[Setting]:
    for k in (1, 10):
        for label, tolerance in (("tol=1e-3", 1e-3), ("tol=1e-4", 1e-4)):
            run = partial(pyhessian, k=k, tolerance=tolerance)
            yield Setting("PyHessian", label, k, tolerance == 1e-3, run)


def _eigenthings_settings() -> Iterator[Setting]:
    package = "hessian-eigenthings"
    yield Setting(package, "power_iteration_one", 1, True, _power)
    algebraic = {"which": "LA"}
    lengths: dict[int, tuple[tuple[str, bool, dict[str, Any]], ...]] = {
        1: (
            ("lanczos", True, {}),
            ("lanczos LA, max_iter=10", False, algebraic | {"max_iter": 10}),
            ("lanczos LA, max_iter=20", False, algebraic | {"max_iter": 20}),
        ),
        10: (
            ("lanczos", True, {}),
            ("lanczos LA, max_iter=30", False, algebraic | {"max_iter": 30}),
            ("lanczos LA, max_iter=50", False, algebraic | {"max_iter": 50}),
            ("lanczos LA, max_iter=60", False, algebraic | {"max_iter": 60}),
            (
                "lanczos LA, max_iter=100, reorthogonalize",
                False,
                algebraic | {"max_iter": 100, "reorthogonalize": True},
            ),
        ),
    }
    for k, chosen in lengths.items():
        for label, default, options in chosen:
            yield Setting(package, label, k, default, partial(_lanczos, k=k, options=options))


def _curvlinops_settings() -> Iterator[Setting]:
    package = "curvlinops + eigsh"
    for k in (1, 10):
        yield Setting(package, "LA", k, True, partial(_curvlinops, k=k))
        yield Setting(package, "LA, tol=1e-2", k, False, partial(_curvlinops, k=k, tol=1e-2))
    short = partial(_curvlinops, k=1, tol=1e-2, ncv=8)
    yield Setting(package, "LA, tol=1e-2, ncv=8", 1, False, short)


def pyhessian(problem: Problem, *, k: int, tolerance: float) -> Answer:
    """Return PyHessian's `k` eigenvalues of largest modulus, on a copy of the model."""
    from pyhessian import hessian

    torch.manual_seed(0)
    # It leaves gradients with graphs and another mode behind.
    model = copy.deepcopy(problem.model)
    found = hessian(model, problem.loss, data=problem.batch, cuda=problem.inputs.is_cuda)
    # The class hides its module of the same name.
    module = sys.modules["pyhessian.hessian"]
    product, count = module.hessian_vector_product, 0

    def counted(*arguments: Any) -> Any:
        nonlocal count
        count += 1
        return product(*arguments)

    module.hessian_vector_product = counted
    try:
        values, _ = found.eigenvalues(tol=tolerance, top_n=k)
    finally:
        module.hessian_vector_product = product
    return [float(value) for value in values], count


def _eigenthings_operator(problem: Problem) -> Any:
    import hessian_eigenthings as peer

    loss = peer.supervised_loss(problem.loss)
    operator = peer.HessianOperator(problem.model, [problem.batch], loss, method="autograd")
    product = operator.matvec
    operator.count = 0

    def counted(vector: Tensor) -> Tensor:
        operator.count += 1
        result: Tensor = product(vector)
        return result

    operator.matvec = counted
    return operator


def _power(problem: Problem, *, start: Tensor | None = None) -> Answer:
    import hessian_eigenthings as peer

    operator = _eigenthings_operator(problem)
    value = peer.power_iteration_one(operator, init=start, seed=0)[0]
    return [float(value)], operator.count


def _lanczos(problem: Problem, *, k: int, options: dict[str, Any]) -> Answer:
    import hessian_eigenthings as peer

    operator = _eigenthings_operator(problem)
    found = peer.lanczos(operator, k=k, seed=0, **options)
    return [float(value) for value in found.eigenvalues], operator.count


class _Flat(nn.Module):
    """Outputs of every token as samples of their own: curvlinops takes torch's losses only."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.model(inputs)
        return outputs.reshape(-1, outputs.shape[-1])


def _curvlinops(problem: Problem, *, k: int, start: Tensor | None = None, **options: Any) -> Answer:
    from curvlinops import HessianLinearOperator

    model = _Flat(problem.model)
    data = [(problem.inputs, problem.targets.flatten())]
    parameters = list(model.parameters())
    inner = HessianLinearOperator(model, nn.CrossEntropyLoss(), parameters, data).to_scipy()
    count = 0

    def product(vector: Any) -> Any:
        nonlocal count
        if count == MOST_PRODUCTS:
            raise RuntimeError(f"not converged after {count} products")
        count += 1
        return inner @ vector

    outer = LinearOperator(inner.shape, matvec=product, dtype=inner.dtype)
    torch.manual_seed(0)
    first = torch.randn(inner.shape[0]) if start is None else start.cpu()
    values = eigsh(outer, k=k, which="LA", v0=first.numpy(), return_eigenvectors=False, **options)
    return [float(value) for value in values], count
