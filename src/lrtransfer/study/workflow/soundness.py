"""Which stored results are sound: whole, undamaged, and those that their names say.

What needs training is looked at once, until it changes; all that is made of it, at every call. So a
study that starts makes anew what was damaged, edited by hand or put in place of another's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from lrtransfer.study.plan.expand import Plan
from lrtransfer.study.storage import paths
from lrtransfer.study.storage.atomic import write_text
from lrtransfer.study.storage.paths import WORK, Layout
from lrtransfer.study.storage.seal import CorruptFileError, read_sealed
from lrtransfer.study.storage.sums import check_sum
from lrtransfer.study.workflow.stored import estimate_settings, made_of, table_settings
from lrtransfer.study.workflow.targets import Targets

_VERIFIED = WORK / "verified.json"

# Raises `CorruptFileError` where a file is not sound, `FileNotFoundError` where there is none.
Check = Callable[[Path], object]


@dataclass
class Checked:
    """What a look at the stored results found.

    Attributes:
        sound: The files that are.
        damaged: One error per file that is not.
    """

    sound: set[Path] = field(default_factory=set)
    damaged: list[CorruptFileError] = field(default_factory=list)

    def look(self, path: Path, check: Check) -> None:
        """Check one file, unless it is missing."""
        try:
            check(path)
        except FileNotFoundError:
            return
        except CorruptFileError as error:
            # A list of digests is met once for each of its files.
            if error.path not in {other.path for other in self.damaged}:
                self.damaged.append(error)
        else:
            self.sound.add(path)


def check_results(plan: Plan, layout: Layout) -> Checked:
    """Check every stored file of a study."""
    found = check_published(plan, layout)
    for path, check in _derived(plan, layout):
        found.look(path, check)
    return found


def check_published(plan: Plan, layout: Layout) -> Checked:
    """Check runs, checkpoints, spectra and data, as far as they changed since they were checked."""
    known = _read_verified()
    verified = dict(known)
    found = Checked()
    for path, check in [*_data(plan), *published(plan, layout)]:
        seen = _signature(path)
        if seen is not None and known.get(str(path)) == seen:
            found.sound.add(path)
            continue
        found.look(path, check)
        verified.pop(str(path), None)
        if path in found.sound and seen is not None:
            verified[str(path)] = seen
    # Those of other selections count on, as long as the files are there.
    verified = {name: seen for name, seen in verified.items() if Path(name).is_file()}
    if verified != known:
        write_text(_VERIFIED, json.dumps(verified))
    return found


def published(plan: Plan, layout: Layout) -> Iterator[tuple[Path, Check]]:
    """Yield every run, checkpoint and spectrum file of the plan, and what it must hold."""
    for run in plan.runs:
        yield layout.run(run.key), partial(_check_sealed, of={"key": run.key})
        for step in run.checkpoints:
            of = {"key": run.key, "step": step}
            yield layout.checkpoint(run.key, step), partial(_check_sealed, of=of)
    for spectrum in plan.spectra:
        yield layout.spectrum(spectrum.key), partial(_check_sealed, of={"key": spectrum.key})


def _data(plan: Plan) -> Iterator[tuple[Path, Check]]:
    # Imported here, since Snakemake reads this file in every job.
    from lrtransfer.study.data.prepare import read_manifest

    for dataset in plan.datasets:
        manifest = paths.manifest(dataset.id)
        yield manifest, _check_data
        yield paths.arrays(dataset.id), _check_data
        with suppress(CorruptFileError, FileNotFoundError):
            for shard in read_manifest(dataset.id).get("shards", []):
                path = paths.prepared(dataset.id) / shard["name"]
                yield path, partial(_check_shard, sha256=shard["sha256"], manifest=manifest)


def _derived(plan: Plan, layout: Layout) -> Iterator[tuple[Path, Check]]:
    """Yield all that is made of runs and spectra, from tables to the report."""
    targets = Targets(plan, layout)
    for name in plan.experiments:
        of = table_settings(plan, name)
        for table in (*targets.run_tables(name), *targets.spectra_tables(name)):
            yield Path(table), partial(_check_sealed, of=of)
        for file in targets.estimates(name):
            yield Path(file), partial(_check_sealed, of=estimate_settings(plan, name))
        for figure in targets.figures(name):
            yield Path(figure), partial(check_sum, sums=layout.figures_sums(name))
    # The ledger reads them.
    for name in plan.study.study.keys() - set(plan.experiments):
        yield layout.estimates(name), partial(_check_sealed, of={})
    for path in (layout.claims, layout.metrics):
        yield path, partial(check_sum, sums=layout.claims_sums)
    yield layout.report, read_sealed


def stale_tables(plan: Plan, layout: Layout) -> list[str]:
    """Return the stored tables that are made of other runs or spectra than the plan asks for."""
    from lrtransfer.study.storage.tables import read_about

    targets = Targets(plan, layout)
    tables = [
        Path(table)
        for name in plan.experiments
        for table in (*targets.run_tables(name), *targets.spectra_tables(name))
    ]
    return [
        str(table)
        for table in tables
        if table.is_file() and read_about(table).get("made_of") != made_of(plan, table)
    ]


def outdated(plan: Plan, layout: Layout) -> list[str]:
    """Return the experiments whose stored tables are not those that the plan asks for."""
    return list(dict.fromkeys(Path(t).name.split(".")[0] for t in stale_tables(plan, layout)))


def _check_data(path: Path) -> None:
    # Imported here, since Snakemake reads this file in every job.
    from lrtransfer.study.data.prepare import read_arrays, read_manifest

    read = read_manifest if path.suffix == ".json" else read_arrays
    read(path.parent.name)


def _check_shard(path: Path, sha256: str, manifest: Path) -> None:
    """Blame the manifest for a shard, which no rule makes: what makes the manifest mends it."""
    from lrtransfer.study.data.shards import check_shard

    try:
        check_shard(path, sha256)
    except (CorruptFileError, FileNotFoundError):
        raise CorruptFileError(manifest, f"its shard {path.name} is missing or damaged") from None


def _check_sealed(path: Path, of: dict[str, Any]) -> None:
    read_sealed(path)
    if path.suffix == ".parquet":
        from lrtransfer.study.storage.tables import read_about

        read_about(path, of)
        return
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            about = json.loads(file.metadata()["about"])
        wrong = [name for name, value in of.items() if about[name] != value]
    except (SafetensorError, ValueError, KeyError, TypeError):
        raise CorruptFileError(path, "no checkpoint of this project") from None
    if wrong:
        raise CorruptFileError(path, f"its {wrong[0]} is {about[wrong[0]]}, not {of[wrong[0]]}")


def _signature(path: Path) -> list[int] | None:
    if not path.is_file():
        return None
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ino]


def _read_verified() -> dict[str, list[int]]:
    try:
        content = json.loads(_VERIFIED.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
