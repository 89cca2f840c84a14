"""Prepare a data set once: check the source, write arrays and a manifest with their digest."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from safetensors.numpy import load, save

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.download import Downloaded
from lrtransfer.study.data.shards import Shard, Streamed, check_shard, open_shards, write_shards
from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.expand import Dataset
from lrtransfer.study.plan.places import fault
from lrtransfer.study.plan.yaml_file import StudyError
from lrtransfer.study.storage import paths
from lrtransfer.study.storage.atomic import link, write_bytes, write_text
from lrtransfer.study.storage.seal import CorruptFileError, require_file


class Source(Protocol):
    """What a data source is: content that can be pinned, and arrays made of it.

    One whose options tell them has `sizes`, too: the numbers per sample and the outputs that a
    network needs.
    """

    def read(self) -> bytes:
        """Return the content that a checksum pins."""

    def arrays(self, raw: bytes) -> Arrays:
        """Return what is prepared of it."""


class _Made:
    """The arrays that a function of the study's own returned."""

    def __init__(self, arrays: Arrays) -> None:
        self.made = arrays

    def read(self) -> bytes:
        """Return the arrays in the form of safetensors."""
        return save({key: np.ascontiguousarray(array) for key, array in self.made.items()})

    def arrays(self, raw: bytes) -> Arrays:
        """Return the arrays."""
        return self.made


def source(name: str, options: Mapping[str, Any]) -> Source | Streamed:
    """Return a data source with its options; of a function that returns arrays, with those.

    Raises:
        LookupError: There is no such source.
        StudyError: It is the study's own, and fails.
    """
    make = catalog.load("data", name)
    try:
        made = make(**options)
    except Exception as error:  # anything that a user's code may raise
        if (line := fault(error)) is None:
            raise
        raise StudyError([line]) from error
    return _Made(made) if isinstance(made, dict) else made


def sizes(dataset: Dataset) -> tuple[int, int]:
    """Return the numbers per sample and the outputs that a network needs for a data set.

    Where the source's options do not tell them, its content is read.
    """
    if dataset.id in _DESCRIBED:
        return _DESCRIBED[dataset.id].sizes
    told = getattr(source(dataset.spec.source, dataset.spec.options), "sizes", None)
    features, outputs = told or described(dataset).sizes
    return int(features), int(outputs)


@dataclass(frozen=True)
class Described:
    """What the arrays of a data set tell.

    Attributes:
        sizes: As `sizes` has them.
        shape: Of one training input; None of a text.
        classes: Whether its targets are classes.
    """

    sizes: tuple[int, int]
    shape: tuple[int, ...] | None
    classes: bool


def described(dataset: Dataset) -> Described:
    """Return what the arrays of a data set tell; what is not prepared is read for it, once."""
    if dataset.id not in _DESCRIBED:
        if paths.manifest(dataset.id).is_file():
            arrays: Arrays = load(read_arrays(dataset.id))
        else:
            made = source(dataset.spec.source, dataset.spec.options)
            assert not isinstance(made, Streamed)  # noqa: S101 - who streams tells its sizes
            arrays = made.arrays(made.read())
        text = "train_inputs" not in arrays
        _DESCRIBED[dataset.id] = Described(
            sizes=_sizes(arrays),
            shape=None if text else arrays["train_inputs"].shape[1:],
            classes=text or arrays["train_targets"].dtype.kind != "f",
        )
    return _DESCRIBED[dataset.id]


_DESCRIBED: dict[str, Described] = {}


def changed(dataset: Dataset) -> str | None:
    """Return what is wrong with a data set's checksum, with the remedy; None if nothing is.

    Of prepared data only files of one's own are read again, where they are younger.
    """
    pinned, where = dataset.spec.sha256, f"data.{dataset.name}.sha256"
    if pinned is not None and not _younger(dataset):
        return None
    made = source(dataset.spec.source, dataset.spec.options)
    found = made.digest() if isinstance(made, Streamed) else hashlib.sha256(made.read()).hexdigest()
    if pinned is None:
        return f"{where}: missing. Write it there, so that changed data are noticed: {found}"
    if found == pinned:
        os.utime(paths.manifest(dataset.id))
        return None
    return (
        f"{where}: pins {pinned[:12]}…, but the content has changed: it is {found}. Write that, "
        "and its runs are trained anew; or put the former content back."
    )


def _younger(dataset: Dataset) -> bool:
    """Return whether a file of one's own is younger than what was prepared of it."""
    options, manifest = dataset.spec.options, paths.manifest(dataset.id)
    place = Path(str(options.get("path") or options.get("url") or ""))
    if not manifest.is_file() or not place.name or not place.exists():
        return False
    files = (file for file in (place, *place.rglob("*")) if file.is_file())
    return max((file.stat().st_mtime for file in files), default=0.0) > manifest.stat().st_mtime


class ChecksumError(RuntimeError):
    """A source whose content is not the one that params.yaml pins."""


