"""``python -m benchmarks --targets curvature,planning --device cpu``."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from lrtransfer.study.storage.atomic import write_text

TARGETS = (
    "curvature",
    "growth",
    "judging",
    "language",
    "learning_rate_axis",
    "logging",
    "planning",
    "prices",
    "rehearsal",
    "scale",
    "training",
    "tuners",
    "warm",
)
RESULTS = Path("results/benchmarks")


def main() -> int:
    """Run the chosen benchmarks and write one JSON file for each."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--targets", default="all", help=f"all, or some of {', '.join(TARGETS)}")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    chosen = TARGETS if options.targets == "all" else tuple(options.targets.split(","))
    if unknown := set(chosen) - set(TARGETS):
        print(f"unknown targets {sorted(unknown)}; known: {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    for name in chosen:
        target = import_module(f"benchmarks.{name}")
        rows = target.measure(options.device)
        about = {"device": options.device, "python": platform.python_version()}
        about["torch"] = version("torch")
        about |= target.about() if hasattr(target, "about") else {}
        path = RESULTS / f"{name}.json"
        write_text(path, json.dumps({"about": about, "rows": rows}, indent=2) + "\n")
        print(f"wrote {path}")
        for row in rows:
            print("  " + ", ".join(f"{key} {value}" for key, value in row.items()))
    return 0


sys.exit(main())
