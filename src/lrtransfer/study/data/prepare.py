"""Prepare a data set once: check the source, write arrays and a manifest with their digest."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.download import Downloaded
from lrtransfer.study.data.shards import Shard, Streamed, check_shard, open_shards, write_shards
from lrtransfer.study.data.sources import fitted, raw_content, source
from lrtransfer.study.storage import paths
from lrtransfer.study.storage.atomic import link, write_bytes, write_text
from lrtransfer.study.storage.seal import CorruptFileError, require_file


class ChecksumError(RuntimeError):
    """A source whose content is not the one that params.yaml pins."""


def prepare(dataset_id: str, name: str, sha256: str, options: dict[str, Any]) -> Path:
    """Write the arrays and the manifest of one data set and return their folder.

    What was prepared before is only linked: Snakemake deletes a job's files before it runs it
    again.

    Args:
        dataset_id: The prepared data set's identity, its folder's name.
        name: The source, a file of `study/data`, or the study's own.
        sha256: The checksum that the source's content must have.
        options: The source's options.

    Raises:
        StudyError: The source is the study's own, and fails.
        ChecksumError: The source's content differs; nothing is written, a download is dropped.
        ValueError: The arrays cannot be trained on, or are not of the sizes that the source gives
            beforehand.
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
    found, raw = raw_content(made)
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
        arrays = fitted(made, raw, name)
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


def known_manifest(dataset_id: str) -> dict[str, Any] | None:
    """Return what was noted of a data set when it was prepared; None where no sound note is."""
    for kept in (False, True):  # Snakemake drops the first where what its runs ask does not fit
        with suppress(CorruptFileError, FileNotFoundError):
            return read_manifest(dataset_id, kept=kept)
    return None
