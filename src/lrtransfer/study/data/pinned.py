"""Whether a data set's content is still what params.yaml pins."""

from __future__ import annotations

from pathlib import Path

from lrtransfer.study.data.prepare import known_manifest
from lrtransfer.study.data.sources import at_hand, own_files, place, raw_content, source
from lrtransfer.study.plan.expand import Dataset
from lrtransfer.study.plan.fingerprint import digest
from lrtransfer.study.storage import paths
from lrtransfer.study.storage.atomic import write_text


def changed(dataset: Dataset) -> str | None:
    """Return what is wrong with a data set's checksum, with the remedy; None if nothing is.

    Content that had it is read again only where its files, or their place, are others since. What
    is not prepared is read if it is at hand; the rest is checked when it is prepared.
    """
    pinned, where = dataset.spec.sha256, f"data.{dataset.name}.sha256"
    if pinned is not None and (_is_seen(dataset) or not _in_doubt(dataset)):
        return None
    found, _ = raw_content(source(dataset.spec.source, dataset.spec.options))
    if pinned is None:
        return f"{where}: missing. Write it there, so that changed data are noticed: {found}"
    if found == pinned:
        note_seen(dataset)
        return None
    what = _place(dataset) or f"what {dataset.spec.source} makes"
    return (
        f"{where}: pins {pinned[:12]}…, but that of {what} is {found}. Write that, and its runs "
        "are trained anew; or put the former content back."
    )


def note_seen(dataset: Dataset) -> None:
    """Note that a data set's files have the pinned checksum as they lie there now."""
    write_text(_note(dataset), _state(dataset))


def _is_seen(dataset: Dataset) -> bool:
    note = _note(dataset)
    return note.is_file() and note.read_text("utf-8") == _state(dataset)


def _note(dataset: Dataset) -> Path:
    return paths.WORK / "sources" / dataset.id


def _state(dataset: Dataset) -> str:
    """Return a digest of where the content lies, and of its files' sizes and times."""
    files = [(str(file), file.stat()) for file in own_files(_place(dataset))]
    return digest([_place(dataset), [[n, s.st_size, s.st_mtime_ns] for n, s in files]])


def _in_doubt(dataset: Dataset) -> bool:
    """Return whether content that was not seen yet, as it lies there, has to be read."""
    manifest, where = known_manifest(dataset.id), _place(dataset)
    if manifest is None:
        return at_hand(where)
    files = own_files(where)
    if where != place(dataset.spec.source, manifest["options"]) or (files and at_hand(where)):
        return True
    prepared = paths.manifest(dataset.id)
    prepared = prepared if prepared.is_file() else paths.kept(prepared)
    return any(file.stat().st_mtime > prepared.stat().st_mtime for file in files)


def _place(dataset: Dataset) -> str:
    return place(dataset.spec.source, dataset.spec.options)
