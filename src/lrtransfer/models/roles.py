"""What a model tells about its tensors: the vocabulary that scaling rules are written in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Roles:
    """The role of each parameter tensor, and which submodules are residual branches.

    Attributes:
        tensors: Parameter name -> role (``input``, ``hidden``, ``output``, …).
        branches: Names of the submodules whose output is added to a residual stream.
    """

    tensors: dict[str, str]
    branches: Sequence[str] = field(default_factory=tuple)
