"""The first sentences of a report: what ledger and estimates answer, in words."""

from __future__ import annotations

from dataclasses import replace

from lrtransfer.study.evidence.estimates import Of
from lrtransfer.study.report.answer import sentences
from lrtransfer.study.report.report import ExperimentReport, render
from lrtransfer.transfer.estimate import Estimate, Unit
from tests.study.figures.synthetic import estimate

from .conftest import claim, with_rows
from .page import META, Page

OVERLAP = "overlap: mean of |S_N − S_widest| / S_widest (sharpness)"


def test_a_study_without_claims_says_how_far_the_best_rate_moves(
    experiment: ExperimentReport,
) -> None:
    alone = replace(experiment, arms={"mup": "μP"})
    html = render([alone], [], META)
    text = " ".join(Page(html).text.split())
    assert "the best learning rate moves, in octaves per octave of width, by 0.02" in text
    assert "A claim is an entry of claims.yaml" in text
    nothing = claim(id="predict_covers_held_out", paper="lrtransfer", value=None)
    assert render([alone], [nothing], META) == html
    assert 'id="claims-at-a-glance"' not in html and 'id="optima-at-a-glance"' in html


def test_a_movement_without_bounds_is_not_told_as_transfer(experiment: ExperimentReport) -> None:
    known = experiment.tables.estimates
    known.loc[known["arm"].eq("mup"), ["open_low", "open_high"]] = True
    (said, *_) = sentences([], experiment.tables, experiment.arms, experiment="vision")
    assert said == (
        "In the experiment vision the best learning rate moves, in octaves per octave of width, by "
        "−0.7 [−∞, −0.5] under SP: it transfers where that is zero; these rates and seeds do not "
        "bound how the best one moves with width under μP."
    )


def _with_costs(experiment: ExperimentReport) -> ExperimentReport:
    """Return it with what the rate of width 32 costs at 64: 0.0215 under μP, 0.12 under SP."""
    rows = []
    for arm, share in (("mup", 0.043), ("sp", 0.24)):
        of_start = Of(statistic="regret", unit="", arm=arm, fixed=3, size=32, at="reference")
        lost = Of(statistic="regret", unit="loss", arm=arm, fixed=3, size=64)
        of_share = Of(statistic="relative_regret", unit="1", arm=arm, fixed=3, size=64)
        rows += [(of_start, Estimate(0.0)), (of_share, Estimate(share))]
        rows.append((lost, estimate(share / 2, 0.1, units=(Unit(0, 0, 0.0), Unit(1, 0, 0.0)))))
    return with_rows(experiment, rows)


def test_a_cost_without_bounds_is_not_told(experiment: ExperimentReport) -> None:
    chosen = _with_costs(experiment)
    known = chosen.tables.estimates
    known.loc[known["arm"].eq("mup"), ["open_low", "open_high"]] = True
    said = " ".join(sentences([], chosen.tables, chosen.arms, experiment="vision"))
    assert "adds to its best loss 0.12 [0.02, 0.22] (24 %) under SP." in said
    known[["open_low", "open_high"]] = True
    assert "adds to its best loss" not in " ".join(sentences([], chosen.tables, chosen.arms))


def test_the_answer_takes_its_numbers_from_ledger_and_estimates(
    experiment: ExperimentReport,
) -> None:
    chosen = _with_costs(experiment)
    records = [
        claim(id="a", measure="overlap", quantity="sharpness", metric=OVERLAP,
              verdict_corrected="inconclusive"),
        claim(id="sharpness", verdict="contradicted", verdict_corrected="contradicted"),
        claim(id="predict_covers_held_out", paper="lrtransfer", value=0.9, ci_low=0.7, ci_high=1.0,
              metric="share of 23 distinct arms whose largest size was covered"),
    ]  # fmt: skip
    text = " ".join(Page(render([chosen], records, META)).text.split())
    for said in (
        "octaves per octave of width, by 0.02 – under μP and −0.7 [−∞, −0.5] under SP",
        "its best loss 0.021 [−0.079, 0.12] (4.3 %) under μP and 0.12 [0.02, 0.22] (24 %) under",
        "Of 1 claim about the sharpness as the reason, 1 is supported",
        "in 90 % of arms (70 to 100 %; 23 distinct arms)",
        "Of 2 claims of the papers, 1 is supported, 1 contradicted and 0 inconclusive",
        "corrected for their number, 0 and 1 verdicts remain",
    ):
        assert said in text, said


