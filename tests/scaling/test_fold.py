"""Multipliers without hooks: taken in by tensors beforehand, folded into the weights afterwards."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import lrtransfer as lt
from lrtransfer.scaling.affine import Taken
from lrtransfer.scaling.fold import Left
from lrtransfer.scaling.hooks import multipliers

from .outsiders import Transformer, tokens
from .parameterized import Encoder

hugging_face = pytest.importorskip("tests.scaling.hugging_face", exc_type=ImportError)
FOLDED = ("GPT2", "GPTNeoX")
PLAIN = ("Llama", "Qwen3", "Bert", "ViT", "Mixtral", "Qwen2Moe", "GptOss")


def scaled(family: str, width: int = 64, base: int = 16) -> tuple[nn.Module, Any]:
    """Return a model all of whose multipliers are powers of two, and its groups."""
    model = hugging_face.make(family, width)
    groups = lt.parameterize(
        model,
        "complete_p",
        base=hugging_face.make(family, base),
        optimizer="adamw",
        lr=2**-7,
        weight_decay=0.125,
        base_depth=1,
        branch_exponent=1.0,
        seed=0,
    )
    return model, groups


def train(model: nn.Module, groups: Any, family: str, steps: int = 20) -> Tensor:
    optimizer, seen = torch.optim.AdamW(groups), []
    for _ in range(steps):
        logits = hugging_face.logits(model, family)
        seen.append(logits.detach())
        loss = nn.functional.cross_entropy(logits.flatten(0, -2), logits.flatten(0, -2).argmin(1))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return torch.stack([*seen, hugging_face.logits(model, family).detach()])


@pytest.mark.slow
@pytest.mark.parametrize("family", [*FOLDED, *PLAIN])
def test_the_form_without_hooks_trains_as_the_one_with(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, groups = scaled(family)
    with monkeypatch.context() as patch:
        patch.setattr(
            "lrtransfer.scaling.parameterize.take_in", lambda m, planned, *_: Taken({}, planned)
        )
        hooked, its_groups = scaled(family)
    roles = {plan.hook.role for plan in multipliers(hooked)}
    assert roles >= {"branch", "attention_logits"}
    assert {plan.hook.role for plan in multipliers(model)} == (
        {"attention_logits"} if family in FOLDED else set()
    )
    found, expected = train(model, groups, family), train(hooked, its_groups, family)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    assert (expected[-1] - expected[0]).abs().max() > 0.1


@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("family", [*FOLDED, *PLAIN])
def test_a_folded_model_is_a_plain_one_of_transformers(
    family: str, steps: int, tmp_path: Path
) -> None:
    model, groups = scaled(family, 32, 12)  # no power of two
    if steps:
        train(model, groups, family, steps)
    expected = hugging_face.logits(model, family)
    plain = hugging_face.make(family, 32)
    plain.load_state_dict(model.state_dict())
    changed = (hugging_face.logits(plain, family) - expected).abs().max()
    assert changed > 1e-3 if family in FOLDED else changed == 0
    assert lt.fold(model, strict=True) == []
    assert multipliers(model) == [] and not any(m._forward_hooks for m in model.modules())
    model.save_pretrained(tmp_path)  # type: ignore[operator]
    kind: Any = type(model)
    eager = {"attn_implementation": "eager"}
    if hasattr(model.config, "num_experts_per_tok"):
        eager["experts_implementation"] = "eager"
    loaded = kind.from_pretrained(tmp_path, dtype=torch.float64, **eager)
    # It takes linspace out of what torch builds on a default device, for the process to come.
    torch.utils._device._device_constructors.cache_clear()
    for twin in (model, loaded.train(), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        found = hugging_face.logits(twin, family)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("family", FOLDED)
def test_a_compiled_model_is_folded_and_compiled_again(family: str) -> None:
    model, _ = scaled(family)
    expected = hugging_face.logits(model, family)
    compiled = torch.compile(model, backend="eager")
    torch.testing.assert_close(hugging_face.logits(compiled, family), expected)
    assert lt.fold(compiled, strict=True) == []  # type: ignore[arg-type]
    torch.testing.assert_close(hugging_face.logits(compiled, family), expected)


def test_torch_s_own_attention_is_folded() -> None:
    model = Encoder(16).double()
    lt.parameterize(model, "mup", base=Encoder(8), optimizer="sgd", lr=1.0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))  # biases too
    inputs = torch.randn(2, 5, 3, dtype=torch.float64)
    expected = model(inputs)
    assert len(multipliers(model)) == 2
    assert lt.fold(model) == []
    torch.testing.assert_close(model(inputs), expected, rtol=1e-10, atol=1e-10)


def transformer(**changes: Any) -> Any:
    model = Transformer(8, tied=True).double()
    queries = {"h.*.attn.qkv": (4, slice(0, 8))}
    layout = lt.Layout(attention=queries, **changes)
    base = Transformer(4, tied=True)
    groups = lt.parameterize(
        model, "mup", base=base, optimizer="adamw", lr=1e-2, layout=layout, seed=0
    )
    return model, groups


def test_what_no_weight_can_take_stays_and_is_named() -> None:
    model, _ = transformer()
    expected, before = model(tokens()), model.state_dict()
    with pytest.raises(ValueError, match=r"output of 'head' \(.*also another module's"):
        lt.fold(model, strict=True)
    assert all(model.get_parameter(name) is not None for name in dict(model.named_parameters()))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert len(multipliers(model)) == 3
    left = lt.fold(model)
    quarter: Any = pytest.approx(1 / 4)
    assert left == [Left("head", "output", quarter, "its weight is also another module's")]
    assert [plan.module for plan in multipliers(model)] == ["head"]
    torch.testing.assert_close(model(tokens()), expected, rtol=1e-12, atol=1e-12)
    assert lt.fold(model) == left


def test_a_norm_that_is_told_takes_the_multiplier_of_a_tied_readout() -> None:
    hooked, _ = transformer()
    told = {"Transformer": {"readout": "head", "final_norm": "ln_f"}}
    model, groups = transformer(modules=told)
    assert lt.rates(groups)["ln_f.weight"] == pytest.approx(1 / 4)
    assert lt.fold(model) == []
    torch.testing.assert_close(model(tokens()), hooked(tokens()), rtol=1e-12, atol=1e-12)


class Centred(nn.Module):
    """A gain that enters as 1 + g: its output is not linear in it."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(size))

    def forward(self, x: Tensor) -> Tensor:
        return x * (1 + self.weight)


