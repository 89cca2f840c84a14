"""Every claim of the further experiments, on effects as the papers have them and the other way."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from lrtransfer.study.evidence.claim import load_claims
from lrtransfer.transfer.rules import verdict
from lrtransfer.transfer.size import POOLED

PARAMS = yaml.safe_load((Path(__file__).resolve().parents[3] / "params.yaml").read_text())["study"]
CORE = "width_transfer_vision"

#: experiment: effect and row -> (value as in the papers, value that contradicts them).
EFFECTS = {
    "depth_transfer": {
        "drift half_k1": (0.05, 0.5),
        "drift half_k2": (0.4, 0.1),
        "drift one_k2": (-0.05, -0.5),
        "drift zero_k1": (-0.8, 0.1),
        "drift zero_k1_warmup": (-0.4, -0.3),
        "trend zero_k1 sharpness start": (1.0, 0.1),
        "overlap half_k1 sharpness": (0.1, 0.6),
        "overlap half_k2 sharpness": (0.5, 0.2),
    },
    "width_transfer_adam": {
        "drift mup": (0.0, 0.6),
        "drift sp": (-0.6, 0.3),
        "edge mup": (1.0, 0.4),
        "overlap mup preconditioned_sharpness": (0.1, 0.6),
    },
    "depth_transfer_vit": {
        "drift depth_mup": (0.4, -0.1),
        "drift complete_p": (0.0, 0.5),
        "regret depth_mup": (0.5, 0.1),
        "regret complete_p": (0.1, 0.5),
    },
    "width_transfer_gpt": {
        "drift mup": (0.0, -0.6),
        "regret sp": (0.5, 0.1),
        "regret mup": (0.1, 0.5),
        "overlap mup preconditioned_sharpness": (0.1, 0.6),
    },
    "random_features": {
        "change random_features sharpness": (0.0, 1.0),
        "change mup sharpness": (3.0, 0.2),
        "regret ntp": (0.5, 0.1),
        "regret random_features": (0.1, 0.5),
    },
    "batch_size": {
        **{f"drift b{n}": (0.0, 0.6) for n in (32, 64, 128, 256)},
        "optimum b32": (0.0, 1.0),
        "optimum b256": (1.5, 1.0),
    },
    "output_scale": {f"drift {n}": (0.0, -0.6) for n in ("quarter", "half", "one", "two")},
    "width_transfer_warmup": {"regret sp": (0.5, 0.1), "regret sp_warmup": (0.1, 0.5)},
    "two_layer_linear": {"drift mup": (0.0, 0.4), "drift ntp": (0.5, 0.0)},
    "two_layer_sharpening": {
        "trend mup ntk end": (0.0, -0.3),
        "trend ntp ntk end": (-0.5, -0.2),
    },
    "weight_decay": {
        "slope independent alignment_ratio_without_decay start": (0.5, 0.0),
        "slope independent alignment_ratio_without_decay late": (0.0, 0.5),
        "phase independent alignment_ratio_without_decay late": (0.1, 3.0),
        "slope independent weight_alignment start": (-0.5, 0.0),
        "phase independent weight_alignment change": (2.0, 0.1),
        "slope independent update_alignment_without_decay start": (0.0, -0.5),
        "slope independent update_alignment_without_decay late": (-0.5, 0.0),
        "slope independent relative_update_without_decay late": (0.0, -0.5),
        "slope independent relative_change_without_decay late": (0.0, -0.5),
        "slope standard relative_update_without_decay late": (-0.5, 0.0),
        "slope standard relative_change_without_decay late": (-0.5, 0.0),
        "gap swapped relative_update_without_decay late": (0.0, 0.5),
        "warmup independent deviation": (0.1, 0.6),
        "warmup independent left": (0.1, 0.9),
        "warmup independent delay": (-1.0, 0.5),
        "gap unscaled_exponential final_loss late": (-0.05, 0.2),
        "gap unscaled final_loss late": (0.1, 0.1),
        "gap unscaled_long_warmup final_loss late": (0.1, 0.1),
        "gap fast_embedding final_loss late": (-0.03, 0.2),
    },
    "weight_decay_transfer": {
        "drift independent": (0.0, 0.4),
        "drift standard": (0.4, 0.1),
        "drift unscaled_exponential": (0.0, -0.5),
        "regret independent": (0.1, 0.5),
        "regret standard": (0.3, 0.1),
        "regret unscaled_exponential": (0.05, 0.9),
    },
    "weight_decay_convnet": {
        "regret independent": (0.1, 0.5),
        "regret standard": (0.3, 0.1),
        "regret unscaled": (0.05, 0.5),
        "regret unscaled_exponential": (0.1, 0.1),
    },
}
#: effect: table, column of the value, columns of its limits, what else names its rows.
TABLES = {
    "drift": ("drift", "slope", ("ci_low", "ci_high"), ()),
    "trend": ("trends", "slope", ("ci_low", "ci_high"), ("quantity", "at")),
    "overlap": ("consistency", "overlap", ("overlap_low", "overlap_high"), ("quantity",)),
    "edge": ("edge_of_stability", "ratio", ("ci_low", "ci_high"), ()),
    "change": ("changes", "log2_change", ("ci_low", "ci_high"), ("quantity",)),
    "regret": ("regret", "regret", ("ci_low", "ci_high"), ()),
    "optimum": ("optima", "log2_lr", ("ci_low", "ci_high"), ()),
    "slope": ("phase_slopes", "slope", ("ci_low", "ci_high"), ("quantity", "at")),
    "phase": ("phases", "log2_value", ("ci_low", "ci_high"), ("quantity", "at")),
    "gap": ("arm_differences", "difference", ("ci_low", "ci_high"), ("quantity", "at")),
    "warmup": ("warmup_summary", "value", ("ci_low", "ci_high"), ("quantity",)),
}
_UNPOOLED = dict.fromkeys(("regret", "optimum", "phase", "gap", "warmup"), 64)


def fits(experiment, which):
    """Fit tables with the given effects, each ± 0.02."""
    rows = {}
    for name, values in EFFECTS[experiment].items():
        effect, arm, *rest = name.split()
        table, column, limits, keys = TABLES[effect]
        row = {"arm": arm, **dict(zip(keys, rest, strict=True)), column: values[which]}
        row |= {limit: values[which] + d for limit, d in zip(limits, (-0.02, 0.02), strict=True)}
        row |= {"size": _UNPOOLED.get(effect, POOLED), "from_size": 32}
        rows.setdefault(table, []).append(row)
    return {table: pd.DataFrame(found) for table, found in rows.items()}


def claims(experiment):
    return [claim for claim in load_claims() if experiment in claim.experiments]


@pytest.mark.parametrize("experiment", EFFECTS)
@pytest.mark.parametrize(("which", "expected"), [(0, "supported"), (1, "contradicted")])
def test_effects_decide_every_claim(experiment, which, expected):
    tables = fits(experiment, which)
    found = {c.id: verdict(c.rule, c.evaluate(tables)) for c in claims(experiment)}
    assert found
    assert set(found.values()) == {expected}, found


@pytest.mark.parametrize("experiment", EFFECTS)
def test_a_claim_without_its_tables_is_undecided(experiment):
    assert {c.evaluate({}) for c in claims(experiment)} == {None}


def test_every_claim_belongs_to_an_experiment_that_draws_its_figure():
    for claim in load_claims():
        if claim.paper == "cdat" or claim.experiments == ("joint",):
            continue  # tests/fits/test_tuned.py, test_predictors.py
        assert set(claim.experiments) <= {CORE, *EFFECTS}, claim.id
        for name in claim.experiments:
            assert claim.figure in PARAMS[name]["figures"], (claim.id, claim.figure)


def test_every_arm_that_a_claim_asks_for_exists():
    for name, effects in EFFECTS.items():
        assert {effect.split()[1] for effect in effects} <= set(PARAMS[name]["arms"]), name
