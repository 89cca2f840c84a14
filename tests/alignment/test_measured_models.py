"""Measured models: recomputed, compiled, with state, in low precision; what cannot be measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from lrtransfer.alignment import measure

from .explicit import close, expected, quantities, stepped, weights


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


class Blocks(nn.Module):
    """Three maps, the middle one recomputed in the backward pass."""

    def __init__(self, reentrant: bool | None) -> None:
        super().__init__()
        self.first, self.middle = nn.Linear(5, 8), nn.Linear(8, 8)
        self.last, self.reentrant = nn.Linear(8, 3), reentrant

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs."""
        hidden = self.first(inputs)
        if self.reentrant is None:
            hidden = self.middle(hidden).tanh()
        else:
            hidden = checkpoint(
                lambda h: self.middle(h).tanh(), hidden, use_reentrant=self.reentrant
            )
        outputs: Tensor = self.last(hidden)
        return outputs


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("reentrant", [True, False])
def test_activation_checkpointing_counts_once(reentrant: bool) -> None:
    inputs, found = torch.randn(6, 5), []
    for kind in (None, reentrant):
        torch.manual_seed(1)
        model = Blocks(kind)
        before, _ = stepped(model, inputs)
        found.append(measure(model, before, inputs))
    assert found[0] == found[1]
    assert found[1]["middle.weight"].samples == 6


@pytest.mark.parametrize("how", ["wrapped", "in place", "inner"])
def test_a_compiled_model_is_measured_and_stays_compiled(
    how: Literal["wrapped", "in place", "inner"],
) -> None:
    torch._dynamo.reset()
    graphs = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    inputs = torch.randn(6, 5)
    plain = Blocks(None)
    compiled: Any = Blocks(None)
    compiled.load_state_dict(plain.state_dict())
    if how == "wrapped":
        compiled = torch.compile(compiled, backend=backend)
    elif how == "in place":
        compiled.compile(backend=backend)
    else:
        compiled.middle = torch.compile(compiled.middle, backend=backend)
    before, _ = stepped(plain, inputs)
    compiled_before, _ = stepped(compiled, inputs)
    made = len(graphs)
    assert made > 0
    found = measure(compiled, compiled_before, inputs)
    assert {n.replace("_orig_mod.", ""): own for n, own in found.items()} == measure(
        plain, before, inputs
    )
    compiled(inputs)
    assert len(graphs) == made, "the measurement made the model compile anew"


class Stateful(nn.Module):
    """Batch norm and dropout: a buffer and the random state."""

    def __init__(self) -> None:
        super().__init__()
        self.map, self.norm = nn.Linear(5, 8), nn.BatchNorm1d(8)
        self.drop, self.readout = nn.Dropout(0.5), nn.Linear(8, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs."""
        outputs: Tensor = self.readout(self.drop(self.norm(self.map(inputs))))
        return outputs


def test_a_measurement_changes_nothing() -> None:
    model, inputs = Stateful(), torch.randn(12, 5)
    before, _ = stepped(model, inputs)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    random = torch.get_rng_state()
    measure(model, before, inputs)
    assert torch.equal(torch.get_rng_state(), random)
    for name, value in model.state_dict().items():
        assert torch.equal(value, state[name]), name
    for kept, parameter in zip(gradients, model.parameters(), strict=True):
        assert parameter.grad is not None
        assert torch.equal(kept, parameter.grad)
    assert model.training
    assert not any(m._forward_pre_hooks for m in model.modules())


def test_hooks_are_gone_after_a_failure_too() -> None:
    model = nn.Sequential(nn.Linear(5, 8), nn.Linear(7, 3))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        measure(model, weights(model), torch.randn(2, 5))
    assert not any(m._forward_pre_hooks for m in model.modules())


def test_low_precision_weights_are_summed_in_float32() -> None:
    model, inputs = nn.Linear(64, 32).bfloat16(), torch.randn(128, 64).bfloat16()
    before = weights(model)
    with torch.no_grad():
        model.weight += 0.01 * torch.randn(32, 64)
    update = model.weight.detach().double() - before["weight"].double()
    exact = expected(
        before["weight"].double(), before["weight"].double() + update, inputs.double().T
    )
    with torch.autocast("cpu", torch.bfloat16):
        found = measure(model, before, inputs)["weight"]
    assert quantities(found) == close(exact, 1e-5)


class Bypassed(nn.Module):
    """Uses a layer's weight without calling the layer."""

    def __init__(self) -> None:
        super().__init__()
        self.called, self.bypassed = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs."""
        return functional.linear(self.called(inputs), self.bypassed.weight)


def test_a_bypassed_layer_is_named_with_the_remedy() -> None:
    model, inputs = Bypassed(), torch.randn(5, 4)
    before, _ = stepped(model, inputs)
    with pytest.raises(RuntimeError, match=r"'bypassed\.weight' was not called.*skip="):
        measure(model, before, inputs)
    assert list(measure(model, before, inputs, skip=["bypassed.weight"])) == ["called.weight"]


def test_frozen_layers_are_not_measured() -> None:
    model = nn.Sequential(nn.Linear(5, 7), nn.Linear(7, 3))
    before = {name: p for name, p in weights(model).items() if name.startswith("1.")}
    assert list(measure(model, before, torch.randn(4, 5))) == ["1.weight"]


@pytest.mark.parametrize(
    ("previous", "batch", "message"),
    [
        ({"0.weight": torch.zeros(2, 2)}, torch.zeros(1, 5), r"previous\['0.weight'\] has shape"),
        ({"9.weight": torch.zeros(2, 2)}, torch.zeros(1, 5), "the model has no such parameter"),
        ({"0.bias": torch.zeros(7)}, torch.zeros(1, 5), "no linear, convolutional or embedding"),
        ({"0.weight": torch.zeros(7, 5)}, [], "batch_inputs holds no batch"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    previous: dict[str, Tensor], batch: Any, message: str
) -> None:
    model = nn.Sequential(nn.Linear(5, 7), nn.Linear(7, 3))
    with pytest.raises(ValueError, match=message):
        measure(model, previous, batch)
