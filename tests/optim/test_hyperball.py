"""Matrices of fixed norm: the published numbers, an independent implementation, what is refused."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from lrtransfer.optim.hyperball import Hyperball
from lrtransfer.optim.orthogonalised import Muon
from lrtransfer.optim.tuners.cdat import CDAT


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def stepped(update: list[list[float]], rate: float = 0.1, scale: float = 1.0) -> Tensor:
    w = nn.Parameter(torch.diag(torch.tensor([3.0, 4.0], dtype=torch.float64)))
    w.grad = scale * torch.tensor(update, dtype=torch.float64)
    Hyperball(torch.optim.SGD([w], lr=rate)).step()
    return w.detach()


def test_one_step_of_the_source_s_example() -> None:
    found = stepped([[0.0, 1.0], [1.0, 0.0]])
    expected = torch.tensor([[2.98511, -0.35180], [-0.35180, 3.98015]], dtype=torch.float64)
    assert torch.allclose(found, expected, atol=5e-6)
    assert float(found.norm()) == pytest.approx(5.0, abs=1e-14)
    start = torch.diag(torch.tensor([3.0, 4.0], dtype=torch.float64))
    assert float((found - start).norm()) / 5 == pytest.approx(0.0996, abs=1e-4)
    radial = stepped([[3.0, 1.0], [1.0, 4.0]])
    assert float((radial - start).norm()) / 5 == pytest.approx(0.0301, abs=1e-4)


def test_the_size_of_the_update_has_no_meaning() -> None:
    one, many = (stepped([[1.0, 2.0], [0.0, 1.0]], scale=c) for c in (1.0, 1e6))
    assert torch.allclose(one, many, atol=1e-14)


@pytest.mark.parametrize(("rate", "expected"), [(0.1, 1.1e-2), (0.01, 1.0e-4), (0.001, 1.0e-6)])
def test_decay_would_be_of_second_order(rate: float, expected: float) -> None:
    # By hand, since the wrapper refuses it: decay changes the direction by η² times its own size.
    w, u = gaussian(16, 16), gaussian(16, 16, seed=1)
    u = u - (u * w).sum() / w.norm() ** 2 * w

    def ball(start: Tensor) -> Tensor:
        moved = start - rate * w.norm() * u / u.norm()
        return w.norm() * moved / moved.norm()

    change = float((ball(w) - ball((1 - rate) * w)).norm() / w.norm())
    assert change == pytest.approx(expected, rel=0.15)


def test_ten_steps_of_adam_as_an_independent_implementation_takes_them() -> None:
    start = gaussian(6, 4)
    w, theirs = nn.Parameter(start.clone()), start.clone()
    optimizer = Hyperball(torch.optim.Adam([w], lr=0.05, betas=(0.8, 0.9), eps=1e-8))
    m, v = torch.zeros_like(start), torch.zeros_like(start)
    for step in range(1, 11):
        gradient = gaussian(6, 4, seed=step)
        w.grad = gradient.clone()
        optimizer.step()
        m, v = 0.8 * m + 0.2 * gradient, 0.9 * v + 0.1 * gradient**2
        u = (m / (1 - 0.8**step)) / ((v / (1 - 0.9**step)).sqrt() + 1e-8)
        moved = theirs - 0.05 * start.norm() * u / u.norm()
        theirs = start.norm() * moved / moved.norm()
    assert torch.allclose(w.detach(), theirs, atol=1e-13)


def test_each_expert_keeps_its_own_norm_under_muon() -> None:
    w = nn.Parameter(gaussian(3, 8, 4) * torch.tensor([1.0, 2.0, 3.0]).double()[:, None, None])
    before = w.detach().flatten(1).norm(dim=1)
    optimizer = Hyperball(Muon([{"params": [w], "form": {"stacked": True}}], lr=0.1))
    for step in range(3):
        w.grad = gaussian(3, 8, 4, seed=step)
        optimizer.step()
    assert torch.allclose(w.detach().flatten(1).norm(dim=1), before, atol=1e-12)


def test_decay_and_zero_norms_are_refused() -> None:
    w = nn.Parameter(torch.zeros(2, 2))
    with pytest.raises(ValueError, match=r"weight_decay is 0\.1, and the norm is fixed"):
        Hyperball(torch.optim.AdamW([w], weight_decay=0.1))
    optimizer = Hyperball(torch.optim.SGD([w], lr=0.1))
    w.grad = torch.ones(2, 2)
    with pytest.raises(ValueError, match=r"of shape \(2, 2\) is zero: it has no direction"):
        optimizer.step()
    assert not w.detach().any()
    with pytest.raises(ValueError, match="norm is fixed"):
        optimizer.add_param_group({"params": [nn.Parameter(torch.ones(2))], "weight_decay": 1.0})


def test_a_zero_update_moves_nothing() -> None:
    w = nn.Parameter(torch.eye(2))
    w.grad = torch.zeros(2, 2)
    Hyperball(torch.optim.SGD([w], lr=0.1)).step()
    assert torch.equal(w.detach(), torch.eye(2))


def test_a_tuner_refuses_a_step_that_is_no_line() -> None:
    with pytest.raises(ValueError, match="keeps norms fixed"):
        CDAT(Hyperball(torch.optim.SGD([nn.Parameter(torch.eye(2))], lr=1.0)))


def test_checkpoint_and_copy_keep_the_radius() -> None:
    w = nn.Parameter(gaussian(3, 3))
    optimizer = Hyperball(torch.optim.Adam([w], lr=0.1))
    w.grad = gaussian(3, 3, seed=1)
    optimizer.step()
    radius = optimizer.state[w]["radius"].clone()
    other = nn.Parameter(2 * w.detach())  # loaded weights that had another norm
    resumed = Hyperball(torch.optim.Adam([other], lr=0.1))
    resumed.load_state_dict(optimizer.state_dict())
    assert torch.equal(resumed.state[other]["radius"], radius)
    other.grad = gaussian(3, 3, seed=2)
    resumed.step()
    assert float(other.detach().norm()) == pytest.approx(float(radius), rel=1e-12)
    twin = copy.deepcopy(optimizer)
    assert twin.base.state is twin.state
