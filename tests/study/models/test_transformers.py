"""Models of the package `transformers` as a family, scaled from outside."""

from __future__ import annotations

import pytest
import torch

from lrtransfer.study.plan.catalog import load
from lrtransfer.study.training.run import Hooks, TrainingRun
from tests.study.training.configs import changed, configured, text

pytestmark = pytest.mark.slow
pytest.importorskip("transformers")
SIZES = {"in_features": 1, "out_features": 11, "width": 16, "depth": 4, "head_size": 8}


@pytest.mark.parametrize(
    ("architecture", "options"),
    [("gpt2", {}), ("llama", {"key_value_heads": 1, "mlp_ratio": 2}), ("gpt2", {"tied": True})],
)
def test_a_causal_language_model_of_the_size_that_is_asked(
    architecture: str, options: dict[str, int]
) -> None:
    make = load("models", "transformers")
    model = make(architecture=architecture, block_size=6, **SIZES, **options)
    tokens = torch.arange(12).reshape(2, 6) % 11
    logits = model(tokens)
    assert logits.shape == (2, 6, 11)
    changed_last = tokens.clone()
    changed_last[:, -1] += 1
    torch.testing.assert_close(model(changed_last)[:, :-1], logits[:, :-1])
    assert (
        len(model.network.base_model.h if architecture == "gpt2" else model.network.model.layers)
        == 2
    )
    with pytest.raises(ValueError, match="head_size is 5, which does not divide the width 16"):
        make(architecture=architecture, **(SIZES | {"head_size": 5}))


def test_it_trains_under_mup_without_a_hint() -> None:
    size = {
        "family": "transformers",
        "width": 16,
        "depth": 2,
        "options": {"architecture": "llama", "block_size": 8, "head_size": 8, "mlp_ratio": 2},
    }
    config = configured("adam", probes=["subset_loss"])
    config = changed(config, model=size, precision="float32", learning_rate=2**-6)
    scaling = {"outside": "adam", "constants": {"base_width": 8}}
    run = TrainingRun(changed(config, parameterization=scaling), text(), torch.device("cpu"))
    roles = run.network.roles.tensors
    assert {role for name, role in roles.items() if "proj" in name} == {"hidden"}
    found = run.execute(Hooks()).losses
    assert found[-1] < found[0]
