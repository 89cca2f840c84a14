"""The mixture of experts: selection, its published scales, and Muon expert by expert."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from lrtransfer.scaling import table
from lrtransfer.scaling.apply import apply
from lrtransfer.scaling.rules import Constants
from lrtransfer.study.models.experts import Experts, MixtureOfExperts
from tests.study.models.cases import fill


def experts(**changes: Any) -> Experts:
    sizes: dict[str, Any] = {"features": 4, "hidden": 6, "experts": 3, "active": 2}
    made = Experts(**(sizes | changes))
    fill(made)
    return made


def gaussian(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_output_is_that_of_the_selected_experts() -> None:
    mixture, inputs = experts(), gaussian(7, 4)
    for row, found in zip(inputs, mixture(inputs), strict=True):
        logits = mixture.router(row)
        chosen = logits.topk(2).indices.tolist()
        gates = logits[chosen].softmax(0)
        outputs = [g * mixture.experts[e](row) for g, e in zip(gates, chosen, strict=True)]
        expected = (4 / 6) ** 0.5 * torch.stack(outputs).sum(0)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_an_expert_that_no_token_passes_has_no_gradient() -> None:
    mixture = experts(experts=3, active=1)
    inputs = gaussian(1, 4)
    mixture(inputs).sum().backward()
    chosen = int(mixture.router(inputs).argmax())
    for index, expert in enumerate(mixture.experts):
        moved = any(bool(p.grad.any()) for p in expert.parameters() if p.grad is not None)
        assert moved == (index == chosen)


def test_all_experts_active_is_a_soft_mixture() -> None:
    mixture, inputs = experts(active=3), gaussian(5, 4)
    gates = mixture.router(inputs).softmax(-1)
    every = torch.stack([expert(inputs) for expert in mixture.experts], -1)
    expected = (4 / 6) ** 0.5 * (every * gates.unsqueeze(-2)).sum(-1)
    torch.testing.assert_close(mixture(inputs), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("width", "ratio"), [(16, 1), (16, 4), (64, 4), (64, 16)])
def test_entries_and_rates_are_the_published_ones(width: int, ratio: int) -> None:
    model = MixtureOfExperts(
        in_features=0, out_features=5, width=width, depth=2, heads=2, block_size=5, mlp_ratio=ratio
    )
    rules = table.rules("mup", "adam")
    scaled = apply(
        model, model.roles(), rules, Constants(base_width=8), width=width, depth=2,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    inner = ratio * width
    factor = (width / inner) ** 0.5
    # Entries at the start and Adam's rate, over 1/√8 and the rest of the base.
    for name, init, rate, outside in (
        ("router", width**-0.5, width**-1.0, 1.0),
        ("experts.0.gate", width**-0.5, width**-1.0, 1.0),
        ("experts.0.expand", width**-0.5, width**-1.0, 1.0),
        ("experts.0.contract", width**0.5 / inner, 1 / inner, factor),
    ):
        found = scaled[f"branches.1.1.{name}.weight"]
        assert found.init * found.multiplier * outside == pytest.approx(init), name
        assert found.learning_rate * found.multiplier * outside == pytest.approx(rate * 8**0.5), (
            name
        )


def test_a_number_of_active_experts_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="active is 4. Give 1 to 3".replace(".", r"\.")):
        experts(active=4)
