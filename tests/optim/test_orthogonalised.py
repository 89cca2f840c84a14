"""Muon: numbers of the iteration, an independent implementation, fused maps and other traps."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import lrtransfer as lt
from lrtransfer.optim.orthogonalised import Muon, shape_factor
from lrtransfer.scaling.matrices import Interleaved, form_of

A, B, C = 3.4445, -4.7750, 2.0315


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def update(gradient: Tensor, **options: Any) -> Tensor:
    """Return the first step of Muon at η = 1, from zero weights."""
    w = nn.Parameter(torch.zeros_like(gradient))
    w.grad = gradient.clone()
    Muon([{"params": [w], **options}], lr=1.0).step()
    return w.detach()


def polar(matrix: Tensor) -> Tensor:
    u, _, v = torch.linalg.svd(matrix.double(), full_matrices=False)
    return u @ v


def phi(value: float) -> float:
    for _ in range(5):
        value = A * value + B * value**3 + C * value**5
    return value


def newton_schulz(matrix: Tensor) -> Tensor:
    """The iteration as published, in float64: no code of torch's Muon."""
    x = matrix.double() / matrix.double().norm()
    wide = x.shape[0] <= x.shape[1]
    x = x if wide else x.T
    for _ in range(5):
        gram = x @ x.T
        x = A * x + (B * gram + C * gram @ gram) @ x
    return x if wide else x.T


#: Precision of the iteration -> how far its steps may be from float64's.
ERRORS = {"bfloat16": 5e-3, "float32": 2e-6}


@pytest.mark.parametrize(("value", "expected"), [(1.0, 0.6964), (0.5, 0.7654), (0.001, 0.473)])
def test_the_iteration_s_scalar_map(value: float, expected: float) -> None:
    assert phi(value) == pytest.approx(expected, abs=3e-3)
    # The step does to singular values what the map does: diag(s, s', …) normalised first.
    matrix = torch.diag(torch.tensor([1.0, value]))
    found = update(-matrix).diagonal()
    scale = math.hypot(1.0, value)
    assert found[1].item() == pytest.approx(phi(value / scale), rel=0.06)  # in bfloat16
    found = update(-matrix, precision="float32").diagonal()
    assert found[1].item() == pytest.approx(phi(value / scale), rel=1e-5)


def test_the_map_s_slope_and_range() -> None:
    assert phi(1e-9) / 1e-9 == pytest.approx(A**5, rel=1e-6)
    assert pytest.approx(484.9, abs=0.1) == A**5
    for low, top in ((0.01, 1.134), (0.002, 1.202)):
        values = [phi(low + (1 - low) * i / 20000) for i in range(20001)]
        assert min(values) == pytest.approx(0.682, abs=1e-3)
        assert max(values) == pytest.approx(top, abs=1e-3)


@pytest.mark.parametrize(
    ("shape", "expected"), [((64, 64), 0.872), ((256, 64), 0.855), ((64, 256), 0.855)]
)
def test_the_update_of_a_gaussian_gradient(shape: tuple[int, int], expected: float) -> None:
    found = update(gaussian(*shape), factor="original")
    tall = math.sqrt(max(1, shape[0] / shape[1]))
    size = float(found.norm()) / tall / math.sqrt(min(shape))
    assert size == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(("shape", "expected"), [((256, 256), 0.903), ((1024, 256), 0.956)])
def test_the_update_of_a_large_gaussian_gradient(shape: tuple[int, int], expected: float) -> None:
    found = update(gaussian(*shape), factor="original", precision="float32")
    size = float(found.norm()) / math.sqrt(max(shape))
    assert size == pytest.approx(expected, abs=0.003)


def test_a_first_step_points_along_the_polar_factor() -> None:
    gradient = gaussian(8, 4)
    step = update(gradient).double()
    cosine = -(step * polar(gradient)).sum() / step.norm() / polar(gradient).norm()
    assert float(cosine) == pytest.approx(0.987, abs=2e-3)


