"""What the check says of one's own model: layers, the parameters that fail, a picture."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import lrtransfer as lt

SHORT: dict[str, Any] = {"widths": [32, 64, 128], "seeds": (0, 1, 2)}


class Outputs(nn.Module):
    """Takes keywords, returns logits in an output object, and holds a module it never calls."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, width)
        self.block = nn.Linear(width, width)
        self.unused = nn.Linear(width, width, bias=False)
        self.readout = nn.Linear(width, 11)

    def forward(self, *, input_ids: Tensor, scale: Tensor) -> SimpleNamespace:
        hidden = self.embed(input_ids) * scale
        return SimpleNamespace(logits=self.readout(hidden + self.block(hidden.relu())))


def batch() -> dict[str, Tensor]:
    tokens = torch.randint(11, (4, 6), generator=torch.Generator().manual_seed(0))
    return {"input_ids": tokens, "scale": torch.tensor(1.5)}


def test_every_layer_has_a_verdict_and_the_failing_weights_are_named() -> None:
    check = lt.coordinate_check(Outputs, rule="sp", inputs=batch(), **SHORT)
    assert not check.stable
    assert check.failing == ["block.weight", "readout.weight"]
    verdicts = {layer.name: layer.verdict for layer in check.layers}
    assert verdicts["embed"] == "stable"
    assert verdicts["block"] == "grows: own, change (block.weight)"
    assert check.unmeasured == ["unused.weight"]
    text = str(check)
    assert "not called, so not measured: unused.weight" in text
    assert text.splitlines()[-1] == f"unstable: {check.fastest}"


def test_a_rate_of_ones_own_table_that_grows_is_found_at_its_layer() -> None:
    check = lt.coordinate_check(Outputs, rule="mup", inputs=batch(), **SHORT)
    assert check.stable and check.failing == []
    wrong = {
        "families": {
            "adam": {
                "embedding": {"init": {}, "learning_rate": {"width": 0.5}},
                "hidden": {"init": {"fan_in": -0.5}, "learning_rate": {"fan_in": -1}},
                "output": {"init": {"fan_in": -1}, "learning_rate": {"fan_in": -1}},
                "bias": {"init": {"factor": 0}, "learning_rate": {}},
                "scalar_bias": {"init": {"factor": 0}, "learning_rate": {}},
            }
        }
    }
    assert lt.coordinate_check(Outputs, rule=wrong, inputs=batch(), **SHORT).failing == [
        "embed.weight"
    ]


def test_an_update_that_vanishes_with_the_width_is_said_to_fade() -> None:
    check = lt.coordinate_check(Outputs, rule="ntp", inputs=batch(), optimizer="sgd", **SHORT)
    assert check.stable
    assert [layer.verdict for layer in check.layers] == ["fades", "fades", "stable"]


def test_the_picture_is_written(tmp_path: Path) -> None:
    check = lt.coordinate_check(Outputs, rule="sp", inputs=batch(), widths=[8, 16], seeds=(0, 1))
    drawn = check.figure(tmp_path / "coordinates.png")
    assert drawn.read_bytes().startswith(b"\x89PNG")


def test_more_steps_move_more() -> None:
    def moved(steps: int) -> float:
        few: dict[str, Any] = {"widths": [8, 16], "seeds": (0, 1), "steps": steps}
        check = lt.coordinate_check(Outputs, rule="mup", inputs=batch(), **few)
        [size] = [s for p, s in check.sizes.items() if p == ("embed", "own")]
        return float(size.mean())

    assert moved(10) > 2 * moved(3)
    with pytest.raises(ValueError, match=r"steps is 0\. Give one or more"):
        moved(0)
