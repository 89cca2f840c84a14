"""How long training will take: prices of the runs that are missing, corrected as runs end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from lrtransfer.study.workflow.cost import known_costs
from lrtransfer.study.workflow.targets import Targets


class Forecast:
    """Time left for runs, in seconds of one core.

    Args:
        keys: Of the runs that are to be trained.
        prices: Key -> estimated seconds; a run without one is taken for a run like the others.
        journal: Where a line says which run was trained and how long that took.

    Attributes:
        waiting: Key -> price of the runs that are not trained yet.
        measured: Seconds that the trained ones took.
    """

    def __init__(self, keys: Iterable[str], prices: Mapping[str, float], journal: Path) -> None:
        keys = list(keys)
        known = [prices[key] for key in keys if key in prices]
        self._unpriced = not known
        usual = sum(known) / len(known) if known else 1.0
        self.waiting = {key: prices.get(key, usual) for key in keys}
        self.total = len(self.waiting)
        self._journal = journal
        self._read = journal.stat().st_size if journal.is_file() else 0
        self._priced = self.measured = 0.0
        self._last = time.monotonic()

    @property
    def trained(self) -> int:
        """How many of the runs are trained."""
        return self.total - len(self.waiting)

    def seconds_left(self, at_once: int = 0) -> float | None:
        """Return the time left, None where nothing is known of it.

        Args:
            at_once: How many runs are trained now. Between the ends of runs the time left falls
                as theirs passes, to a half at most.
        """
        for key, seconds in self._news():
            if key in self.waiting:
                self._priced += self.waiting.pop(key)
                self.measured += seconds
                self._last = time.monotonic()
        if self._unpriced and self.waiting and not self.measured:
            return None
        ratio = self.measured / self._priced if self._priced else 1.0
        left = ratio * sum(self.waiting.values())
        return max(left - at_once * (time.monotonic() - self._last), left / 2)

    def _news(self) -> list[tuple[str, float]]:
        """Return key and seconds of the runs that the journal has named since it was last read."""
        try:
            with self._journal.open("rb") as file:
                file.seek(self._read)
                lines = file.read().splitlines(keepends=True)
        except OSError:
            return []
        news = []
        for line in lines:
            if not line.endswith(b"\n"):
                break
            self._read += len(line)
            try:
                entry = json.loads(line)
                news.append((str(entry["key"]), float(entry["seconds"])))
            except (ValueError, KeyError, TypeError):
                continue
        return news


def forecast(targets: Targets, rules: Mapping[str, int]) -> Forecast | None:
    """Return the forecast of the training that some of a study's rules do.

    Args:
        targets: Of the study.
        rules: Rule -> number of its jobs. Which jobs of the common rule is not said: there is no
            forecast unless they are all that lack their file.
    """
    layout, own = targets.layout, {r.name: r.keys for r in targets.train_rules()}
    keys = [key for name, part in own.items() if f"train_{name}" in rules for key in part]
    if count := rules.get("train_run"):
        named = {key for part in own.values() for key in part}
        every = dict.fromkeys(run.key for run in targets.plan.runs if run.key not in named)
        missing = [key for key in every if not layout.run(key).is_file()]
        if len(missing) != count:
            return None
        keys += missing
    left = [key for key in keys if not (layout.work_run(key) / "run.parquet").is_file()]
    return Forecast(left, known_costs(), layout.journal)