def test_a_zero_gradient_leaves_decay_alone() -> None:
    w = nn.Parameter(torch.ones(4, 4))
    w.grad = torch.zeros(4, 4)
    Muon([w], lr=0.1, weight_decay=0.5).step()
    assert torch.equal(w.detach(), torch.full((4, 4), 0.95))


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        ("original", (1.0, 2.0, 1.0)),
        ("kimi", (4.525, 9.051, 9.051)),
        ("spectral", (1.0, 2.0, 0.5)),
    ],
)
def test_factors_at_three_shapes(factor: str, expected: tuple[float, ...]) -> None:
    # The same gradient of rank 1 in any shape: its update has one singular value, φ(1)·r.
    one = float(update(torch.eye(8)[:1].T @ torch.eye(8)[:1], factor="original").norm())
    assert one == pytest.approx(phi(1.0), rel=0.02)  # in bfloat16
    for (rows, columns), r in zip([(512, 512), (2048, 512), (512, 2048)], expected, strict=True):
        rank_one = torch.zeros(rows // 16, columns // 16)
        rank_one[0, 0] = 1.0
        # A sixteenth of the sizes: √max(out, in) is a fourth.
        small = r / 4 if factor == "kimi" else r
        assert float(update(rank_one, factor=factor).norm()) == pytest.approx(small * one, rel=1e-3)


@pytest.mark.parametrize("precision", ERRORS)
@pytest.mark.parametrize("shape", [(24, 8), (8, 24)])
def test_ten_steps_as_an_independent_implementation_takes_them(
    precision: Any, shape: tuple[int, int]
) -> None:
    w = nn.Parameter(gaussian(*shape))
    theirs, mean = w.detach().double().clone(), torch.zeros(*shape, dtype=torch.float64)
    optimizer = Muon([w], lr=0.05, weight_decay=0.2, momentum=0.9, precision=precision)
    factor = math.sqrt(shape[0] / shape[1])
    for step in range(10):
        gradient = gaussian(*shape, seed=step + 1)
        w.grad = gradient.clone()
        optimizer.step()
        mean = 0.9 * mean + 0.1 * gradient.double()
        looking = 0.1 * gradient.double() + 0.9 * mean
        theirs = (1 - 0.05 * 0.2) * theirs - 0.05 * factor * newton_schulz(looking)
    moved = (w.detach().double() - theirs).norm() / theirs.norm()
    assert float(moved) < ERRORS[precision]


@pytest.mark.parametrize("precision", ERRORS)
@pytest.mark.parametrize("factor", ["spectral", "original", "kimi"])
def test_a_matrix_of_either_precision_has_the_factor_of_its_shape(
    precision: str, factor: Any
) -> None:
    for shape in ((8, 8), (32, 8), (8, 32)):
        rank_one = torch.zeros(*shape)
        rank_one[0, 0] = 1.0
        size = float(update(rank_one, factor=factor, precision=precision).norm())
        assert size == pytest.approx(shape_factor(*shape, factor) * phi(1.0), rel=0.02), shape


def test_another_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="Give bfloat16 or float32"):
        update(gaussian(4, 4), precision="float16")


@pytest.mark.parametrize("precision", ERRORS)
def test_wide_matrices_decay_without_the_factor(precision: Any) -> None:
    w = nn.Parameter(torch.ones(4, 16))
    w.grad = torch.zeros(4, 16)
    Muon([w], lr=0.1, weight_decay=0.5, precision=precision).step()
    assert torch.allclose(w.detach(), torch.full((4, 16), 0.95))


def fused_gradient() -> Tensor:
    q, k, v = gaussian(3, 64, 64).unbind(0)
    return torch.cat([q, k, v / 20])


def norms(step: Tensor) -> list[float]:
    return [float(part.norm()) for part in step.chunk(3)]


def test_fused_maps_are_stepped_one_by_one() -> None:
    gradient = fused_gradient()
    exact = [float(part.norm()) for part in polar(gradient).chunk(3)]
    assert exact == pytest.approx([5.62, 5.68, 0.39], abs=0.15)  # what one step of all would do
    form = {"parts": [64, 64, 64]}
    apart = update(gradient, form=form)
    assert norms(apart) == pytest.approx([0.872 * 8] * 3, rel=0.03)
    alone = [update(part) for part in gradient.chunk(3)]
    assert torch.equal(apart, torch.cat(alone))
    # One above the other, orthogonal blocks have a spectral norm of up to √3.
    assert float(torch.linalg.matrix_norm(polar(torch.cat([polar(gaussian(8, 8))] * 3)), 2)) > 1.0


