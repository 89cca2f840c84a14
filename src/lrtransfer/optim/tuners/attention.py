"""Attention on its explicit kernel: the fused ones have no second derivative."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch.backends import cuda

Switch = tuple[Callable[[], bool], Callable[[bool], Any]]
"""What reads a setting of the process and what writes it."""

EXPLICIT: Switch = (cuda.math_sdp_enabled, cuda.enable_math_sdp)
FUSED: tuple[Switch, ...] = (
    (cuda.flash_sdp_enabled, cuda.enable_flash_sdp),
    (cuda.mem_efficient_sdp_enabled, cuda.enable_mem_efficient_sdp),
    (cuda.cudnn_sdp_enabled, cuda.enable_cudnn_sdp),
)


@contextmanager
def explicit_attention() -> Iterator[None]:
    """Run attention on the explicit kernel; `sdpa_kernel` does so too, at ten times the price."""
    before = [read() for read, _ in (EXPLICIT, *FUSED)]
    try:
        EXPLICIT[1](True)
        for _, write in FUSED:
            write(False)
        yield
    finally:
        for (_, write), was in zip((EXPLICIT, *FUSED), before, strict=True):
            write(was)
