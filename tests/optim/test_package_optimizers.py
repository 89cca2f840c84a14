"""Lion, ADOPT, Shampoo and SOAP of pytorch-optimizer: their formulas, sizes and traps."""

from __future__ import annotations

import math
import pickle
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import lrtransfer as lt
from lrtransfer.optim import pytorch_optimizer
from lrtransfer.optim.make_optimizer import build
from lrtransfer.optim.tuners.cdat import CDAT

pytest.importorskip("pytorch_optimizer")


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def steps(
    kind: str, gradients: list[Tensor], lr: float = 1.0, decay: float = 0.0, **options: Any
) -> list[Tensor]:
    """Return the changes of each step, from weights of one."""
    w = nn.Parameter(torch.ones_like(gradients[0]))
    optimizer = build(
        [{"params": [w], "lr": lr, "weight_decay": decay, "optimizer": kind}], **options
    )
    found = []
    for gradient in gradients:
        before, w.grad = w.detach().clone(), gradient.clone()
        optimizer.step()
        found.append(w.detach() - before)
    return found


def test_lion_s_formula() -> None:
    gradients = [gaussian(4, 3, seed=seed) for seed in range(5)]
    found = steps("lion", gradients, lr=0.1, decay=0.5, betas=(0.8, 0.9))
    w, m = torch.ones(4, 3, dtype=torch.float64), torch.zeros(4, 3, dtype=torch.float64)
    for gradient, change in zip(gradients, found, strict=True):
        after = w - 0.1 * ((0.8 * m + 0.2 * gradient).sign() + 0.5 * w)
        assert torch.allclose(change, after - w, atol=1e-14)
        w, m = after, 0.9 * m + 0.1 * gradient


def test_adopt_s_first_step_starts_its_moment_and_its_decay_is_decoupled() -> None:
    first, second = gaussian(4, 3), gaussian(4, 3, seed=1)
    found = steps("adopt", [first, second], lr=0.1, decay=0.5, betas=(0.9, 0.99))
    shrunk = -0.05 * torch.ones(4, 3, dtype=torch.float64)
    assert torch.allclose(found[0], shrunk)
    ratio = (second / first.abs()).clamp(-(2**0.25), 2**0.25)
    assert torch.allclose(found[1], 0.95 * shrunk - 0.1 * 0.1 * ratio)


def test_one_step_of_a_gradient_of_rank_one_over_widths() -> None:
    sizes: dict[str, list[float]] = {"lion": [], "shampoo": []}
    for n in (16, 64, 128):
        rank_one = torch.outer(gaussian(n), gaussian(n, seed=1))
        for kind, found in sizes.items():
            (change,) = steps(kind, [rank_one])
            found.append(float(torch.linalg.matrix_norm(change, 2)))
    assert sizes["lion"] == pytest.approx([16.0, 64.0, 128.0])  # exponent 1
    assert sizes["shampoo"] == pytest.approx([1.0] * 3, rel=1e-3)


def test_a_sign_of_rank_eight_grows_slower_than_the_width() -> None:
    found = []
    for n in (64, 256):
        gradient = gaussian(n, 8) @ gaussian(8, n, seed=1)
        found.append(float(torch.linalg.matrix_norm(steps("lion", [gradient])[0], 2)))
    assert 0.8 < math.log2(found[1] / found[0]) / 2 < 0.97  # 0.90 in the source


def test_shampoo_is_the_polar_factor_at_first_and_knows_no_gradient_s_size() -> None:
    gradient = gaussian(6, 6)
    u, _, v = torch.linalg.svd(gradient)
    small, large = (steps("shampoo", [c * gradient], matrix_eps=1e-12)[0] for c in (1.0, 100.0))
    assert torch.allclose(small, -u @ v, atol=1e-6)
    assert torch.allclose(large, small, atol=1e-6)


def test_soap_s_first_step_changes_nothing_and_its_second_is_orthogonal() -> None:
    gradient = gaussian(24, 4) @ gaussian(4, 24, seed=1)
    first, second = steps("soap", [gradient, gradient], eps=1e-9, precondition_frequency=10)
    assert not first.any()
    assert float(torch.linalg.matrix_norm(second, 2)) == pytest.approx(1.0, rel=1e-3)
    assert float(second.norm()) == pytest.approx(2.0, rel=1e-3)  # √4: four singular values of one


def test_soap_takes_rounding_for_signs_where_the_gradient_is_constant() -> None:
    # As in the source: why its tests need noisy gradients or an ε above the rounding.
    gradient = gaussian(6, 4).float()
    u, _, v = torch.linalg.svd(gradient, full_matrices=False)
    second = steps("soap", [gradient, gradient], eps=1e-16)[1]
    cosine = float(-(second * (u @ v)).sum() / second.norm() / 2)
    assert cosine < 0.9 < float(second.norm()) / 2


def test_an_axis_of_any_length_is_preconditioned() -> None:
    long = gaussian(1, 10_001).float()
    w = nn.Parameter(torch.zeros(1, 10_001))
    optimizer = build([{"params": [w], "lr": 1.0, "optimizer": "soap"}])
    assert optimizer.param_groups[0]["max_precondition_dim"] > long.shape[1]
    assert optimizer.param_groups[0]["weight_decay"] == 0.0


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1)
    )


@pytest.mark.parametrize("kind", ["lion", "adopt", "shampoo", "soap", "muon"])
def test_a_tuner_around_each(kind: str) -> None:
    model = net()
    groups = lt.parameterize(
        model, "sp", base=nn.Sequential(
            nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1)
        ), optimizer=kind, lr=1.0, weight_decay=0.01, seed=0,
    )  # fmt: skip
    tuner = CDAT(lt.make_optimizer(groups), sigma=1.0)
    inputs = torch.randn(16, 4, generator=torch.Generator().manual_seed(0))
    losses = [
        float(tuner.step(lambda: (model(inputs) - inputs.sum(1, keepdim=True)).square().mean()))
        for _ in range(12)
    ]
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[-1] < 0.9 * losses[0]


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(pytorch_optimizer, "import_module", missing)
    with pytest.raises(ImportError, match=r'Lion .*pip install "lrtransfer\[optimizers\]"'):
        build([{"params": [nn.Parameter(torch.ones(2, 2))], "lr": 1.0, "optimizer": "lion"}])


@pytest.mark.parametrize("kind", ["lion", "adopt", "shampoo", "soap"])
@pytest.mark.parametrize(
    "again", [deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))], ids=["deepcopy", "pickle"]
)
def test_a_copy_goes_on_as_the_original(kind: str, again: Any) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6, bias=False), nn.Tanh(), nn.Linear(6, 1, bias=False))
    groups = [{"params": list(model.parameters()), "lr": 0.1, "optimizer": kind}]
    pair = model, lt.make_optimizer(groups)
    descend(*pair)
    copied = again(pair)
    assert descend(*copied) == descend(*pair)


def descend(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[float]:
    losses = []
    for _ in range(3):
        loss = model(torch.linspace(-1, 1, 8).view(2, 4)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
