"""Finite differences and forward passes of a model that FSDP2 shards over two processes."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.multiprocessing.spawn import spawn

import lrtransfer as lt
from lrtransfer.curvature import NonFiniteCurvatureError

from .cases import squared_loss


def network() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 6), nn.Tanh(), nn.Linear(6, 3)]
    return nn.Sequential(*layers).double()


def data() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(10, 5, generator=generator, dtype=torch.float64),
        torch.randn(10, 3, generator=generator, dtype=torch.float64),
    )


def update() -> torch.Tensor:
    model, (x, y) = network(), data()
    gradient = torch.autograd.grad(squared_loss(model(x), y), list(model.parameters()))
    return -torch.cat([g.flatten() for g in gradient])


def measured(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> dict[str, float]:
    """Return differences' sharpness, their loss, and the critical one."""
    differences = lt.sharpness(
        model, squared_loss, (x, y), method="finite_difference", tolerance=1e-7
    )
    part = lt.sharpness(
        model, squared_loss, (x, y), method="finite_difference", parameters="2.*", tolerance=1e-7
    )
    critical = lt.critical_sharpness(model, squared_loss, (x, y), update(), tolerance=1e-6)
    return {
        "top": differences.value,
        "loss": differences.loss,
        "part": part.value,
        "critical": critical.value,
        "critical_loss": critical.loss,
    }


def process(rank: int, folder: str) -> None:
    from torch.distributed.fsdp import fully_shard

    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    model = network()
    for layer in (model[0], model[2]):
        fully_shard(layer)
    fully_shard(model)
    before = [p.to_local().clone() for p in model.parameters()]  # type: ignore[attr-defined]
    x, y = data()
    found: dict[str, Any] = dict(measured(model, x[rank::2], y[rank::2]))
    try:
        lt.sharpness(model, squared_loss, (x, y))
    except ValueError as error:
        found["error"] = str(error)
    broken = x[rank::2] if rank else x[rank::2] * torch.nan
    try:
        lt.sharpness(model, squared_loss, (broken, y[rank::2]), method="finite_difference")
    except NonFiniteCurvatureError as error:
        found["not finite"] = str(error)
    after = [p.to_local() for p in model.parameters()]  # type: ignore[attr-defined]
    found["kept"] = all(map(torch.equal, before, after))
    torch.save(found, Path(folder) / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.process
def test_a_sharded_model_measures_as_one_process_does(tmp_path: Path) -> None:
    spawn(process, (str(tmp_path),), nprocs=2)
    alone = measured(network(), *data())
    exact = lt.sharpness(network(), squared_loss, data(), tolerance=1e-7).value
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt")
        assert found["kept"]
        assert "DTensor" in found["error"]
        assert "method='finite_difference'" in found["error"]
        assert "the loss is nan" in found["not finite"]  # in one process, raised in both
        for name, value in alone.items():
            assert found[name] == pytest.approx(value, rel=1e-6)
        assert found["top"] == pytest.approx(exact, rel=1e-4)