def test_questions_of_ours_are_counted_for_and_against_no_paper(
    experiment: ExperimentReport,
) -> None:
    records = [claim(), claim(id="b", paper="ours", verdict="contradicted")]
    text = " ".join(Page(render([experiment], records, META)).text.split())
    assert "1 claim was put to the test" in text
    assert "0 contradicted" in text and "Questions of our own (1) are counted apart" in text
    assert "Of 1 claim of the papers, 1 is supported, 0 contradicted" in text


def test_where_all_questions_are_ones_own_they_are_what_is_counted(
    experiment: ExperimentReport,
) -> None:
    records = [claim(paper="ours", verdict_corrected="supported"), claim(id="b", paper="ours")]
    text = " ".join(Page(render([experiment], records, META)).text.split())
    assert "2 claims were put to the test" in text and "✓ 2 supported" in text
    assert "counted apart" not in text
    assert "Of 2 claims, 2 are supported, 0 contradicted" in text
    alone = " ".join(Page(render([experiment], records[:1], META)).text.split())
    assert "Of 1 claim, 1 is supported, 0 contradicted and 0 inconclusive at this scale." in alone


def test_the_answer_speaks_of_all_three_papers_in_six_sentences(
    experiment: ExperimentReport,
) -> None:
    effects = {
        "decay_independent_updates_equal": (-0.017, -0.04, 0.004),
        "decay_standard_updates_fall": (-0.61, -0.63, -0.6),
        "tuner_cdat_just_above_edge": (2.16, 2.15, 2.17),
        "tuner_cdat_keeps_up_with_constant": (-1.5, -2.5, -0.4),
        "tuner_cdat_beats_constant_at_equal_price": (1.6, 0.4, 2.9),
        "joint_sharpness_predicts_transfer": (0.8, 0.4, 0.95),
        "joint_updates_predict_transfer": (0.2, -0.4, 0.7),
        "joint_sharpness_predicts_better_than_updates": (0.6, -0.1, 1.3),
    }
    records = [
        claim(measure="overlap", quantity="sharpness", metric=OVERLAP),
        claim(measure="edge_ratio", metric="λ(P⁻¹H) · η₀ / 38", verdict="inconclusive"),
        claim(measure="exponent", quantity="subset_loss", id="another_sharpness"),
    ]
    records += [claim(id=n, value=v, ci_low=a, ci_high=b) for n, (v, a, b) in effects.items()]
    said = sentences(records, experiment.tables, experiment.arms, experiment=experiment.name)
    assert len(said) == 6
    assert said[1].startswith("Of 2 claims about the sharpness as the reason, 1 is supported")
    assert "−0.017 [−0.04, 0.004] under independent" in said[2]
    assert "−0.61 [−0.63, −0.6] under standard" in said[2]
    assert "2.2 [2.1, 2.2], beside the edge" in said[3]
    assert "−1.5 [−2.5, −0.4] in as many steps and of 1.6 [0.4, 2.9] at" in said[3]
    assert said[4].startswith("Over arms of all three papers")
    assert said[-1].startswith("Of 11 claims of the papers")


def test_the_answer_says_what_predicts_over_arms_where_the_papers_were_joined(
    experiment: ExperimentReport,
) -> None:
    effects = {
        "joint_sharpness_predicts_transfer": (0.8, 0.4, 0.95),
        "joint_updates_predict_transfer": (0.2, -0.4, 0.7),
        "joint_sharpness_predicts_better_than_updates": (0.6, -0.1, 1.3),
    }
    records = [claim(id=n, value=v, ci_low=a, ci_high=b) for n, (v, a, b) in effects.items()]
    (said,) = (s for s in sentences(records) if s.startswith("Over arms"))
    assert "rate times curvature predicts by 0.8 [0.4, 0.95] (ranks)" in said
    assert "updates predict by 0.2 [−0.4, 0.7]; the difference is 0.6 [−0.1, 1.3]" in said
    assert not any("predicts" in s for s in sentences(records[:2]))
