"""Every claim of the further experiments, on effects as the papers have them and the other way."""

from __future__ import annotations

import pytest

from lrtransfer.study.evidence.estimates import Estimates, Row
from lrtransfer.transfer.size import POOLED

from .planted import CLAIMS, estimates, judged, on, row, seeds

#: experiment: effect and row -> (value as in the papers, value that contradicts them).
EFFECTS: dict[str, dict[str, tuple[float, float]]] = {
    "depth_transfer": {
        "drift half_k1": (0.05, 0.5),
        "drift half_k2": (0.4, 0.1),
        "drift one_k2": (-0.05, -0.5),
        "drift zero_k1": (-0.8, 0.1),
        "drift zero_k1_warmup": (-0.4, -0.3),
        "trend zero_k1 sharpness start": (2.0, 0.1),
        "overlap half_k1 sharpness": (0.1, 0.6),
        "overlap half_k2 sharpness": (0.5, 0.2),
    },
    "width_transfer_adam": {
        "drift mup": (0.0, 0.6),
        "drift sp": (-0.6, 0.3),
        "edge mup 0.75": (1.0, 0.4),
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
        **{f"drift b{n}": (0.0, 0.6) for n in (32, 128, 256)},
        "optimum b32": (0.0, 1.0),
        "optimum b256": (1.5, 1.0),
    },
    "output_scale": {f"drift {n}": (0.0, -0.6) for n in ("quarter", "half", "two")},
    "width_transfer_warmup": {"regret sp": (0.5, 0.1), "regret sp_warmup": (0.1, 0.5)},
    "two_layer_linear": {"drift mup": (0.0, 0.6), "drift ntp": (0.5, 0.0)},
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
        "deviation independent": (0.1, 0.6),
        "left independent": (0.1, 0.9),
        "delay independent": (-1.0, 0.5),
        "gap unscaled_exponential final_loss late": (-0.05, 0.2),
        "gap unscaled final_loss late": (0.1, 0.1),
        "gap unscaled_long_warmup final_loss late": (0.1, 0.1),
        "gap fast_embedding final_loss late": (-0.03, 0.2),
    },
    "weight_decay_transfer": {
        "drift independent": (0.0, 0.4),
        "drift standard": (0.4, 0.1),
        "drift unscaled_exponential": (0.0, -0.5),
        "loss independent": (1.0, 1.0),
        "loss unscaled_exponential": (0.9, 1.2),
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
    "momentum_edge": {
        "plateau b8 0.75": (1.0, 0.5),
        "plateau b64 0.75": (2.0, 0.3),
        "edge b1024 0.75": (1.0, 0.5),
        "edge nesterov 0.75": (1.0, 2.0),
    },
    "depth_transfer_plain": {
        "regret plain": (0.5, 0.1),
        "regret half_k1": (0.1, 0.5),
        "trend plain sharpness end": (-1.0, 0.5),
    },
    "depth_transfer_adam": {
        "drift half_k1": (0.0, 0.6),
        "overlap half_k1 preconditioned_sharpness": (0.1, 0.6),
        "overlap half_k2 preconditioned_sharpness": (0.5, 0.2),
    },
    "depth_transfer_gpt": {
        "drift mup": (-0.4, 0.2),
        "overlap mup preconditioned_sharpness": (0.6, 0.1),
    },
    "depth_courses": {
        "overlap half_k1 directional_sharpness": (0.1, 0.6),
        "overlap half_k2 ntk": (0.6, 0.1),
    },
    "width_transfer_adamw": {"drift mup": (0.0, 0.6)},
    "full_batch": {
        "drift mup": (0.0, 0.6),
        "edge mup 0.75": (1.0, 0.4),
        "overlap mup sharpness": (0.1, 0.6),
    },
    "hessian_parts": {
        "trend mup gauss_newton end": (0.0, 0.6),
        "trend ntp gauss_newton end": (-0.5, 0.3),
        "overlap mup trace": (0.6, 0.1),
        "overlap mup directional_sharpness": (0.1, 0.6),
    },
    "late_phase": {
        "fall mup sharpness": (-2.0, -0.5),
        "fall augmented sharpness": (-1.0, -1.0),
        "trend mup sharpness end": (-0.5, 0.3),
    },
    **{
        f"width_transfer_{data}": {
            "overlap mup sharpness": (0.1, 0.6),
            "trend ntp sharpness end": (-0.5, 0.3),
            "drift mup": (0.0, 0.6),
            "drift ntp": (0.5, -0.2),
            "regret ntp": (0.5, 0.1),
            "regret mup": (0.1, 0.5),
        }
        for data in ("fashion", "resnet")
    },
    "width_transfer_vit": {"drift mup": (0.0, 0.6), "drift sp": (-0.6, 0.3)},
    "width_transfer_shakespeare": {
        "drift mup": (0.0, -0.6),
        "regret sp": (0.5, 0.1),
        "regret mup": (0.1, 0.5),
    },
    "weight_decay_warmups": {
        "regret none": (0.5, 0.1),
        "regret unscaled": (0.5, 0.1),
        "regret unscaled_long_warmup": (0.5, 0.1),
        "regret unscaled_exponential": (0.1, 0.5),
        "regret independent": (0.1, 0.5),
    },
    "weight_decay_shakespeare": {
        "drift independent": (0.0, 0.4),
        "regret independent": (0.1, 0.5),
        "regret standard": (0.3, 0.1),
    },
    "muon_width": {
        "drift spectral": (0.05, 0.5),
        "drift kimi": (-0.5, 0.1),
        "drift adamw": (0.0, -0.5),
        "drift adamw_sp": (-0.5, 0.3),
        "regret kimi": (0.5, 0.1),
        "regret spectral": (0.1, 0.5),
    },
    "batch_transfer": {
        "drift none": (0.5, 1.0),
        "drift root_batch": (0.0, 0.5),
        "drift sde": (0.0, -0.5),
    },
    "duration_transfer": {"drift none": (-0.4, 0.2), "drift sde": (0.0, 0.5)},
    "generalised_edge": {
        "edge sign 0.75": (1.0, 0.5),
        "edge spectral 0.75": (1.0, 2.0),
        "edge sign_normalised 0.75": (1.0, 0.5),
        "edge spectral_normalised 0.75": (1.0, 2.0),
    },
}
#: effect: statistic, what else names its rows, and the size of the rows.
ROWS = {
    "drift": ("drift", (), POOLED),
    "trend": ("trend", ("quantity", "at"), POOLED),
    "overlap": ("overlap", ("quantity",), POOLED),
    "edge": ("edge_ratio", ("at",), POOLED),
    "plateau": ("stochastic_edge_ratio", ("at",), POOLED),
    "change": ("change", ("quantity",), POOLED),
    "fall": ("fall", ("quantity",), POOLED),
    "regret": ("regret", (), 64),
    "optimum": ("optimum", (), 64),
    "slope": ("slope", ("quantity", "at"), POOLED),
    "phase": ("level", ("quantity", "at"), 64),
    "gap": ("difference", ("quantity", "at"), 64),
    "deviation": ("warmup_deviation", (), 64),
    "left": ("warmup_left", (), 64),
    "delay": ("warmup_delay", (), 64),
    "loss": ("log2_loss", (), 64),
}


