"""`lrtransfer doctor`: what is installed, what the machine has, and what is missing for what.

What is needed is read from the installed package's own requirements, so no list here can go stale.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from textwrap import fill
from typing import Any, Literal

from packaging.requirements import Requirement

import lrtransfer

# What an extra is for; one that is not named here is shown by its name alone.
_FOR = {
    "study": "studies: params.yaml, run, figures, report",
    "cluster": "studies on Slurm and other clusters",
    "s3": "results in S3",
    "follow": "watching runs in TensorBoard or Weights & Biases",
    "optimizers": "Lion, ADOPT, Shampoo and SOAP",
    "completion": "completion in the shell",
    "dev": "changing lrtransfer: tests, types, documents",
}
_COLUMNS = 100
_GIB = 2**30
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")

State = Literal["ok", "missing", "broken"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        about: What it is.
        state: `ok`; `missing`, where it can be done without; or `broken`, where it cannot.
        text: What was found, with a remedy where one is needed.
        details: The same as data, for JSON.
    """

    about: str
    state: State
    text: str
    details: dict[str, Any] = field(default_factory=dict)


def doctor(options: argparse.Namespace) -> None:
    """Print all findings.

    Raises:
        SystemExit: Status 1: something that is required here is broken.
    """
    found = list(findings())
    if options.json:
        print(json.dumps([asdict(one) for one in found], indent=2, ensure_ascii=False))
    else:
        print("\n".join(_line(one) for one in found))
    if any(one.state == "broken" for one in found):
        raise SystemExit(1)


def findings() -> Iterator[Finding]:
    """Yield what is to be known about this installation, this machine and this folder."""
    study = Path("params.yaml").is_file()
    yield _version()
    if _installed("lrtransfer") is not None:
        yield _packages("", required=True)
        for extra in metadata.metadata("lrtransfer").get_all("Provides-Extra") or []:
            yield _packages(extra, required=study and extra == "study")
    yield _card()
    yield _cores()
    yield _memory()
    yield _disk()
    yield _folder()
    yield _program("git", ("git",), "versions of a study")
    yield _program("slurm", ("sbatch",), "profiles/slurm")
    yield _program("browser", _BROWSERS, "tests of the report alone; pictures need none")


def _version() -> Finding:
    place, python = Path(lrtransfer.__file__).parent, platform.python_version()
    version = _installed("lrtransfer")
    machine = os.uname()
    system = f"Python {python} on {machine.sysname} {machine.release}, {machine.machine}"
    details = {"version": version, "place": str(place), "python": python}
    if version is None:
        text = f"not installed, only found at {place}: pip install . where its pyproject.toml is"
        return Finding("lrtransfer", "broken", f"{text}; {system}", details)
    return Finding("lrtransfer", "ok", f"{version} in {place}; {system}", details)


def _packages(extra: str, *, required: bool) -> Finding:
    """Compare what an extra needs, or the base, whose name is empty, with what is installed."""
    needs = [one.name for one in _needs(extra) if one.name != "lrtransfer"]
    installed = {name: _installed(name) for name in needs}
    about, use = (f"[{extra}]", _FOR.get(extra, extra)) if extra else ("instruments", "")
    if lacking := ", ".join(_lacking(extra)):
        package = f'"lrtransfer[{extra}]"' if extra else "lrtransfer"
        text = f"lacks {lacking}. For {use}: " if use else f"lacks {lacking}: "
        state: State = "broken" if required else "missing"
        return Finding(about, state, f"{text}pip install {package}", installed)
    shown = ", ".join(f"{name} {version}" for name, version in installed.items())
    return Finding(about, "ok", shown if required else use, installed)


def _lacking(extra: str) -> list[str]:
    """Return what an extra needs that is not installed, or not in the version it needs."""
    found = []
    for one in _needs(extra):
        version = _installed(one.name)
        if one.name == "lrtransfer":
            found += [f"[{inner}]" for inner in sorted(one.extras) if _lacking(inner)]
        elif version is None:
            found.append(f"{one.name}{one.specifier}")
        elif not one.specifier.contains(version, prereleases=True):
            found.append(f"{one.name}{one.specifier} (is {version})")
    return found


def _needs(extra: str) -> list[Requirement]:
    """Return what an extra asks for besides the base."""
    listed = [Requirement(text) for text in metadata.requires("lrtransfer") or []]
    return [one for one in listed if _asked(one, extra) and not (extra and _asked(one, ""))]


def _asked(one: Requirement, extra: str) -> bool:
    return one.marker is None or one.marker.evaluate({"extra": extra})


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _card() -> Finding:
    try:
        import torch
    except Exception as error:  # whatever a broken installation raises
        return Finding("card", "broken", f"torch cannot be imported: {error}. Install it anew")
    if not torch.cuda.is_available():
        built = torch.version.cuda
        why = f"built for CUDA {built}, but no card answers" if built else "built for the CPU alone"
        return Finding("card", "missing", f"none; torch {torch.__version__} is {why}")
    cards = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    names = [f"{card.name}, {card.total_memory / _GIB:.0f} GiB" for card in cards]
    return Finding("card", "ok", "; ".join(names), {"cards": names, "cuda": torch.version.cuda})


def _cores() -> Finding:
    ours, all_of_them = len(os.sched_getaffinity(0)), os.cpu_count()
    threads = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    said = ", ".join(f"{name} {value or 'not set'}" for name, value in threads.items())
    text = f"{ours} of {all_of_them}; {said}; a study's jobs have one thread each"
    return Finding("cores", "ok", text, {"usable": ours, "cores": all_of_them, **threads})


def _memory() -> Finding:
    page = os.sysconf("SC_PAGE_SIZE")
    total, free = (page * os.sysconf(f"SC_{name}") for name in ("PHYS_PAGES", "AVPHYS_PAGES"))
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():
        total = min(total, int(text))
    return Finding("memory", "ok", f"{total / _GIB:.0f} GiB", {"bytes": total, "unused": free})


def _disk() -> Finding:
    there = shutil.disk_usage(".")
    text = f"{there.free / _GIB:.0f} of {there.total / _GIB:.0f} GiB free in this folder"
    if not os.access(".", os.W_OK):
        text += ", which cannot be written to"
    return Finding("disk", "ok", text, {"free": there.free, "total": there.total})


def _folder() -> Finding:
    if not Path("params.yaml").is_file():
        text = "no params.yaml: no study. Begin one: lrtransfer init FOLDER"
        return Finding("folder", "missing", text)
    try:
        from lrtransfer.study.plan.load import load_study

        study = load_study(Path("params.yaml"))
    except ModuleNotFoundError as error:
        return Finding("folder", "broken", f"a study, which needs {error.name}: see [study]")
    except (ValueError, OSError) as error:
        first = str(error).splitlines()[0]
        return Finding("folder", "broken", f"a study with a fault: {first} See lrtransfer check")
    text = (
        f"a study of {len(study.study)} experiments at scale {study.scale}, device {study.device}"
    )
    return Finding("folder", "ok", text, {"experiments": len(study.study), "scale": study.scale})


def _program(about: str, names: tuple[str, ...], needed_for: str) -> Finding:
    for name in names:
        if place := shutil.which(name):
            return Finding(about, "ok", place, {"program": place})
    return Finding(about, "missing", f"no {names[0]} on the PATH; needed for {needed_for}")


def _line(one: Finding) -> str:
    mark = {"ok": " ", "missing": "-", "broken": "!"}[one.state]
    head = f"{mark} {one.about:<12} "
    return fill(
        one.text,
        _COLUMNS,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )
