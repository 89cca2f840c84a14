"""Every tensor of every family without a hint: role, fan-in, initial size, rate and decay."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import lrtransfer as lt
from lrtransfer.scaling.hooks import multipliers

pytest.importorskip("transformers")

from .nets import FAMILIES, OTHER, Shape
from .tables import Row, row_of, rows

BASE, WIDTH = 16, 64
GROWTH = WIDTH / BASE
FUSED = {"GPT2": 1, "GPTNeoX": 1, "torch": 1}  # whose queries share a tensor with keys and values


def expected(row: Row, factor: float) -> dict[str, float]:
    """Return Table 3 of Yang et al. (2022) under Adam, in which readouts have no multiplier."""
    init = {"embedding": 1.0, "positional": 1.0, "hidden": row.fan_in**-0.5}
    init |= {"input": row.fan_in**-0.5, "output": (row.fan_in * GROWTH) ** -0.5}
    vector = row.role in {"bias", "scalar_bias", "norm_gain"}
    return {
        "init": factor * init.get(row.role, 0.0),
        "mean": factor * (row.role == "norm_gain"),
        "rate": factor / (GROWTH if row.role in {"hidden", "output"} else 1.0),
        "decay": 0.0
        if vector or "undecayed" in row.marks
        else (GROWTH if row.role == "output" else 1.0) / factor,
    }


def parts(drawn: nn.Parameter, normal: torch.Tensor) -> dict[str, float]:
    """Return what standard normal numbers were multiplied by and moved to."""
    values, mean = drawn.detach().double(), drawn.detach().double().mean().item()
    if values.std(correction=0) == 0:
        return {"init": 0.0, "mean": mean}
    ratio = (values / normal).flatten()
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio), rtol=1e-4, atol=0.0)
    return {"init": ratio[0].item(), "mean": 0.0}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_base_of_the_own_width_needs_no_other(family: str) -> None:
    model, other, base, wide = (FAMILIES[family].make(n) for n in (BASE, BASE, BASE, WIDTH))
    options: dict[str, Any] = {"optimizer": "adamw", "lr": 1.0}
    alone = lt.parameterize(model, "mup", base=base, **options)
    by_pair = lt.parameterize(other, "mup", base=(base, wide), **options)
    assert lt.rates(alone) == pytest.approx(lt.rates(by_pair))


@pytest.mark.parametrize("shape", [Shape(), OTHER], ids=["as it comes", "other shape"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_tensor_is_what_the_table_says(family: str, shape: Shape) -> None:
    model, base = (FAMILIES[family].make(width, shape) for width in (WIDTH, BASE))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    groups = lt.parameterize(
        model, "mup_table3", base=base, optimizer="adamw", lr=1.0, weight_decay=1.0, seed=5
    )
    numbers: dict[str, dict[str, Any]] = {n: g for g in groups for n in g["names"]}
    random, table = torch.Generator().manual_seed(5), rows(family, shape, WIDTH)
    tied = FAMILIES[family].ties(shape)
    logits = (WIDTH / shape.heads) ** -0.5  # 1/d instead of 1/√d
    readout = (WIDTH * GROWTH) ** -0.5  # an embedding of size one as a readout
    for name, parameter in model.named_parameters():
        normal = torch.randn(parameter.shape, generator=random, dtype=torch.float64)
        row = row_of(name, table)
        factor = logits if "queries" in row.marks else 1.0
        factor *= readout if "final" in row.marks and tied else 1.0
        group, wanted = numbers[name], expected(row, factor)
        if "kept" in row.marks:
            assert torch.equal(parameter, before[name]), name
            assert parameter.std() > 0 or name.endswith(".D")
        else:
            for part, value in parts(parameter, normal).items():
                assert value == pytest.approx(wanted[part], rel=1e-3, abs=1e-9), (name, part)
        assert group["role"] == row.role, name
        assert group["lr"] == pytest.approx(wanted["rate"]), name
        assert group["weight_decay"] == pytest.approx(wanted["decay"]), name
    hooked = {plan.hook.role: plan.hook.factor for plan in multipliers(model)}
    assert hooked == ({"attention_logits": pytest.approx(logits)} if family in FUSED else {})
