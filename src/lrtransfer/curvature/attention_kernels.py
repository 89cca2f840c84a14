"""Attention on its explicit kernel: the fused ones have no second derivative."""

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
KERNELS = (EXPLICIT, *FUSED)
ONLY_EXPLICIT = [kernel is EXPLICIT for kernel in KERNELS]


def enabled_kernels() -> list[bool]:
    """Return which of `KERNELS` the process may use."""
    return [read() for read, _ in KERNELS]


def enable_kernels(wanted: list[bool]) -> None:
    """Let the process use these of `KERNELS`."""
    for (read, write), on in zip(KERNELS, wanted, strict=True):
        if read() != on:
            write(on)


@contextmanager
def explicit_attention() -> Iterator[None]:
    """Run attention on the explicit kernel; `sdpa_kernel` does so too, at ten times the price."""
    before = enabled_kernels()
    try:
        enable_kernels(ONLY_EXPLICIT)
        yield
    finally:
        enable_kernels(before)
