"""What a model tells about its tensors: the vocabulary that scaling rules are written in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Roles:
    """The role of each parameter tensor, and the modules that a rule may multiply.

    Attributes:
        tensors: Parameter name -> role: `input`, `embedding`, `positional`, `hidden`,
            `output`, `bias`, `norm_gain`, and `scalar` or `scalar_bias` for weights and
            biases without a dimension that grows with the width.
        branches: Names of the submodules whose output is added to a residual stream.
        attention_logits: Name of each module that returns attention logits -> head dimension.
    """

    tensors: Mapping[str, str]
    branches: Sequence[str] = ()
    attention_logits: Mapping[str, int] = field(default_factory=dict)
