"""Measured alignment against explicit matrices, in float64, of every kind of layer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lrtransfer.alignment import Alignment, decay_shares, measure
from lrtransfer.theory import alignment as theory

from .explicit import close, expected, patches, quantities, stepped, weights


def test_linear_layers_are_measured_on_what_reaches_them_before_the_update() -> None:
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).double()
    inputs = torch.randn(4, 6, 5, dtype=torch.float64)
    with torch.no_grad():
        hidden = model[1](model[0](inputs))
    before, _ = stepped(model, inputs)
    found = measure(model, before, inputs)
    assert list(found) == ["0.weight", "2.weight"]
    for name, columns in (("0.weight", inputs), ("2.weight", hidden)):
        matrix = columns.flatten(0, -2).T
        exact = expected(before[name], model.get_parameter(name).detach(), matrix)
        assert quantities(found[name]) == close(exact)
        assert found[name].samples == 24
    assert [own.fan_in for own in found.values()] == [5, 7]


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3},
        {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0)},
        {"kernel_size": 2, "dilation": 2, "padding": 2, "bias": False},
    ],
)
def test_a_convolution_is_a_map_of_its_patches(options: dict[str, Any]) -> None:
    model = nn.Conv2d(3, 5, **options).double()
    images = torch.randn(2, 3, 7, 8, dtype=torch.float64)
    before, _ = stepped(model, images)
    columns = patches(model)(images)
    exact = expected(before["weight"].flatten(1), model.weight.detach().flatten(1), columns)
    found = measure(model, before, images)["weight"]
    assert quantities(found) == close(exact)
    assert (found.fan_in, found.samples) == columns.shape


def test_a_grouped_convolution_is_block_diagonal() -> None:
    model = nn.Conv2d(4, 6, 2, groups=2).double()
    images = torch.randn(3, 4, 5, 5, dtype=torch.float64)
    before, _ = stepped(model, images)

    def blocks(weight: Tensor) -> Tensor:
        first, second = weight.flatten(1).chunk(2)
        upper = torch.cat([first, torch.zeros_like(second)], dim=1)
        return torch.cat([upper, torch.cat([torch.zeros_like(first), second], dim=1)])

    columns = patches(model)(images)
    exact = expected(blocks(before["weight"]), blocks(model.weight.detach()), columns)
    exact["weight_rms"] = float(before["weight"].square().mean().sqrt())
    found = measure(model, before, images)["weight"]
    assert quantities(found) == close(exact)
    assert found.fan_in == 16


@pytest.mark.parametrize("axes", [1, 3])
def test_convolutions_of_one_and_three_axes_agree_with_two(axes: int) -> None:
    kinds: dict[int, type[nn.Conv1d] | type[nn.Conv3d]] = {1: nn.Conv1d, 3: nn.Conv3d}
    model = kinds[axes](2, 3, 3, padding="same").double()
    flat = nn.Conv2d(2, 3, (1, 3) if axes == 1 else 3, padding="same").double()
    images = torch.randn(2, 2, *[4] * axes, dtype=torch.float64)
    if axes == 3:  # only the middle of the third axis is reached
        model.weight.data[..., [0, 2]] = 0
        images[..., [0, 2, 3]] = 0
        flat.weight.data = model.weight.data[..., 1].clone()
        plane = images[..., 1]
    else:
        flat.weight.data = model.weight.data.unsqueeze(2).clone()
        plane = images.unsqueeze(2)
    assert model.bias is not None and flat.bias is not None
    flat.bias.data = model.bias.data.clone()
    previous = weights(model)
    with torch.no_grad():
        model.weight += 0.1 * model.weight.sign()
        flat_before = weights(flat)
        flat.weight += 0.1 * flat.weight.sign()
    found, other = (
        measure(model, previous, images)["weight"],
        measure(flat, flat_before, plane)["weight"],
    )
    assert found.output == pytest.approx(other.output)
    assert found.change == pytest.approx(other.change)
    assert found.update == pytest.approx(other.update)
    # Each of three patches along the third axis sees the plane.
    assert found.inputs == pytest.approx(other.inputs * (3 if axes == 3 else 1))


def test_an_image_without_a_batch_axis_is_one_sample_s() -> None:
    model = nn.Conv2d(3, 2, 3).double()
    image = torch.randn(3, 6, 6, dtype=torch.float64)
    before, _ = stepped(model, image)
    assert measure(model, before, image) == measure(model, before, image.unsqueeze(0))


def test_an_embedding_is_a_map_of_one_hot_columns() -> None:
    model = nn.Embedding(11, 5).double()
    tokens = torch.randint(0, 11, (4, 6))
    before, _ = stepped(model, tokens)
    columns = functional.one_hot(tokens.flatten(), 11).double().T
    exact = expected(before["weight"].T, model.weight.detach().T, columns)
    found = measure(model, before, tokens)["weight"]
    assert quantities(found) == close(exact)
    assert (found.fan_in, found.samples, found.inputs) == (11, 24, 24)


class Tied(nn.Module):
    """An embedding whose weight is the readout's too, and a map called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(9, 6)
        self.map = nn.Linear(6, 6)
        self.readout = nn.Linear(6, 9, bias=False)
        self.readout.weight = self.embed.weight

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits."""
        outputs: Tensor = self.readout(self.map(self.map(self.embed(tokens))))
        return outputs


def test_tied_weights_are_measured_at_both_places_and_shared_modules_over_all_calls() -> None:
    model, tokens = Tied().double(), torch.randint(0, 9, (5, 3))
    with torch.no_grad():
        first = model.embed(tokens).flatten(0, 1)
        second = model.map(first)
        third = model.map(second)
    before, optimizer = stepped(model, tokens)
    found = measure(model, before, tokens)
    assert list(found) == ["embed.weight", "map.weight", "readout.weight"]
    shared = expected(before["map.weight"], model.map.weight.detach(), torch.cat([first, second]).T)
    assert quantities(found["map.weight"]) == close(shared)
    tied = expected(before["embed.weight"], model.embed.weight.detach(), third.T)
    assert quantities(found["readout.weight"]) == close(tied)
    assert decay_shares(model, optimizer).keys() >= found.keys()
    twice = before | {"readout.weight": before["embed.weight"].clone()}
    assert measure(model, twice, tokens) == found


def test_chunks_of_a_batch_are_the_whole_batch() -> None:
    model, inputs = nn.Linear(4, 3).double(), torch.randn(10, 4, dtype=torch.float64)
    before, _ = stepped(model, inputs)
    whole = measure(model, before, inputs)["weight"]
    parts = measure(model, before, [inputs[:3], inputs[3:]])["weight"]
    assert vars(parts) == pytest.approx(vars(whole), rel=1e-12)


class Keywords(nn.Module):
    """Takes a dict, and calls its layer by keyword."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(4, 3)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Return the outputs."""
        outputs: Tensor = self.map(input=batch["x"])
        return outputs


