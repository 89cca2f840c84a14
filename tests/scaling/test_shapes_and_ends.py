"""What a network's shapes and containers could be mistaken for, seen through `parameterize`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

import lrtransfer as lt
from lrtransfer.scaling.hooks import multipliers
from lrtransfer.scaling.infer import UnplacedTensorError

Build = Callable[[int], nn.Module]


class _Table(nn.Module):
    """A matrix of a module that no layout knows."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight.T


def _groups(build: Build, rule: str = "mup_table8", **told: object) -> tuple[nn.Module, list]:  # type: ignore[type-arg]
    model = build(256)
    options = {"base": build(64), "optimizer": "adamw", "lr": 1e-3, "seed": 0} | told
    return model, lt.parameterize(model, rule, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["cls_head", "token_head", "embed_out", "composer", "head"])
def test_a_readout_is_no_table_because_its_module_is_called_like_one(name: str) -> None:
    def build(width: int) -> nn.Module:
        layers = {"body": nn.Linear(5, width), "inner": nn.Linear(width, width)}
        return nn.ModuleDict({**layers, name: _Table(width, 10)})

    with pytest.raises(UnplacedTensorError, match=rf"'{name}\.weight'"):
        _groups(build)


@pytest.mark.parametrize("groups", [4, None], ids=["four groups", "depthwise"])
def test_a_transposed_convolution_has_the_role_and_size_of_the_plain_one(
    groups: int | None,
) -> None:
    found = []
    for kind in (nn.Conv2d, nn.ConvTranspose2d):

        def build(width: int, kind: type = kind) -> nn.Module:
            middle = kind(width, width, 3, groups=groups or width)
            return nn.Sequential(nn.Conv2d(3, width, 3), middle, nn.Conv2d(width, 3, 1))

        model, made = _groups(build)
        own = next(group for group in made if "1.weight" in group["names"])
        spread = model.get_parameter("1.weight").std().item()
        found.append((own["role"], own["relative_rate"], spread))
    assert found[0][:2] == found[1][:2] == (("hidden", 0.25) if groups else ("input", 1.0))
    assert found[0][2] == pytest.approx(found[1][2], rel=0.05)


def _branches(width: int, branch: Build) -> nn.Module:
    branches = nn.ModuleList(branch(width) for _ in range(4))
    layers = {"first": nn.Linear(5, width), "branches": branches, "last": nn.Linear(width, 2)}
    return nn.ModuleDict(layers)


def _of_depth(branch: Build) -> tuple[nn.Module, list]:  # type: ignore[type-arg]
    layout = lt.Layout(branches="branches.*", inside=[])
    return _groups(partial(_branches, branch=branch), "depth_mup", base_depth=1, layout=layout)


def test_branches_that_end_in_one_shared_map_are_each_multiplied_once() -> None:
    ends: dict[int, nn.Linear] = {}

    def shared(width: int) -> nn.Module:
        end = ends.setdefault(width, nn.Linear(width, width))
        return nn.Sequential(nn.Linear(width, width), nn.ReLU(), end)

    model, _ = _of_depth(shared)
    assert [(found.module, found.hook.factor) for found in multipliers(model)] == [
        (f"branches.{index}", 0.5) for index in range(4)
    ]
    assert ends[256].weight.std().item() == pytest.approx(256**-0.5, rel=0.05)


def test_a_container_with_a_forward_of_its_own_is_no_plain_chain() -> None:
    class Squashed(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).tanh()

    squashed, _ = _of_depth(lambda width: Squashed(nn.Linear(width, width)))
    assert len(multipliers(squashed)) == 4
    noisy, _ = _of_depth(lambda width: nn.Sequential(nn.Linear(width, width), nn.AlphaDropout()))
    assert len(multipliers(noisy)) == 4
    plain, _ = _of_depth(lambda width: nn.Sequential(nn.Linear(width, width), nn.Dropout()))
    assert multipliers(plain) == []


def _mlp(width: int, inputs: int = 16, outputs: int = 10) -> nn.Module:
    return nn.Sequential(
        nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.Linear(width, outputs)
    )


@pytest.mark.parametrize("sizes", [{"outputs": 100}, {"inputs": 784}])
def test_a_base_of_the_same_width_for_another_task_is_refused(sizes: dict[str, int]) -> None:
    model = _mlp(64, **sizes)
    with pytest.raises(ValueError, match=r"not in width.*base=\(base, other\)"):
        lt.parameterize(model, "mup_table8", base=_mlp(64), optimizer="adamw", lr=1e-3)


def test_a_base_of_another_width_for_another_task_is_refused_and_a_pair_of_them_tells() -> None:
    model = _mlp(256, outputs=100)
    with pytest.raises(ValueError, match=r"no one width.*base=\(base, other\)"):
        lt.parameterize(model, "mup_table8", base=_mlp(64), optimizer="adamw", lr=1e-3)
    groups = lt.parameterize(
        model, "mup_table8", base=(_mlp(64), _mlp(128)), optimizer="adamw", lr=1e-3,
        layout=lt.Layout(width=(256, 64)),
    )  # fmt: skip
    assert {n: g["role"] for g in groups for n in g["names"]}["3.weight"] == "output"


def test_a_base_without_shapes_is_told_to_take_them() -> None:
    lazy = nn.Sequential(nn.LazyLinear(64), nn.Linear(64, 64))
    model = nn.Sequential(nn.Linear(5, 128), nn.Linear(128, 128))
    with pytest.raises(ValueError, match=r"'0\.weight' has no shape in base\. Call base once"):
        lt.parameterize(model, "mup", base=lazy, optimizer="adamw", lr=1e-3)


def test_a_rate_of_the_rest_needs_a_rate_that_it_is_relative_to() -> None:
    chosen = lt.MatrixOptimizer("muon", rest_lr=1e-3)
    with pytest.raises(ValueError, match=r"rest_lr is 0\.001, but lr is 0"):
        lt.parameterize(_mlp(64), "mup", base=_mlp(32), optimizer=chosen, lr=0.0)


def test_groups_of_others_have_no_relative_rates() -> None:
    with pytest.raises(ValueError, match="no relative_rate"):
        lt.rates([{"names": ["a"], "lr": 0.1}])
    assert lt.time_scales([{"names": ["a"], "lr": 0.1}], steps=10) == {"a": float("inf")}
