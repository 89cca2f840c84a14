"""A plan bound after `fully_shard`: two processes train as one, and what is stale says so."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.multiprocessing.spawn import spawn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

import lrtransfer as lt

STEPS = 20
DIFFERENCE: Any = "finite_difference"
CASES: dict[str, dict[str, Any]] = {
    "adamw": {"optimizer": "adamw", "lr": 1e-2, "weight_decay": 0.1},
    "momentum": {"optimizer": "momentum", "lr": 0.1, "weight_decay": 0.01},
    "sgd": {"optimizer": "sgd", "lr": 0.3},
}


class Net(nn.Module):
    """Embedding tied to the readout and a residual branch: two multipliers that are hooks."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(7, width)
        self.norm = nn.LayerNorm(width)
        self.block = nn.Sequential(
            nn.Linear(width, 3 * width), nn.Tanh(), nn.Linear(3 * width, width)
        )
        self.readout = nn.Linear(width, 7, bias=False)
        self.readout.weight = self.embed.weight

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.embed(tokens)
        logits: Tensor = self.readout(self.norm(hidden + self.block(hidden)))
        return logits


def planned(**options: Any) -> tuple[Net, list[dict[str, Any]]]:
    model = Net(9).double()  # shards of 5 and 4 rows
    return model, lt.parameterize(model, "mup", base=(Net(3), Net(6)), seed=0, **options)


def tokens() -> Tensor:
    return torch.randint(7, (8, 6), generator=torch.Generator().manual_seed(1))


def descend(model: nn.Module, opt: torch.optim.Optimizer, batch: Tensor) -> list[Tensor]:
    losses = []
    for _ in range(STEPS):
        loss = cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
        loss.backward()
        opt.step()
        opt.zero_grad()
        losses.append(loss.detach())
    return losses


def sharded(model: Net, *, apart: bool = False) -> Net:
    mesh = init_device_mesh("cpu", (2,))
    fully_shard(model.block, mesh=mesh)
    if apart:
        fully_shard(model.embed, mesh=mesh)
    fully_shard(model, mesh=mesh)
    return model


def error_of(work: Callable[[], Any]) -> str:
    try:
        work()
    except ValueError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def regression() -> tuple[nn.Sequential, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    x, y = (torch.randn(8, n, generator=generator, dtype=torch.float64) for n in (5, 3))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).double()
    return model, x, y


BASES: dict[str, Callable[[nn.Module], torch.optim.Optimizer]] = {
    "sgd": lambda model: torch.optim.SGD(model.parameters(), lr=1.0, weight_decay=0.01),
    "adamw": lambda model: torch.optim.AdamW(model.parameters(), lr=1.0, weight_decay=0.01),
}


def average(tensor: Tensor) -> Tensor:
    dist.all_reduce(tensor)
    return tensor / 2


def tuned(model: nn.Module, tuner: lt.CDAT, x: Tensor, y: Tensor, steps: int = 20) -> list[float]:
    """Return losses and learning rates."""
    found = []
    for _ in range(steps):
        loss = tuner.step(lambda: (model(x) - y).square().mean())
        found += [loss.item(), tuner.learning_rate or 0.0]
    return found