def test_inputs_may_be_a_dict_and_layers_called_by_keyword() -> None:
    model, inputs = Keywords(), torch.randn(6, 4)
    before, _ = stepped(model, {"x": inputs})
    plain = measure(model.map, {n[4:]: p for n, p in before.items()}, inputs)
    assert measure(model, before, {"x": inputs})["map.weight"] == plain["weight"]


def test_the_update_of_one_sample_is_fully_aligned() -> None:
    model = nn.Linear(8, 5, bias=False).double()
    inputs = torch.randn(1, 8, dtype=torch.float64)
    before, _ = stepped(model, inputs, torch.optim.SGD)
    found = measure(model, before, inputs)["weight"]
    assert found.update_alignment == pytest.approx(1, rel=1e-12)
    assert found.relative_change == pytest.approx(
        found.alignment_ratio * found.relative_update, rel=1e-12
    )


def test_a_step_of_gradient_descent_aligns_as_the_gram_matrix_says() -> None:
    model = nn.Linear(16, 6, bias=False).double()
    inputs = torch.randn(10, 16, dtype=torch.float64)
    gradient = torch.randn(10, 6, dtype=torch.float64)
    before = weights(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    (model(inputs) * gradient).sum().backward()
    optimizer.step()
    law = theory.gram_update_alignment(
        gradient.T.numpy().astype(np.float64), inputs.T.numpy().astype(np.float64)
    )
    found = measure(model, before, inputs)["weight"]
    assert found.update_alignment == pytest.approx(law, rel=1e-12)


@pytest.mark.parametrize("share", [0.05, 0.6])
def test_decay_is_taken_out_of_the_update_exactly(share: float) -> None:
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).double()
    twin = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).double()
    twin.load_state_dict(model.state_dict())
    inputs = torch.randn(6, 5, dtype=torch.float64)
    before, optimizer = stepped(model, inputs, weight_decay=10 * share)
    stepped(twin, inputs, weight_decay=0.0)
    shares = decay_shares(model, optimizer)
    assert shares["0.weight"] == pytest.approx(share)
    found, bare = measure(model, before, inputs), measure(twin, before, inputs)
    for name, own in found.items():
        assert vars(own.without_decay(shares[name])) == pytest.approx(vars(bare[name]), rel=1e-9)
        assert own.relative_update != pytest.approx(bare[name].relative_update, rel=1e-3)