def test_maps_that_alternate_by_head() -> None:
    gradient, heads = fused_gradient(), 4
    alternating = gradient.unflatten(0, (3, heads, 16)).transpose(0, 1).flatten(0, 2)
    owner = nn.Linear(64, 192)
    form = form_of("qkv", owner.weight, owner, ("out", "in"), Interleaved(3, heads))
    step = update(alternating, form=form)
    expected = update(gradient, form={"parts": [64, 64, 64]})
    back = step.unflatten(0, (heads, 3, 16)).transpose(0, 1).flatten(0, 2)
    assert torch.equal(back, expected)


def test_experts_of_a_stack_in_either_orientation() -> None:
    gradient = gaussian(3, 16, 8)
    apart = torch.stack([update(expert) for expert in gradient])
    assert torch.equal(update(gradient, form={"stacked": True}), apart)
    turned = update(gradient.transpose(1, 2), form={"stacked": True, "transposed": True})
    assert torch.allclose(turned.transpose(1, 2), apart, atol=0.02)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_convolution_is_flattened_to_all_its_inputs(layout: torch.memory_format) -> None:
    gradient = gaussian(32, 4, 3, 3).to(memory_format=layout)
    step = update(gradient)
    flat = update(gradient.contiguous().flatten(1))
    assert torch.allclose(step.flatten(1), flat)
    assert float(step.norm()) == pytest.approx(0.86 * math.sqrt(32) * math.sqrt(32 / 36), rel=0.03)


def test_what_a_repeated_update_of_grouped_keys_does() -> None:
    for r, expected in ((2, 1.41), (4, 2.0), (8, 2.83)):
        keys = polar(gaussian(8, 64))
        repeated = keys.repeat_interleave(r, 0)
        assert float(torch.linalg.matrix_norm(repeated, 2)) == pytest.approx(expected, abs=0.01)
        # The spectral factor of the grouped map is √(1/r) of the whole one's, and cancels it.
        grown, whole = math.sqrt(8 / 64) * expected, math.sqrt(8 * r / 64)
        assert grown == pytest.approx(whole, rel=0.01)


def test_a_vector_is_refused_when_it_is_added() -> None:
    optimizer = Muon([nn.Parameter(torch.ones(2, 2))])
    with pytest.raises(ValueError, match=r"shape \(3,\) is no matrix\. Give it to AdamW"):
        optimizer.add_param_group({"params": [nn.Parameter(torch.ones(3))]})
    assert len(optimizer.param_groups) == 1
    with pytest.raises(ValueError, match=r"factor is 'rms'\. Give one of spectral"):
        Muon([nn.Parameter(torch.ones(2, 2))], factor="rms")  # type: ignore[arg-type]


def test_a_torch_without_muon_is_refused_by_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(RuntimeError, match=rf"torch {re.escape(torch.__version__)} .*torch 2\.9"):
        Muon([nn.Parameter(torch.ones(2, 2))])


def test_a_checkpoint_continues_bit_for_bit() -> None:
    def run(steps: int, w: nn.Parameter, optimizer: Muon, start: int = 0) -> Tensor:
        for step in range(start, steps):
            w.grad = gaussian(6, 4, seed=step)
            optimizer.step()
        return w.detach().clone()

    whole = nn.Parameter(torch.eye(6, 4))
    expected = run(6, whole, Muon([whole]))
    first = nn.Parameter(torch.eye(6, 4))
    began = Muon([first])
    run(3, first, began)
    second = nn.Parameter(first.detach().clone())
    resumed = Muon([second])
    resumed.load_state_dict(began.state_dict())
    assert torch.equal(run(6, second, resumed, start=3), expected)


def test_rates_planned_for_adam_are_refused() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2))
    groups = lt.parameterize(
        model,
        "mup",
        optimizer="adamw",
        lr=0.1,
        base=nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)),
    )
    (hidden,) = (group for group in groups if group["role"] == "hidden")
    with pytest.raises(ValueError, match="planned for another optimizer"):
        lt.make_optimizer([hidden | {"optimizer": "muon"}])