def prepare(dataset_id: str, name: str, sha256: str, options: dict[str, Any]) -> Path:
    """Write the arrays and the manifest of one data set and return their folder.

    What was prepared before is only linked: Snakemake deletes a job's files before it runs it
    again.

    Args:
        dataset_id: The prepared data set's identity, its folder's name.
        name: The source, a file of `lrtransfer/data`.
        sha256: The checksum that the source's content must have.
        options: The source's options.

    Raises:
        StudyError: The source is the study's own, and fails.
        ChecksumError: The source's content differs; nothing is written, a download is dropped.
        ValueError: The arrays are not of the sizes that the source gives beforehand.
    """
    if not _kept(dataset_id):
        _make(dataset_id, name, sha256, options)
    for file in (paths.arrays, paths.manifest):
        link(paths.kept(file(dataset_id)), file(dataset_id))
    return paths.prepared(dataset_id)


def _kept(dataset_id: str) -> bool:
    """Return whether the work folder holds the prepared data set, undamaged."""
    try:
        check_data(dataset_id, kept=True)
    except (CorruptFileError, FileNotFoundError):
        return False
    return True


def _make(dataset_id: str, name: str, sha256: str, options: dict[str, Any]) -> None:
    made = source(name, options)
    raw = b"" if isinstance(made, Streamed) else made.read()
    found = made.digest() if isinstance(made, Streamed) else hashlib.sha256(raw).hexdigest()
    if found != sha256:
        # A wrong download must not be what the next attempt finds.
        if isinstance(made, Downloaded):
            made.discard()
        raise ChecksumError(
            f"data source {name!r}: its sha256 is {found}, params.yaml pins {sha256}. "
            "Install the package version of the lock file, correct the option url, "
            "or pin the new checksum."
        )
    shards: list[Shard] = []
    if isinstance(made, Streamed):
        folder = paths.prepared(dataset_id)
        shards = write_shards(made, folder)
        arrays = {
            "test_tokens": made.held_out(folder),
            # Of all tokens that there may be: the text itself is not asked, it is too long.
            "vocabulary": np.array([made.sizes[1]]),
        }
    else:
        arrays = made.arrays(raw)
    told = tuple(getattr(made, "sizes", _sizes(arrays)))
    if _sizes(arrays) != told:
        raise ValueError(
            f"data source {name!r}: a network needs {_sizes(arrays)} numbers in and out for its "
            f"training part, but its `sizes` are {told}. A class may have no training "
            "sample: correct the options or the source."
        )
    content = save({key: np.ascontiguousarray(array) for key, array in arrays.items()})
    manifest: dict[str, Any] = {
        "id": dataset_id,
        "source": name,
        "source_sha256": sha256,
        "options": options,
        "sha256": hashlib.sha256(content).hexdigest(),
        "arrays": {k: {"shape": list(a.shape), "dtype": str(a.dtype)} for k, a in arrays.items()},
    }
    if shards:
        manifest["shards"] = [asdict(shard) for shard in shards]
    write_bytes(paths.kept(paths.arrays(dataset_id)), content)
    text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    write_text(paths.kept(paths.manifest(dataset_id)), text)


def _sizes(arrays: Arrays) -> tuple[int, int]:
    """Return what a trained network finds: numbers per sample, and outputs."""
    if "vocabulary" in arrays:
        return 1, int(arrays["vocabulary"][0])
    if "train_tokens" in arrays:
        tokens = [array for name, array in arrays.items() if name.endswith("_tokens")]
        is_bytes = arrays["train_tokens"].dtype == np.uint8
        return 1, 256 if is_bytes else 1 + max(int(stream.max()) for stream in tokens)
    targets = arrays["train_targets"]
    if "train_paths" in arrays:
        numbers = 3 * int(arrays["image_size"][0]) ** 2
    else:
        numbers = math.prod(arrays["train_inputs"].shape[1:])
    return numbers, targets.shape[-1] if targets.dtype.kind == "f" else int(targets.max()) + 1


def load_arrays(dataset_id: str) -> Arrays:
    """Return the arrays of a prepared data set, after a check against its manifest.

    Shards of text stay on the disk, under `train_tokens/<shard>`; of them the size alone is
    checked here, the content when the study starts (`workflow/soundness.py`).

    Raises:
        CorruptFileError: Arrays or manifest are damaged.
        FileNotFoundError: The data set is not prepared.
    """
    loaded: Arrays = load(read_arrays(dataset_id))
    shards = read_manifest(dataset_id).get("shards", [])
    return loaded | open_shards(paths.prepared(dataset_id), shards)


def check_data(dataset_id: str, *, kept: bool = False) -> None:
    """Read all of a prepared data set, or its second copy; raises as `load_arrays`."""
    read_arrays(dataset_id, kept=kept)
    for shard in read_manifest(dataset_id, kept=kept).get("shards", []):
        check_shard(paths.prepared(dataset_id) / shard["name"], shard["sha256"])


def read_arrays(dataset_id: str, *, kept: bool = False) -> bytes:
    """Return the content of the arrays' file, or its second copy's; raises as `load_arrays`."""
    file = paths.arrays(dataset_id)
    file = paths.kept(file) if kept else file
    require_file(file)
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != read_manifest(dataset_id, kept=kept)["sha256"]:
        raise CorruptFileError(file, "the content does not match its manifest")
    return content


def read_manifest(dataset_id: str, *, kept: bool = False) -> dict[str, Any]:
    """Return what was noted of a prepared data set; raises as `load_arrays`."""
    file = paths.manifest(dataset_id)
    file = paths.kept(file) if kept else file
    require_file(file)
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict) or "sha256" not in manifest:
        raise CorruptFileError(file, "not a data manifest")
    return manifest
