"""Networks and batches of the check."""

from __future__ import annotations

import pytest
import torch

from lrtransfer.coordinates.problem import OUTPUTS, SIZES, Sizes, problem
from lrtransfer.study.plan import catalog

from .tables import rules


@pytest.mark.parametrize("family", catalog.names("models"))
def test_every_family_has_a_problem_of_four_widths(family: str) -> None:
    posed = problem(family)
    assert len(posed.widths) >= 4
    net = posed.network(rules("mup", "sgd"), posed.widths[0], seed=0)
    assert net.model(posed.inputs).shape == posed.signs.shape


def test_a_family_without_sizes_of_its_own_has_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    for family in ("vit", "gpt", "residual_mlp"):
        monkeypatch.delitem(SIZES, family)
        posed = problem(family)
        net = posed.network(rules("mup", "sgd"), posed.widths[0], seed=0)
        assert net.model(posed.inputs).shape == posed.signs.shape


def test_signs_are_signs_and_the_batch_is_the_same_each_time() -> None:
    first, second = problem("gpt"), problem("gpt")
    assert set(first.signs.flatten().tolist()) == {-1.0, 1.0}
    assert torch.equal(first.inputs, second.inputs)
    assert torch.equal(first.signs, second.signs)
    assert first.inputs.max() < OUTPUTS


def test_the_first_width_is_the_base() -> None:
    posed = problem("residual_mlp", Sizes((8, 16)))
    rates = [posed.network(rules("mup", "sgd"), n, seed=0).rates["embed.weight"] for n in (8, 16)]
    assert rates == [1.0, 2.0]


def test_an_unknown_family_is_named() -> None:
    with pytest.raises(ValueError, match=r"model is 'resnest'.*resnet"):
        problem("resnest")
