"""Exported rules, applied to the names again, give the groups."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import lrtransfer as lt


class Net(nn.Module):
    """Numbers in names that matter (a sequence) and that do not (blocks)."""

    def __init__(self, width: int, blocks: int = 12) -> None:
        super().__init__()
        self.ends = nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.Linear(width, 2))
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, width))
            for _ in range(blocks)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.ends[0](inputs)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        return self.ends[2](hidden)


def planned(**options: Any) -> list[dict[str, Any]]:
    given: dict[str, Any] = {"optimizer": "adamw", "lr": 3e-3, "weight_decay": 0.1} | options
    return lt.parameterize(Net(32), "mup", base=Net(8), **given)


def claimed(rules: list[dict[str, Any]], groups: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return name -> the rule that claims it, once each; every rule claims a name."""
    names = [name for group in groups for name in group["names"]]
    found = {}
    for name in names:
        [found[name]] = [rule for rule in rules if re.search(rule["pattern"], name)]
        assert re.fullmatch(found[name]["pattern"], name)
    assert {rule["pattern"] for rule in found.values()} == {rule["pattern"] for rule in rules}
    return found


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_rules_applied_to_the_names_give_the_groups(optimizer: str) -> None:
    groups = planned(optimizer=optimizer, weight_decay=0.1)
    rules = claimed(json.loads(lt.export_rates(groups)), groups)
    factors = claimed(json.loads(lt.export_rates(groups, "multipliers")), groups)
    by_name = json.loads(lt.export_rates(groups, format="json"))
    for group in groups:
        for name in group["names"]:
            kept = {k: group[k] for k in ("optimizer", "lr", "weight_decay", "eps") if k in group}
            assert {k: v for k, v in rules[name].items() if k != "pattern"} == kept
            assert by_name[name] == kept
            assert factors[name]["lr"] == group["relative_rate"]
            assert factors[name]["weight_decay"] == group["relative_weight_decay"]
            assert factors[name].get("eps") == group.get("relative_epsilon")


def test_blocks_are_one_pattern_and_numbers_that_matter_are_kept() -> None:
    patterns = " ".join(rule["pattern"] for rule in json.loads(lt.export_rates(planned())))
    assert r"blocks\.\d+\.1\.weight" in patterns
    assert r"ends\.0\.weight" in patterns and r"ends\.2\.weight" in patterns
    assert "11" not in patterns


def test_a_block_with_a_rate_of_its_own_is_told_from_the_others() -> None:
    names = [f"layers.{i}.experts.{j}.weight" for i in range(12) for j in range(12)]
    groups = [
        {"names": [name for name in names if ".1.experts" not in name], "lr": 0.1},
        {"names": [name for name in names if ".1.experts" in name], "lr": 0.2},
    ]
    rules = json.loads(lt.export_rates(groups))
    assert claimed(rules, groups)["layers.1.experts.11.weight"]["lr"] == 0.2
    assert rules[1]["pattern"] == r"^(?:layers\.1\.experts\.\d+\.weight)$"


@dataclass
class ParamGroupConfig:
    """As torchtitan's."""

    pattern: str
    optimizer_name: str
    optimizer_kwargs: dict[str, Any]


def test_torchtitans_source_builds_torchs_optimizers_with_the_same_numbers() -> None:
    groups = planned()
    scope: dict[str, Any] = {"ParamGroupConfig": ParamGroupConfig}
    exec(lt.export_rates(groups, format="torchtitan"), scope)
    configs = scope["param_groups"]
    model = Net(32)
    held = dict(model.named_parameters())
    first: dict[str, ParamGroupConfig] = {}
    for name in held:
        first[name] = next(c for c in configs if re.search(c.pattern, name))
    assert {id(config) for config in first.values()} == {id(config) for config in configs}
    for group in groups:
        for name in group["names"]:
            config = first[name]
            made = getattr(torch.optim, config.optimizer_name)
            [built] = made([held[name]], **config.optimizer_kwargs).param_groups
            assert all(built[k] == group[k] for k in ("lr", "weight_decay", "eps"))


def test_what_a_name_implies_is_exported_as_the_optimizer_has_it() -> None:
    group = {"params": [nn.Parameter(torch.ones(1))], "names": ["w"], "lr": 0.5}
    for kind in ("sgd", "momentum"):
        made = lt.make_optimizer([group | {"optimizer": kind}]).param_groups[0]
        for format in ("regex", "torchtitan"):
            text = lt.export_rates([group | {"optimizer": kind}], format)
            assert ("'momentum': 0.9" in text.replace('"', "'")) is (made["momentum"] == 0.9)


def test_multipliers_of_tensors_under_several_optimizers_are_several_rules() -> None:
    common = {"lr": 1.0, "relative_rate": 1.0, "relative_weight_decay": 1.0}
    groups = [
        {"names": ["a"], "optimizer": "muon", "factor": "spectral", **common},
        {"names": ["b"], "optimizer": "adamw", **common},
    ]
    rules = json.loads(lt.export_rates(groups, "multipliers"))
    assert [(r["optimizer"], r.get("factor")) for r in rules] == [
        ("muon", "spectral"),
        ("adamw", None),
    ]


def test_a_rate_that_is_a_tensor_is_written_as_a_number() -> None:
    groups = [{"names": ["w"], "lr": torch.tensor(0.5)}]
    assert json.loads(lt.export_rates(groups, "json")) == {"w": {"lr": 0.5}}


@pytest.mark.parametrize(
    ("groups", "format", "message"),
    [
        ([{"names": ["w"], "lr": 1.0}], "yaml", "format is 'yaml'.*torchtitan"),
        ([{"params": [], "lr": 1.0}], "json", "no names"),
        ([{"names": ["w"], "lr": 1.0}], "multipliers", "no relative_rate"),
        ([{"names": ["w"], "lr": 1.0}], "torchtitan", "no optimizer"),
        ([{"names": ["w"], "lr": 1.0, "optimizer": "muon"}], "torchtitan", "not taken for granted"),
        ([{"names": ["w"], "lr": 1.0}, {"names": ["w"], "lr": 2.0}], "json", "two groups name 'w'"),
    ],
)
def test_what_cannot_be_written_is_named(groups: Any, format: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lt.export_rates(groups, format)
