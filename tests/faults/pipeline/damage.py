"""Ways to damage a finished study's files; each returns the file that is no longer sound."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lrtransfer.study.storage.tables import read_table, write_table
from tests.study.workflow.project import EXPERIMENT

Damage = Callable[[Path], Path]


def flip(path: Path, *, keep_time: bool = False) -> Path:
    """Flip one bit in place: a hard link to the file is damaged too."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0x10
    with path.open("r+b") as file:
        file.write(content)
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return path


def cut(path: Path, length: int) -> Path:
    """Keep the first ``length`` bytes."""
    os.truncate(path, length)
    return path


def _replaced(path: Path, text: str, by: str) -> Path:
    content = path.read_text(encoding="utf-8")
    assert text in content, f"{path} lacks {text!r}"
    path.write_text(content.replace(text, by, 1), encoding="utf-8")
    return path


def _first(folder: Path, pattern: str) -> Path:
    return sorted(folder.glob(pattern))[0]


def _other_run(results: Path) -> Path:
    """Put a sound file in place of another run's."""
    path, other = sorted((results / "runs").glob("*.parquet"))[:2]
    path.unlink()
    return Path(shutil.copy(other, path))


def _other_checkpoint(results: Path) -> Path:
    path, other = sorted((results / "checkpoints").glob("*/*.safetensors"))[:2]
    path.unlink()
    return Path(shutil.copy(other, path))


def _other_spectrum(results: Path) -> Path:
    path, other = sorted((results / "spectra/runs").glob("*.parquet"))[:2]
    path.unlink()
    return Path(shutil.copy(other, path))


def _edited_estimate(results: Path) -> Path:
    """Change one cell with an ordinary tool, as somebody would who wants another result."""
    path = results / f"estimates/{EXPERIMENT}.parquet"
    table = pq.read_table(path)
    values = [7.0, *table["value"].to_pylist()[1:]]
    place = table.schema.get_field_index("value")
    pq.write_table(table.set_column(place, "value", pa.array(values, pa.float64())), path)
    return path


def _foreign_table(results: Path) -> Path:
    """Put a sealed table of another scale in this one's place."""
    path = results / f"tables/{EXPERIMENT}.runs.parquet"
    table, about = read_table(path)
    write_table(path, table, about | {"scale": "paper"})
    return path


def _older_table(results: Path) -> Path:
    """Put a sealed table of an older form in this one's place."""
    path = results / f"tables/{EXPERIMENT}.curves.parquet"
    table, about = read_table(path)
    write_table(path, table, about | {"format": 0})
    return path


def _changed_verdict(results: Path) -> Path:
    path = results / "claims.json"
    records = json.loads(path.read_text(encoding="utf-8"))
    was = records[0]["verdict"]
    records[0]["verdict"] = "supported" if was != "supported" else "contradicted"
    path.write_text(json.dumps(records, indent=2), encoding="utf-8")
    return path


def _pipe(path: Path) -> Path:
    path.unlink()
    os.mkfifo(path)
    return path


def _folder(path: Path) -> Path:
    path.unlink()
    path.mkdir()
    (path / "something").touch()
    return path


def _dangling(path: Path) -> Path:
    path.unlink()
    path.symlink_to("/nonexistent/file")
    return path


def _figure(results: Path, kind: str) -> Path:
    return _first(results, f"figures/{EXPERIMENT}/*.{kind}")


# Name -> what is done to `results`.
DAMAGES: dict[str, Damage] = {
    "run emptied": lambda r: cut(_first(r, "runs/*"), 0),
    "run flipped": lambda r: flip(_first(r, "runs/*")),
    "run of another key": _other_run,
    "run a folder": lambda r: _folder(_first(r, "runs/*")),
    "run a pipe": lambda r: _pipe(_first(r, "runs/*")),
    "run a dangling link": lambda r: _dangling(_first(r, "runs/*")),
    "checkpoint flipped": lambda r: flip(_first(r, "checkpoints/*/*")),
    "checkpoint of another run": _other_checkpoint,
    "spectrum of another key": _other_spectrum,
    "table cut": lambda r: cut(r / f"tables/{EXPERIMENT}.runs.parquet", 300),
    "table emptied": lambda r: cut(r / f"tables/{EXPERIMENT}.spectra.parquet", 0),
    "table of another scale": _foreign_table,
    "table of an older form": _older_table,
    "estimate edited": _edited_estimate,
    "estimates a folder": lambda r: _folder(r / f"estimates/{EXPERIMENT}.parquet"),
    "forecasts flipped": lambda r: flip(r / f"estimates/{EXPERIMENT}.forecasts.parquet"),
    "verdict changed": _changed_verdict,
    "ledger cut": lambda r: cut(r / "claims.json", 100),
    "ledger a folder": lambda r: _folder(r / "claims.json"),
    "metrics emptied": lambda r: cut(r / "metrics.json", 0),
    "plotted numbers changed": lambda r: _replaced(_figure(r, "csv"), "1", "2"),
    "picture emptied": lambda r: cut(_figure(r, "png"), 0),
    "print flipped": lambda r: flip(_figure(r, "pdf")),
    "report emptied": lambda r: cut(r / "report.html", 0),
    "report edited": lambda r: _replaced(r / "report.html", "<body", "<body "),
    "prepared arrays flipped": lambda r: flip(_first(r.parent, "data/prepared/*/arrays.*")),
    "data manifest cut": lambda r: cut(_first(r.parent, "data/prepared/*/manifest.json"), 20),
    "data manifest a list": lambda r: _list(_first(r.parent, "data/prepared/*/manifest.json")),
}


def _list(path: Path) -> Path:
    path.write_text("[]", encoding="utf-8")
    return path
