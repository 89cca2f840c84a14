"""Conditions of claims: what of it an experiment meets, and why a claim is not judged where not.

A condition is about what a run can show, not about what it showed: alignment needs many samples for
each input, Adam's curvature in time a run as long as its averages reach back, a ratio of losses
nets that have not memorised their samples.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from lrtransfer.study.evidence.estimates import Estimates, Of, Row
from lrtransfer.study.plan.claims import Needs
from lrtransfer.transfer.estimate import Estimate, known_exactly

UNMEASURED = "The conditions of the claim were not measured."

#: Field of `Needs`: the statistic that has to be as large in all arms of the claim, and the reason.
_AT_LEAST = {
    "samples_per_input": (
        "samples_per_input",
        "An update sees {found:.3g} samples per input of the widest layer (condition: "
        "{asked:g}). Raise the batch.",
    ),
    "horizons": (
        "horizons",
        "The run lasts {found:.3g} of the 1/(1 − β₂) updates that Adam's averages reach back "
        "(condition: {asked:g}). Train for longer.",
    ),
    "steps": ("updates", "The run has {found:g} updates (condition: {asked:g}). Train for longer."),
    "loss": (
        "log2_loss",
        "The samples are memorised: the loss falls to {found:.2g} (condition: {asked:g}), where "
        "ratios are noise. Take more samples.",
    ),
}


def run_lengths(runs: pd.DataFrame) -> Iterator[Row]:
    """Yield each arm's `updates`, and how many `horizons` of β₂ they are where there is one.

    Args:
        runs: of one experiment, with `config` as JSON text.
    """
    for arm, text in runs.drop_duplicates("arm").set_index("arm")["config"].items():
        config = json.loads(text)
        if "steps" not in config:
            continue
        lengths = {"updates": float(config["steps"])}
        if beta2 := config["optimizer"]["options"].get("beta2"):
            lengths["horizons"] = lengths["updates"] * (1 - float(beta2))
        for statistic, length in lengths.items():
            yield Of(statistic=statistic, unit="1", arm=str(arm)), known_exactly(length)


def unmet(
    needs: Needs | None,
    estimates: Estimates,
    options: Mapping[str, Any],
    effect: Estimate | None,
    confidence: float,
) -> str:
    """Return why an experiment cannot decide a claim; empty if it can.

    Args:
        needs: of the claim.
        estimates: of the experiment.
        options: of the claim's measure, which name its arms.
        effect: what was measured.
        confidence: of its interval.
    """
    if needs is None:
        return ""
    arms = _arms(options) & estimates.arms
    reasons = [_unsteady(needs.steady_state, estimates)] if needs.steady_state else []
    for field, (statistic, text) in _AT_LEAST.items():
        asked = getattr(needs, field)
        if asked is None:
            continue
        rows = estimates.rows(statistic)
        least = rows.loc[rows["arm"].isin(arms), "value"].min()
        found = 2.0**least if field == "loss" else least
        if not found >= asked:
            known = not pd.isna(found)
            reasons.append(text.format(found=found, asked=asked) if known else UNMEASURED)
    if needs.half_width is not None and effect is not None:
        half = effect.half_width(1 - confidence)
        if not half <= needs.half_width:
            reasons.append(
                f"The interval reaches ±{half:.2g} and the paper's effect is {needs.half_width:g}: "
                "it would be found by luck alone. Take more seeds or sizes."
            )
    return " ".join(dict.fromkeys(reason for reason in reasons if reason))


def _arms(options: Mapping[str, Any]) -> set[str]:
    """Return the words among the options; arms are those that the experiment has."""
    listed = (value if isinstance(value, list) else [value] for value in options.values())
    return {word for words in listed for word in words if isinstance(word, str)}


def _unsteady(arms: list[str], estimates: Estimates) -> str:
    """Return why arms cannot show what weight decay does, by their largest nets."""
    rows = estimates.rows("steady_state")
    rows = rows[rows["arm"].isin(arms)]
    if rows.empty:
        return UNMEASURED
    reasons = rows.loc[rows["size"] == rows["size"].max(), "note"]
    return " ".join(dict.fromkeys(str(reason) for reason in reasons if reason))
