"""Run configurations of the tests: the tiny study's, with other optimizers, data and models."""

from __future__ import annotations

from typing import Any

import numpy as np

from lrtransfer.study.data import Arrays
from lrtransfer.study.plan.expand import Run
from lrtransfer.study.plan.parameterizations import builtin, family
from lrtransfer.study.plan.run_config import RunConfig
from tests.tiny import tiny_run

# Name of a case -> optimizer and options: everything with a state of its own to save.
OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("sgd", {}),
    "momentum": ("sgd", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    "adam": ("adam", {"epsilon": 1e-6}),
    "adamw": ("adamw", {"weight_decay": 0.1}),
    "rmsprop": ("rmsprop", {"momentum": 0.5}),
}
# Those of hidden matrices, and of another package.
OF_MATRICES: dict[str, tuple[str, dict[str, Any]]] = {
    "muon": ("muon", {"rest_rate": 0.5, "weight_decay": 0.1}),
    "muonh": ("muonh", {"weight_decay": 0.1}),
    "adamh": ("adamh", {}),
}
OF_PACKAGE: dict[str, tuple[str, dict[str, Any]]] = {
    "lion": ("lion", {"weight_decay": 0.1}),
    "adopt": ("adopt", {"weight_decay": 0.1}),
    "shampoo": ("shampoo", {"compute_every": 2}),
    "soap": ("soap", {"compute_every": 2, "weight_decay": 0.1}),
}


def rules(parameterization: str, optimizer: str) -> dict[str, Any]:
    """Return a parameterization's rules for an optimizer, as a configuration holds them."""
    table = builtin()[parameterization].families[family(optimizer)]  # type: ignore[index]
    return {role: rule.model_dump(exclude_defaults=True) for role, rule in table.items()}


def configured(
    optimizer: str = "sgd",
    *,
    parameterization: str = "mup",
    probes: list[str] | None = None,
    run: Run | None = None,
    **changes: Any,
) -> RunConfig:
    """Return the configuration of the first measured tiny run, in float64, with another optimizer.

    Args:
        optimizer: A name in one of the tables above.
        parameterization: Of the table.
        probes: What to measure; None is what the tiny study measures.
        run: Where the rest comes from; None is the first measured tiny run.
        changes: Other entries of the configuration, as JSON has them.
    """
    name, options = (OPTIMIZERS | OF_MATRICES | OF_PACKAGE)[optimizer]
    config = (run or tiny_run(precision="float64")).config.to_json()
    constants = config["parameterization"]["constants"] | {"base_width": 2}
    measure = config["measure"] | ({"probes": probes} if probes is not None else {})
    own = {
        "optimizer": {"name": name, "options": options},
        "parameterization": {"constants": constants, "rules": rules(parameterization, name)},
        "learning_rate": 0.3 if family(name) == "sgd" else 0.02,
        "measure": measure,
    }
    return RunConfig.from_json(config | own | changes)


def changed(config: RunConfig, **changes: Any) -> RunConfig:
    """Return a configuration with other entries, given as JSON has them; a mapping merges."""
    content = config.to_json()
    for name, value in changes.items():
        merged = isinstance(value, dict) and isinstance(content.get(name), dict)
        content[name] = content[name] | value if merged else value
    return RunConfig.from_json(content)


def text(tokens: int = 400, *, vocabulary: int | None = None) -> Arrays:
    """Return a text with rhythm: bytes, or int32 tokens of a vocabulary."""
    places = np.arange(tokens)
    stream = (places * places // 7) % (vocabulary or 5)
    kind = np.uint8 if vocabulary is None else np.int32
    return {"train_tokens": stream.astype(kind), "test_tokens": stream[:50].astype(kind)}


def language_model(**changes: Any) -> RunConfig:
    """Return the configuration of a small GPT on text."""
    options = {"heads": 2, "block_size": 8, "mlp_ratio": 2}
    model = {"family": "gpt", "width": 4, "depth": 2, "options": options}
    probes = ["norms", "preconditioned_sharpness", "sharpness", "subset_loss"]
    return configured("adam", model=model, probes=probes, **changes)


def images(samples: int = 40) -> Arrays:
    """Return images (n, 1, 8, 8) of three classes, one pattern each under noise."""
    random = np.random.default_rng(0)
    patterns = random.normal(size=(3, 1, 8, 8))
    targets = np.arange(samples, dtype=np.int64) % 3
    inputs = patterns[targets] + 0.3 * random.normal(size=(samples, 1, 8, 8))
    return {"train_inputs": inputs.astype(np.float32), "train_targets": targets}
