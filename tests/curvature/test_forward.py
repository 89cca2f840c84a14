"""What the frozen forward pass accepts as model and scale."""

import pytest
import torch
from torch import nn

from lrtransfer.curvature.forward import FrozenForward

from .cases import TiedNet


def test_scale_reaches_tied_parameters_by_either_name() -> None:
    for name in ("encode.weight", "decode.weight"):
        forward = FrozenForward(TiedNet(), {name: 4.0, "encode.bias": 9.0})
        assert forward.roots == [2.0, 3.0]


def test_contradicting_scales_of_a_tied_tensor_raise() -> None:
    scale = {"encode.weight": 4.0, "decode.weight": 1.0, "encode.bias": 1.0}
    with pytest.raises(ValueError, match="tied"):
        FrozenForward(TiedNet(), scale)


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        ({"weight": 1.0}, "lacks"),
        ({"weight": 1.0, "bias": 1.0, "gain": 1.0}, "no parameter"),
        ({"weight": -1.0, "bias": 1.0}, "not negative"),
        ({"weight": float("nan"), "bias": 1.0}, "finite"),
        ({"weight": torch.ones(4), "bias": 1.0}, "shape"),
        ({"weight": -torch.ones(2, 2), "bias": 1.0}, "negative"),
    ],
)
def test_scales_that_do_not_fit_raise(scale: dict[str, float | torch.Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FrozenForward(nn.Linear(2, 2), scale)


def test_low_precision_parameters_raise() -> None:
    with pytest.raises(ValueError, match=r"model\.float\(\)"):
        FrozenForward(nn.Linear(2, 2).bfloat16())


def test_mixed_precision_parameters_raise() -> None:
    with pytest.raises(ValueError, match="one dtype"):
        FrozenForward(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double()))


def test_a_model_without_trainable_parameters_raises() -> None:
    with pytest.raises(ValueError, match="trainable"):
        FrozenForward(nn.Linear(2, 2).requires_grad_(False))


def test_an_error_inside_a_run_still_restores_modes_and_random_state() -> None:
    model = nn.Dropout(0.5)
    model.weight = nn.Parameter(torch.ones(2))
    forward = FrozenForward(model)
    model.eval()
    random_state = torch.get_rng_state()

    def fail() -> None:
        torch.rand(3)
        assert model.training
        raise KeyError

    with pytest.raises(KeyError):
        forward.run(fail)
    assert not model.training
    assert torch.equal(torch.get_rng_state(), random_state)
