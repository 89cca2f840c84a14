"""How a batch reaches the model, and the loss comes back."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lrtransfer.curvature import HessianOperator
from lrtransfer.curvature.calls import call_arguments, loss_of

X = torch.zeros(2)


class Keywords(nn.Module):
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return x


class Whole(nn.Module):
    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        return batch["x"]


class Wrapper(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: Any, **named: Any) -> Any:
        return self.module(*inputs, **named)


@pytest.mark.parametrize("wrap", [lambda m: m, Wrapper, torch.compile])
def test_a_mapping_becomes_keywords_only_where_forward_takes_them(wrap: Any) -> None:
    inputs = {"x": X, "mask": X}
    assert call_arguments(wrap(Keywords()), inputs) == ((), inputs)
    assert call_arguments(wrap(Whole()), inputs) == ((inputs,), {})
    assert call_arguments(wrap(Whole()), X) == ((X,), {})


def test_names_that_forward_does_not_take_are_said() -> None:
    with pytest.raises(ValueError, match=r"does not take .*x, token_types .*give it x, mask"):
        call_arguments(Keywords(), {"x": X, "token_types": X})


LOSS = torch.tensor(1.0)


@pytest.mark.parametrize("outputs", [LOSS, (LOSS, X), {"loss": LOSS, "logits": X}])
def test_a_models_own_loss_is_found(outputs: Any) -> None:
    assert loss_of(outputs) is LOSS


@pytest.mark.parametrize("outputs", [X, (X, LOSS), {"loss": None}, None])
def test_outputs_without_a_loss_raise(outputs: Any) -> None:
    with pytest.raises(ValueError, match="put labels in the batch"):
        loss_of(outputs)


def test_a_loss_function_without_batch_is_no_closure() -> None:
    with pytest.raises(ValueError, match=r"closure\(\) that calls the model"):
        HessianOperator(nn.Linear(1, 1), nn.functional.mse_loss)
    with pytest.raises(ValueError, match="give a batch, or a closure"):
        HessianOperator(nn.Linear(1, 1))
