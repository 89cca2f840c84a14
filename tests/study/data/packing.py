"""Tiny archives in the layouts of the official ones."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Mapping

import numpy as np
from PIL import Image


def tar(files: Mapping[str, bytes], compression: str = "gz") -> bytes:
    """Return a compressed tar of {path: content}."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=f"w:{compression}") as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Return a zip of {path: content}."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def cifar_batch(pixels: np.ndarray, label_key: bytes, labels: list[int]) -> bytes:
    """Return a batch as Python 2 pickled the official ones: protocol 2, byte-string keys.

    Byte strings are written as Python 2 wrote them (SHORT_BINSTRING, BINSTRING), arrays through
    ``numpy.core.multiarray``.
    """

    def text(value: bytes) -> bytes:
        return b"U" + struct.pack("<B", len(value)) + value

    def number(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    rows = pixels.reshape(len(pixels), -1)
    dtype = (
        b"cnumpy\ndtype\n(" + text(b"u1") + number(0) + number(1) + b"tR"
        b"(" + number(3) + text(b"|") + b"NNN" + number(-1) + number(-1) + number(0) + b"tb"
    )
    data = rows.tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n("
        + number(0)
        + b"t"
        + text(b"b")
        + b"tR("
        + number(1)
        + b"("
        + number(rows.shape[0])
        + number(rows.shape[1])
        + b"t"
        + dtype
        + b"\x89T"
        + struct.pack("<i", len(data))
        + data
        + b"tb"
    )
    listed = b"(" + b"".join(number(label) for label in labels) + b"l"
    entries = text(b"batch_label") + text(b"one") + text(b"data") + array
    return b"\x80\x02}(" + entries + text(label_key) + listed + b"u."


def modern_batch(pixels: np.ndarray, label_key: bytes, labels: list[int]) -> bytes:
    """Return a batch as today's Python and numpy pickle it at protocol 2."""
    return pickle.dumps({b"data": pixels.reshape(len(pixels), -1), label_key: labels}, protocol=2)


def idx(values: np.ndarray) -> bytes:
    """Return an IDX file of unsigned bytes, not yet gzipped."""
    header = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return header + values.astype(np.uint8).tobytes()


def image(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    """Return an encoded image of uint8 pixels, (height, width) grey or (height, width, 3)."""
    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, kind)
    return packed.getvalue()


def random_pixels(*shape: int, seed: int = 0) -> np.ndarray:
    """Return uint8 noise."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def standardised_oracle(train: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Return float64 (n, c, h, w): pixels minus mean, over deviation, of each training channel."""
    reference = train.astype(np.float64)
    mean = reference.mean(axis=(0, 2, 3), keepdims=True)
    return (pixels - mean) / reference.std(axis=(0, 2, 3), keepdims=True)
