"""Which parameters a pattern means."""

import pytest
from torch import nn

from lrtransfer.curvature.selection import Patterns, chosen

from .cases import TiedNet


def names(model: nn.Module, patterns: Patterns | None) -> list[str]:
    return [name for name, _ in chosen(model, patterns)]


def test_one_pattern_or_several_choose_in_the_models_order() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    assert names(model, None) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert names(model, "*.bias") == ["0.bias", "1.bias"]
    assert names(model, ["1.*", "0.weight"]) == ["0.weight", "1.weight", "1.bias"]


def test_a_tied_parameter_is_found_under_each_name_once() -> None:
    assert names(TiedNet(), ["decode.*", "encode.weight"]) == ["encode.weight"]


@pytest.mark.parametrize("patterns", ["2.*", ["0.*", "2.*"], ["0.bias"]])
def test_a_pattern_without_a_trainable_match_names_what_there_is(patterns: Patterns) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0].bias.requires_grad_(False)
    with pytest.raises(ValueError, match=r"matches no trainable .* \*\.weight, \*\.bias"):
        names(model, patterns)


def test_no_pattern_at_all_raises() -> None:
    with pytest.raises(ValueError, match="parameters is empty"):
        names(nn.Linear(2, 2), [])
