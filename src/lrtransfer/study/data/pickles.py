"""The pickles of the CIFAR archives, read without running what a pickle may name.

A pickle is a program that can call any function. The official files need five names; here each
stands for something of our own that only keeps the values, so nothing foreign is ever called.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np


def load(raw: bytes) -> dict[str, Any]:
    """Return the dictionary that a pickle holds; byte keys become text, arrays are uint8.

    Raises:
        ValueError: The pickle is damaged, names anything else, or is no dictionary.
    """
    try:
        content = _Reader(io.BytesIO(raw), encoding="bytes").load()
        if not isinstance(content, dict):
            raise TypeError(f"it holds a {type(content).__name__}, not a dictionary")
        return {_text(key): _plain(value) for key, value in content.items()}
    except Exception as error:  # damage can surface as nearly any exception
        raise ValueError(
            f"a pickled batch cannot be read: {error}. Download the official archive again."
        ) from error


class _Array:
    """Stands for `numpy.ndarray`: keeps the state that a pickled array brings."""

    def __setstate__(self, state: tuple[int, tuple[int, ...], Any, bool, bytes]) -> None:
        self.shape: tuple[int, ...] = state[1]
        self.fortran, self.data = state[3], state[4]
        if not isinstance(state[2], _Dtype):
            raise TypeError("an array's element type is not one of numpy's")

    def array(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        values = np.frombuffer(self.data, dtype=np.uint8)
        return values.reshape(self.shape, order="F" if self.fortran else "C")


class _Dtype:
    """Stands for `numpy.dtype`: unsigned bytes are the only element type."""

    def __init__(self, code: str | bytes, *_: Any) -> None:
        if _text(code) not in ("u1", "|u1"):
            raise TypeError(f"arrays of {code!r} do not belong in these files")

    def __setstate__(self, state: Any) -> None:
        """Ignore byte order and alignment: bytes have none."""


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _encode(text: str, encoding: str) -> bytes:
    """Stand for `_codecs.encode`, which Python 3 writes where Python 2 had byte strings."""
    if encoding != "latin1":
        raise ValueError(f"the encoding {encoding!r} does not belong in these files")
    return text.encode("latin1")


_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it names {module}.{name}") from None


def _text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


def _plain(value: Any) -> Any:
    return value.array() if isinstance(value, _Array) else value
