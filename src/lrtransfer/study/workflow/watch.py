"""The study's progress, printed beside Snakemake's own lines while jobs run."""

from __future__ import annotations

import sys
import threading
import time

from lrtransfer.study.plan import Plan
from lrtransfer.study.storage.paths import Layout

INTERVAL_SECONDS = 15.0


def watch(plan: Plan, layout: Layout) -> None:
    """Start a thread that prints how many runs are trained, and about how long the rest takes."""
    waiting = {run.key: run for run in plan.runs if not _trained(layout, run.key)}
    if waiting:
        threading.Thread(target=_watch, args=(waiting, layout), daemon=True).start()


def _watch(waiting: dict[str, object], layout: Layout) -> None:
    total = len(waiting)
    began = time.monotonic()
    while waiting:
        time.sleep(INTERVAL_SECONDS)
        for key in [key for key in waiting if _trained(layout, key)]:
            del waiting[key]
        done = total - len(waiting)
        seconds = time.monotonic() - began
        left = f"; about {_minutes(seconds / done * len(waiting))} of training left" if done else ""
        print(f"trained {done} of {total} runs{left}", file=sys.stderr, flush=True)


def _trained(layout: Layout, key: str) -> bool:
    return (layout.work_run(key) / "run.parquet").is_file()


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
