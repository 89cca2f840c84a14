"""What the arrays of a data set tell a study before it trains."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from safetensors.numpy import load

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.prepare import known_manifest, read_arrays
from lrtransfer.study.data.shards import Streamed
from lrtransfer.study.data.sources import at_hand, fitted, place, raw_content, source
from lrtransfer.study.data.trainable import sizes_of
from lrtransfer.study.plan.expand import Dataset
from lrtransfer.study.plan.yaml_file import StudyError
from lrtransfer.study.storage.seal import CorruptFileError


@dataclass(frozen=True)
class Described:
    """What the arrays of a data set tell.

    Attributes:
        holds: The arrays' names.
        count: Of training inputs, or of tokens.
        shape: Of one training input; None of a text.
        classes: Whether its targets are classes.
    """

    holds: tuple[str, ...]
    count: int
    shape: tuple[int, ...] | None
    classes: bool


Sizes = tuple[int, int]
_READ: dict[str, tuple[Sizes, Described]] = {}


def sizes(dataset: Dataset) -> Sizes:
    """Return the numbers per sample and the outputs that a network needs for a data set.

    Where the source's options do not tell them, its content is read; raises as `described`.
    """
    if dataset.id in _READ:
        return _READ[dataset.id][0]
    told = getattr(source(dataset.spec.source, dataset.spec.options), "sizes", None)
    features, outputs = told or _read(dataset)[0]
    return int(features), int(outputs)


def described(dataset: Dataset) -> Described:
    """Return what the arrays of a data set tell; what is not prepared is read for it, once.

    Raises:
        StudyError: It holds what cannot be trained on.
    """
    manifest = known_manifest(dataset.id)
    if manifest is None:
        return _read(dataset)[1]
    forms = {name: (told["shape"], told["dtype"]) for name, told in manifest["arrays"].items()}
    if shards := manifest.get("shards"):
        forms["train_tokens"] = ([sum(shard["tokens"] for shard in shards)], "int")
    return _described(forms, sizes(dataset))


def is_known(dataset: Dataset) -> bool:
    """Return whether `described` answers soon: of what is prepared, or at hand."""
    if dataset.id in _READ or known_manifest(dataset.id) is not None:
        return True
    name, options = dataset.spec.source, dataset.spec.options
    return at_hand(place(name, options)) and not isinstance(source(name, options), Streamed)


def _read(dataset: Dataset) -> tuple[Sizes, Described]:
    if dataset.id not in _READ:
        arrays = _arrays(dataset)
        forms = {name: (list(array.shape), str(array.dtype)) for name, array in arrays.items()}
        own = sizes_of(arrays)
        _READ[dataset.id] = own, _described(forms, own)
    return _READ[dataset.id]


def _arrays(dataset: Dataset) -> Arrays:
    for kept in (False, True):
        with suppress(CorruptFileError, FileNotFoundError):
            prepared: Arrays = load(read_arrays(dataset.id, kept=kept))
            return prepared
    name, options = dataset.spec.source, dataset.spec.options
    made = source(name, options)
    assert not isinstance(made, Streamed)  # noqa: S101 - who streams tells its sizes
    try:
        return fitted(made, raw_content(made)[1], name)
    except StudyError:
        raise
    except ValueError as error:
        raise StudyError([f"params.yaml: data.{dataset.name}: {error}"]) from error


def _described(forms: Mapping[str, tuple[list[int], str]], sizes: Sizes) -> Described:
    """Return what shapes and dtypes tell."""
    if "train_tokens" in forms:
        (count, *shape), classes = forms["train_tokens"][0], True
    elif "train_paths" in forms:
        count, side = forms["train_paths"][0][0], math.isqrt(sizes[0] // 3)
        shape, classes = [3, side, side], True
    else:
        count, *shape = forms["train_inputs"][0]
        classes = not forms["train_targets"][1].startswith("float")
    is_text = "train_tokens" in forms
    return Described(tuple(forms), count, None if is_text else tuple(shape), classes)