def tuned_in(rank: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, base in BASES.items():
        model, x, y = regression()
        mesh = init_device_mesh("cpu", (2,))
        fully_shard(model[0], mesh=mesh)
        fully_shard(model, mesh=mesh)
        own = x.chunk(2)[rank], y.chunk(2)[rank]
        exact, alone = lt.CDAT(base(model), average), lt.CDAT(base(model), curvature=DIFFERENCE)
        found[f"{name}, exact"] = error_of(partial(tuned, model, exact, *own))
        found[f"{name}, alone"] = error_of(partial(tuned, model, alone, *own))
        found[f"{name}, tuned"] = tuned(model, cdat(base(model), average), *own)
    return found


def cdat(base: torch.optim.Optimizer, reduce: Any = None) -> lt.CDAT:
    return lt.CDAT(base, reduce, sigma=1.0, decay=0.5, curvature=DIFFERENCE)


def measured_in(rank: int) -> dict[str, Any]:
    own = tokens().chunk(2)[rank]
    found: dict[str, Any] = {}
    for name, options in CASES.items():
        model, groups = planned(**options)
        sharded(model)
        losses = torch.stack(descend(model, lt.make_optimizer(lt.rebind(groups, model)), own))
        dist.all_reduce(losses)
        found[name] = (losses / 2).tolist()
    model, groups = planned(**CASES["sgd"])
    stale = torch.optim.SGD(groups)
    lt.check_optimizer(stale)
    sharded(model)
    found["no gradient"] = error_of(lambda: descend(model, stale, own))
    found["other tensors"] = error_of(lambda: lt.check_optimizer(stale, model))
    model, groups = planned(**CASES["sgd"])
    sharded(model, apart=True)
    found["untied"] = error_of(lambda: lt.rebind(groups, model))
    model, groups = planned(**CASES["adamw"])
    copies = DistributedDataParallel(model)
    losses = torch.stack(descend(copies, lt.make_optimizer(lt.rebind(groups, copies)), own))
    dist.all_reduce(losses)
    found["copies"] = (losses / 2).tolist()
    return found


def process(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    found = measured_in(rank) | tuned_in(rank)
    dist.barrier()
    dist.destroy_process_group()
    torch.save(found, Path(folder) / f"{rank}.pt")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("fsdp2")
    spawn(process, args=(str(folder),), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.mark.process
@pytest.mark.parametrize("name", CASES)
def test_two_processes_train_as_one(name: str, found: list[dict[str, Any]]) -> None:
    model, groups = planned(**CASES[name])
    alone = [loss.item() for loss in descend(model, lt.make_optimizer(groups), tokens())]
    assert alone[-1] < 0.9 * alone[0]
    for rank in range(2):
        assert found[rank][name] == pytest.approx(alone, rel=1e-9)
    if name == "adamw":
        assert found[0]["copies"] == pytest.approx(alone, rel=1e-9)


@pytest.mark.process
def test_an_optimizer_from_before_sharding_is_named(found: list[dict[str, Any]]) -> None:
    for said in ("no gradient", "other tensors"):
        assert found[0][said].startswith("StaleOptimizerError")
        assert "embed.weight" in found[0][said] and "rebind" in found[0][said]


@pytest.mark.process
def test_a_tie_that_sharding_undid_is_named(found: list[dict[str, Any]]) -> None:
    assert found[0]["untied"].startswith("ValueError: readout.weight is trained")
    assert "equals embed.weight" in found[0]["untied"]


@pytest.mark.process
@pytest.mark.parametrize("name", BASES)
def test_cdat_by_finite_differences_tunes_two_processes_as_one(
    name: str, found: list[dict[str, Any]]
) -> None:
    model, x, y = regression()
    alone = tuned(model, cdat(BASES[name](model)), x, y)
    assert alone[-2] < 0.8 * alone[0]
    assert found[0][f"{name}, tuned"] == found[1][f"{name}, tuned"]
    assert found[0][f"{name}, tuned"] == pytest.approx(alone, rel=1e-6)
    model, x, y = regression()
    exact = tuned(model, lt.CDAT(BASES[name](model), sigma=1.0, decay=0.5), x, y, steps=1)
    assert found[0][f"{name}, tuned"][:2] == pytest.approx(exact, rel=1e-4)


@pytest.mark.process
@pytest.mark.parametrize("name", BASES)
def test_exact_curvature_of_shards_is_refused_with_the_way_out(
    name: str, found: list[dict[str, Any]]
) -> None:
    assert "FSDP2" in found[0][f"{name}, exact"]
    assert "curvature='finite_difference'" in found[0][f"{name}, exact"]
    assert "Give the tuner reduce=" in found[0][f"{name}, alone"]