def test_a_step_that_is_decay_alone_leaves_nothing() -> None:
    model, inputs = nn.Linear(4, 3).double(), torch.randn(5, 4, dtype=torch.float64)
    before = weights(model)
    with torch.no_grad():
        model.weight *= 0.9
    own = measure(model, before, inputs)["weight"]
    assert own.alignment_ratio == pytest.approx(1)
    assert own.relative_update == pytest.approx(0.1)
    assert own.without_decay(0.1).relative_update < 1e-7


def test_without_a_step_the_update_is_zero_and_has_no_alignment() -> None:
    model, inputs = nn.Linear(4, 3), torch.randn(5, 4)
    found = measure(model, weights(model), inputs)["weight"]
    assert found.relative_update == found.relative_change == 0
    assert math.isnan(found.update_alignment) and math.isnan(found.alignment_ratio)
    assert 0 < found.weight_alignment <= 1


def test_a_diverged_network_gives_nan() -> None:
    model, inputs = nn.Linear(4, 3), torch.randn(5, 4)
    before = weights(model)
    with torch.no_grad():
        model.weight[0, 0] = math.inf
    found = measure(model, before, inputs)["weight"]
    assert math.isfinite(found.weight_alignment)
    assert not math.isfinite(found.update_alignment)
    before["weight"][0, 0] = math.nan
    values = measure(model, before, inputs)["weight"].without_decay(0.1)
    assert all(math.isnan(value) for value in quantities(values).values())


def first_step(width: int) -> Alignment:
    """Return the hidden layer's quantities after μP's first step of Adam on a teacher's labels."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(512, 64, generator=generator)
    teacher = torch.randn(64, 8, generator=generator)
    labels = (inputs @ teacher).argmax(-1)
    model = nn.Sequential(
        *(nn.Linear(64, width, bias=False), nn.ReLU(), nn.Linear(width, width, bias=False)),
        *(nn.ReLU(), nn.Linear(width, 8, bias=False)),
    )
    deviations = {"0": 64**-0.5, "2": (2 / width) ** 0.5, "4": 1 / width}
    for name, deviation in deviations.items():
        nn.init.normal_(model.get_parameter(f"{name}.weight"), std=deviation, generator=generator)
    before = weights(model)
    groups = [{"params": p, "lr": 0.05 / width} for p in model.parameters()]
    optimizer = torch.optim.AdamW(groups, eps=1e-14)
    loss = functional.cross_entropy(model(inputs), labels)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return measure(model, before, inputs)["2.weight"]


def test_at_the_first_step_mup_s_assumptions_hold() -> None:
    """α_W = C^-½ and α_ΔW = Θ(1), so that rates ∝ 1/C change every width's outputs alike."""
    narrow, wide = first_step(32), first_step(512)
    assert wide.weight_alignment * 512**0.5 == pytest.approx(1, rel=0.05)
    slope = math.log(wide.alignment_ratio / narrow.alignment_ratio, 16)
    assert slope == pytest.approx(0.5, abs=0.05)
    assert wide.relative_update == pytest.approx(narrow.relative_update / 4, rel=0.1)
    assert wide.relative_change == pytest.approx(narrow.relative_change, rel=0.2)
