"""Whether the solvers reach what they should: one row per criterion, with the worst case."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from benchmarks.solvers import OURS

Row = dict[str, Any]

COLD_OVER_PEER = 1.5
COLD_OVER_DEFAULT = 5.0
WARM_EVALUATIONS = 5.0
WARM_OVERLAP = 0.9
TOP_10_OVER_PEER = 2.0
OVER_FLOOR = 1.3


def rows(compared: Sequence[Row]) -> list[Row]:
    """Return the verdicts on the rows of `benchmarks.solvers`."""
    answers = [row for row in compared if "solver" in row]
    ours = [row for row in answers if row["solver"] == OURS and row["default"]]
    wrong = [row for row in ours if not row["right"]]
    found = [
        {
            "criterion": "no wrong answer",
            "reached": not wrong,
            "problems": len(ours),
            "wrong": [_name(row) for row in wrong],
        }
    ]
    found.append(_peers_wrong(answers))
    for criterion, quantity, least, defaults in (
        ("cold, over the cheapest right peer setting", "top 1", COLD_OVER_PEER, False),
        ("cold, over the cheapest right peer default", "top 1", COLD_OVER_DEFAULT, True),
        ("top 10, over the cheapest right peer setting", "top 10", TOP_10_OVER_PEER, False),
    ):
        found.append(_against_peers(answers, criterion, quantity, least, defaults))
    found += [_fixed(answers, quantity) for quantity in ("top 1", "top 10")]
    warm = [row for row in answers if row["quantity"] == "top 1, warm" and row["solver"] == OURS]
    near = [row for row in warm if row["overlap"] > WARM_OVERLAP]
    for setting in dict.fromkeys(row["setting"] for row in near):
        chosen = [row for row in near if row["setting"] == setting]
        criterion = f"warm at overlap > {WARM_OVERLAP:g}, {setting}: gradient evaluations"
        found.append(_at_most(criterion, chosen, "gradient_evaluations", WARM_EVALUATIONS))
    for quantity in ("top 1", "top 1, warm", "top 10"):
        chosen = [row for row in ours if row["quantity"] == quantity]
        for column in ("over_floor", "products_over_floor"):
            found.append(_at_most(f"{quantity}: {column}", chosen, column, OVER_FLOOR))
    return found


def _peers_wrong(answers: Iterable[Row]) -> Row:
    """Return how many of each peer's answers are wrong or failed."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in answers:
        if row["solver"] != OURS:
            counts[row["solver"]][0] += 1
            counts[row["solver"]][1] += "failed" not in row and not row["right"]
            counts[row["solver"]][2] += "failed" in row
    peers = {name: f"{w} wrong, {f} failed of {n}" for name, (n, w, f) in counts.items()}
    return {"criterion": "peers' answers", **peers}


def _against_peers(
    answers: Sequence[Row], criterion: str, quantity: str, least: float, defaults: bool
) -> Row:
    """Return how many times cheaper ours is than the cheapest right answer of a peer."""
    ratios = {}
    without = []
    for name, part in _problems(answers, quantity).items():
        (own,) = (row for row in part if row["solver"] == OURS and row["default"])
        prices = [
            row["gradient_evaluations"]
            for row in part
            if row["solver"] != OURS and row["right"] and (row["default"] or not defaults)
        ]
        if prices:
            ratios[name] = round(min(prices) / own["gradient_evaluations"], 2)
        else:
            without.append(name)
    row: Row = {"criterion": criterion, "at_least": least}
    if ratios:
        row["reached"] = min(ratios.values()) >= least
        row |= {"smallest": min(ratios.values()), "median": round(median(ratios.values()), 2)}
    return row | {"ratios": ratios, "no_right_peer": without}


def _fixed(answers: Sequence[Row], quantity: str) -> Row:
    """Return the peer setting that is right on the most problems, and its price over ours.

    The cheapest right setting of each problem is known only after the exact answer is.
    """
    by_setting: dict[str, list[float]] = defaultdict(list)
    right: dict[str, int] = defaultdict(int)
    problems = _problems(answers, quantity)
    for part in problems.values():
        (own,) = (row for row in part if row["solver"] == OURS and row["default"])
        for row in part:
            if row["solver"] == OURS:
                continue
            setting = f"{row['solver']}: {row['setting']}"
            right[setting] += row["right"]
            if row["right"]:
                ratio = row["gradient_evaluations"] / own["gradient_evaluations"]
                by_setting[setting].append(round(ratio, 2))
    row: Row = {"criterion": f"{quantity}: one peer setting for all problems"}
    if by_setting:
        most = max(right.values())
        chosen = [name for name in by_setting if right[name] == most]
        best = min(chosen, key=lambda name: median(by_setting[name]))
        row |= {"setting": best, "right_on": f"{most} of {len(problems)}"}
        row |= {"smallest": min(by_setting[best]), "median": round(median(by_setting[best]), 2)}
    return row


def _at_most(criterion: str, chosen: Sequence[Row], column: str, limit: float) -> Row:
    row: Row = {"criterion": criterion, "at_most": limit}
    values = [part[column] for part in chosen if column in part]
    if values:
        row |= {
            "reached": max(values) <= limit,
            "largest": max(values),
            "median": round(median(values), 2),
            "reached_on": f"{sum(value <= limit for value in values)} of {len(values)}",
        }
    return row


def _problems(answers: Iterable[Row], quantity: str) -> dict[str, list[Row]]:
    """Return the rows of each network and state."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in answers:
        if row["quantity"] == quantity:
            found[f"{row['network']}, {row['state']}"].append(row)
    return found


def _name(row: Row) -> str:
    return f"{row['network']}, {row['state']}, {row['quantity']}: {row['error']}"
