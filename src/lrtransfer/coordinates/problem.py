"""What the check trains: a family's networks at several widths, and one small batch of noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from lrtransfer.study.plan import catalog
from lrtransfer.study.training import streams
from lrtransfer.study.training.network import Network, network

OUTPUTS = 16
FEATURES = 16
SAMPLES = 4
TOKENS = 8


@dataclass(frozen=True)
class Sizes:
    """What a family is checked at; the other options are the family's own defaults.

    Attributes:
        widths: N, ascending; the first is the parameterization's base width.
        samples: Batch size.
        depth: L; None for the family's default.
        options: Options of the family.
    """

    widths: tuple[int, ...]
    samples: int = SAMPLES
    depth: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


_IMAGE = {"channels": 1, "image_size": 8}
_PATCHES = _IMAGE | {"patch": 4}

# Small images and batches: exponents need the range of widths, not the size of the data.
SIZES = {
    "residual_mlp": Sizes((64, 128, 256, 512), samples=8),
    "two_layer_linear": Sizes((64, 128, 256, 512), samples=8),
    "convnet": Sizes((32, 64, 128, 256), samples=8, options=_IMAGE | {"image_size": 20}),
    "residual_convnet": Sizes((32, 64, 128, 256), options=_IMAGE | {"stride": 1, "norm": "layer"}),
    "resnet": Sizes((8, 16, 32, 64), samples=2, options=_IMAGE | {"norm": "layer"}),
    "vit": Sizes((32, 64, 128, 256), options=_PATCHES),
    "mlp_mixer": Sizes((32, 64, 128, 256), options=_PATCHES | {"bias": True}),
    "gpt": Sizes((32, 64, 128, 256), options={"block_size": TOKENS}),
    "llama": Sizes((32, 64, 128, 256), options={"block_size": TOKENS}),
}


@dataclass(frozen=True)
class Problem:
    """A family at fixed sizes except the width, with the batch it is trained on.

    Attributes:
        family: Name of the model family.
        widths: N, ascending.
        depth: L.
        options: Options of the family.
        in_features: Numbers per sample; 0 for tokens.
        inputs: Gaussian numbers (n, in_features), or random tokens (n, T).
        signs: Random signs, of the outputs' shape (n, C) or (n, T, C): −n times the derivative
            of the loss.
    """

    family: str
    widths: tuple[int, ...]
    depth: int
    options: Mapping[str, Any]
    in_features: int
    inputs: Tensor
    signs: Tensor

    def network(self, rules: Mapping[str, Any], width: int, seed: int) -> Network:
        """Return the untrained network of ``width`` under ``rules``.

        Raises:
            UnknownRoleError: The rules lack the role of a tensor.
        """
        constants = {"base_width": self.widths[0], "base_depth": self.depth}
        config = {
            "model": {
                "family": self.family,
                "width": width,
                "depth": self.depth,
                "options": self.options,
            },
            "parameterization": {"rules": rules, "constants": constants},
            "precision": "float64",
            "seed": seed,
        }
        return network(config, self.in_features, OUTPUTS, torch.device("cpu"))


def problem(family: str, sizes: Sizes | None = None) -> Problem:
    """Return the problem that ``family`` is checked on.

    Args:
        family: A model family, by its file's name.
        sizes: In place of the family's entry in ``SIZES``; a family without one is checked at
            its own defaults and widths from 32 to 256.

    Raises:
        ValueError: There is no such family.
    """
    if family not in catalog.names("models"):
        raise ValueError(f"model is {family!r}. Give one of {', '.join(catalog.names('models'))}.")
    chosen: dict[str, Any] = {
        name: option.default for name, option in catalog.options("models", family).items()
    }
    sizes = sizes or SIZES.get(family, Sizes((32, 64, 128, 256)))
    chosen |= sizes.options
    random = streams.generator(streams.SUBSET, 0)
    features = 0
    if "block_size" in chosen:
        shape = (sizes.samples, int(chosen["block_size"]))
        inputs = torch.randint(OUTPUTS, shape, generator=random)
        outputs: tuple[int, ...] = (*shape, OUTPUTS)
    else:
        image = "image_size" in chosen
        features = chosen["channels"] * chosen["image_size"] ** 2 if image else FEATURES
        inputs = torch.randn(sizes.samples, features, generator=random, dtype=torch.float64)
        outputs = (sizes.samples, OUTPUTS)
    return Problem(
        family=family,
        widths=sizes.widths,
        depth=sizes.depth or chosen["depth"],
        options=dict(sizes.options),
        in_features=features,
        inputs=inputs,
        signs=torch.randn(outputs, generator=random, dtype=torch.float64).sign(),
    )