class Adapted(nn.Linear):
    """A linear map with something added, as adapters have."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + x


@pytest.mark.parametrize("kind", [Centred, lambda size: Adapted(size, size)])
def test_a_module_that_is_not_linear_in_its_tensors_keeps_its_hook(kind: Any) -> None:
    def make(width: int) -> nn.Module:
        return nn.Sequential(nn.Linear(3, width), kind(width), nn.Linear(width, 2))

    layout = lt.Layout(attention={"1": 4}, roles={"1.weight": "hidden"}, fans={"1.weight": (8, 8)})
    model = make(8)
    lt.parameterize(model, "mup", base=make(4), optimizer="sgd", lr=1.0, layout=layout)
    assert [plan.module for plan in multipliers(model)] == ["1"]
    assert [left.module for left in lt.fold(model)] == ["1"]


@pytest.mark.parametrize(
    "build",
    [
        lambda groups: torch.optim.AdamW(groups),
        lambda groups: torch.optim.AdamW(groups, fused=True),
        lambda groups: torch.optim.AdamW(groups, foreach=True),
        lt.make_optimizer,
    ],
)
@pytest.mark.parametrize("stepped", [False, True])
def test_an_optimizer_from_before_stops_at_its_next_step(build: Any, stepped: bool) -> None:
    model, groups = transformer()
    optimizer = build(groups)
    if stepped:
        model(tokens()).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    before = [p.detach().clone() for group in groups for p in group["params"]]
    lt.fold(model)
    weights = copy.deepcopy(model.state_dict())
    model(tokens()).square().mean().backward()
    with pytest.raises(lt.StaleOptimizerError, match=r"built before lrtransfer\.fold"):
        optimizer.step()
    with pytest.raises(lt.StaleOptimizerError, match=r"built before lrtransfer\.fold"):
        lt.check_optimizer(optimizer, model)
    with pytest.raises(lt.StaleOptimizerError, match=r"built before lrtransfer\.fold"):
        lt.rebind(groups, model)
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    after = [p for group in groups for p in group["params"]]
    assert all(map(torch.equal, before, after))


def test_a_tuner_from_before_stops_too() -> None:
    model, _ = transformer()
    tuner = lt.CDAT(torch.optim.SGD(model.parameters(), lr=1.0))
    lt.fold(model)
    with pytest.raises(lt.StaleOptimizerError, match=r"built before lrtransfer\.fold"):
        tuner.step(lambda: model(tokens()).square().mean())


def test_nothing_to_fold_changes_nothing() -> None:
    model, groups = scaled("Llama")
    optimizer, before = torch.optim.AdamW(groups), list(model.parameters())
    assert lt.fold(model) == []
    assert all(old is new for old, new in zip(before, model.parameters(), strict=True))
    lt.check_optimizer(optimizer, model)