def planted(experiment: str, which: int) -> Estimates:
    """Estimates with the given effects."""
    rows: list[Row] = [row("regret", 0.0, arm="reference", size=32, at="reference")]
    for name, values in EFFECTS[experiment].items():
        effect, arm, *rest = name.split()
        statistic, keys, size = ROWS[effect]
        place = dict(zip(keys, rest, strict=True))
        value = values[which]
        # A mean over the rows of several steps: it needs the seeds.
        known = seeds(value - 0.01, value, value + 0.01) if effect in ("edge", "plateau") else value
        rows.append(row(statistic, known, arm=arm, size=size, **place))
        if effect == "drift":  # over six octaves
            ends = (1,) if f"optimum {arm}" in EFFECTS[experiment] else (1, 64)
            rows += [row("optimum", 0.0, arm=arm, size=n) for n in ends]
    return estimates(*rows)


@pytest.mark.parametrize("experiment", EFFECTS)
@pytest.mark.parametrize(("which", "expected"), [(0, "supported"), (1, "contradicted")])
def test_effects_decide_every_claim(experiment: str, which: int, expected: str) -> None:
    own = planted(experiment, which)
    found = {claim.id: judged(claim, own) for claim in on(experiment)}
    assert found
    assert set(found.values()) == {expected}, found


def test_every_claim_without_estimates_is_undecided() -> None:
    nothing = estimates(row("another", 1.0, arm="z"))
    assert {judged(claim, nothing) for claim in CLAIMS} == {"inconclusive"}


def test_every_claim_is_decided_both_ways_in_some_test() -> None:
    elsewhere = {"width_transfer_vision", "joint"}  # test_ledger.py, test_joint_claims.py
    for claim in CLAIMS:
        own = set(claim.entry.experiments)
        # test_tuner_claims.py, test_blind_claims.py
        others = all(name.startswith(("tuners", "blind")) for name in own)
        assert own <= {*EFFECTS, *elsewhere} or others, claim.id
