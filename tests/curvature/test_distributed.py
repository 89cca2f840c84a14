"""Curvature summed over two processes against one process with all samples."""

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.multiprocessing.spawn import spawn

import lrtransfer as lt
from lrtransfer.curvature import (
    HessianOperator,
    NonFiniteCurvatureError,
    SummedOperator,
    curvature_operator,
    spectral_density,
    trace,
)

from .cases import squared_loss


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3)).double()


def data() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(10, 5, generator=generator, dtype=torch.float64),
        torch.randn(10, 3, generator=generator, dtype=torch.float64),
    )


def measure(batch: Any, group: dist.ProcessGroup | None) -> dict[str, Any]:
    """Return what both processes, and one alone, must agree on."""
    model = network()
    arguments = (model, squared_loss, batch)
    top = lt.sharpness(*arguments, tolerance=1e-9, process_group=group)
    found: dict[str, Any] = {"sharpness": top.value, "loss": top.loss, "products": top.products}
    for name in ("ggn", "residual", "hessian"):
        pairs = lt.eigenvalues(*arguments, k=2, operator=name, tolerance=1e-9, process_group=group)
        found[name] = pairs.values.tolist()
    operator = curvature_operator("hessian", *arguments, process_group=group)
    found["trace"] = trace(operator, tolerance=0.2).value
    found["density"] = spectral_density(operator, probes=2, steps=5).nodes.tolist()
    return found


def error_of(work: Any) -> str:
    try:
        work()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def process(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    gc.disable()
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    found = measured_in(rank)
    group = weakref.ref(dist.group.WORLD)
    dist.barrier()
    dist.destroy_process_group()
    found["group left"] = group() is not None
    torch.save(found, Path(folder) / f"{rank}.pt")


def measured_in(rank: int) -> dict[str, Any]:
    x, y = data()
    own = (x[:7], y[:7]) if rank == 0 else [(x[7:9], y[7:9]), (x[9:], y[9:])]
    world = dist.group.WORLD
    found = measure(own, world)
    bad = (x[7:] * torch.nan, y[7:]) if rank else own
    model = network()
    found["nan"] = error_of(lambda: lt.sharpness(model, squared_loss, bad, process_group=world))
    vector_loss: Any = lambda f, y: (f - y).mean(0)  # noqa: E731
    loss = vector_loss if rank else squared_loss
    found["output"] = error_of(lambda: lt.sharpness(model, loss, own, process_group=world))
    found["vectors"] = error_of(
        lambda: curvature_operator("hessian", model, squared_loss, own, process_group=world)(
            torch.full((57,), 1.0 + rank, dtype=torch.float64)
        )
    )
    with torch.no_grad():
        model[0].bias += rank
    found["parameters"] = error_of(
        lambda: lt.sharpness(model, squared_loss, own, process_group=world)
    )
    return found


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("processes")
    spawn(process, args=(str(folder),), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]


@pytest.mark.process
def test_both_processes_have_the_answer_of_one_with_all_samples(
    answers: list[dict[str, Any]],
) -> None:
    alone = measure(data(), None)
    for name, expected in alone.items():
        assert answers[0][name] == answers[1][name], name
        torch.testing.assert_close(
            torch.tensor(answers[0][name]), torch.tensor(expected), rtol=1e-6, atol=1e-9
        )


@pytest.mark.process
def test_a_failure_in_one_process_is_raised_in_both(answers: list[dict[str, Any]]) -> None:
    assert answers[1]["nan"].startswith(NonFiniteCurvatureError.__name__)
    assert answers[0]["nan"].startswith(NonFiniteCurvatureError.__name__)
    assert "could not be built in 1 other" in answers[0]["nan"]
    assert answers[1]["output"].startswith("ValueError")
    assert answers[0]["output"].startswith("RuntimeError: the operator could not be built in 1 o")


@pytest.mark.process
def test_nothing_keeps_the_group_after_a_failure(answers: list[dict[str, Any]]) -> None:
    # What outlives destroy_process_group meets the end of the interpreter with gloo's threads.
    assert not any(answer["group left"] for answer in answers)


@pytest.mark.process
def test_unequal_parameters_or_vectors_are_noticed(answers: list[dict[str, Any]]) -> None:
    for answer in answers:
        assert "parameters differ" in answer["parameters"]
        assert "vectors differ" in answer["vectors"]


def test_a_group_of_one_process_changes_nothing(tmp_path: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    try:
        model, batch = network(), data()
        plain = HessianOperator(model, squared_loss, batch)
        world = dist.group.WORLD
        assert world is not None
        summed = SummedOperator(model, lambda: HessianOperator(model, squared_loss, batch), world)
        vector = torch.ones(plain.dim, dtype=torch.float64)
        assert torch.equal(summed(vector), plain(vector))
        assert (summed.samples, summed.loss, summed.products) == (10, plain.loss, 1)
    finally:
        dist.destroy_process_group()
