"""A run's network without weights: its shape costs no memory to look at."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lrtransfer.study import models


def blank_network(config: dict[str, Any], sizes: tuple[int, int]) -> nn.Module:
    """Return the network of a run's configuration on the meta device.

    Args:
        config: The resolved configuration.
        sizes: Numbers per sample, and number of outputs.

    Raises:
        ValueError: The model refuses its options or sizes.
    """
    spec = config["model"]
    with torch.device("meta"):
        return models.build(
            spec["family"],
            in_features=sizes[0],
            out_features=sizes[1],
            width=spec["width"],
            depth=spec["depth"],
            **spec["options"],
        )
