"""The report is one valid page, whole without a network, and says what the ledger says."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lrtransfer.study.evidence.estimates import Of
from lrtransfer.study.figures.drawing import draw
from lrtransfer.study.figures.tables import Arm, Settings, Tables
from lrtransfer.study.report.answer import sentences
from lrtransfer.study.report.charts import library as charts_library
from lrtransfer.study.report.report import ExperimentReport, Meta, ReportFigure, render
from lrtransfer.transfer.estimate import Estimate, Unit
from tests.study.figures.synthetic import estimate

from .conftest import claim, png, with_rows

_VOID = {"meta", "img", "br", "link", "hr", "input"}
OVERLAP = "overlap: mean of |S_N − S_widest| / S_widest (sharpness)"
META = Meta(versions={"torch": "2.13.0"}, redo=["make study", "make figures"])


class Page(HTMLParser):
    """Checks nesting while reading; keeps ids, links, images, headings and table cells."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.headings: list[int] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag not in _VOID:
            self.open.append(tag)
        if "id" in found:
            self.ids.append(str(found["id"]))
        if tag == "a":
            self.links.append(str(found["href"]))
        if tag == "img":
            self.images.append(found)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if {"style", "script"} & set(self.open):
            return
        self.text += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data.strip()


@pytest.mark.slow  # the first of a process bundles the page's library
def test_the_page_is_well_formed(experiment: ExperimentReport) -> None:
    html = render([experiment], [claim()], META)
    page = Page(html)
    assert html.startswith("<!DOCTYPE html>")
    assert len(page.ids) == len(set(page.ids))
    assert page.headings.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(page.headings, page.headings[1:], strict=False))


def test_links_point_inside_the_page(experiment: ExperimentReport) -> None:
    page = Page(render([experiment], [claim()], META))
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert "#width_transfer_vision-consistency" in page.links
    assert "#claim-width_transfer_vision-mup_optimum_stays" in page.links


def test_nothing_is_loaded_from_elsewhere(experiment: ExperimentReport) -> None:
    html = render([experiment], [claim()], META)
    ours = html.replace(charts_library(), "")
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?\s*(https?:)?//""", ours)
    assert "@import" not in html
    assert "default-src &#39;none&#39;" in html


def test_every_figure_is_embedded_with_caption_and_alt(experiment: ExperimentReport) -> None:
    page = Page(render([experiment], [], META))
    assert [image["alt"] for image in page.images] == ["Lines & bands", "Distances by width"]
    for image in page.images:
        kind, data = str(image["src"]).split(",")
        assert kind == "data:image/webp;base64"
        shown = Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
        drawn = Image.open(io.BytesIO(png())).convert("RGB")
        assert np.array_equal(np.asarray(shown), np.asarray(drawn))
    assert "Second <b>." in page.text


def test_verdicts_are_told_by_word_symbol_and_class(experiment: ExperimentReport) -> None:
    records = [
        claim(),
        claim(id="b", verdict="contradicted"),
        claim(id="c", verdict="inconclusive"),
        claim(id="d"),
    ]
    html = render([experiment], records, META)
    for verdict, symbol, count in (
        ("supported", "✓", 2),
        ("contradicted", "✗", 1),
        ("inconclusive", "?", 1),
    ):
        badge = f'<span class="verdict {verdict}"><span aria-hidden="true">{symbol}</span> '
        assert f"{badge}{count} {verdict}</span>" in html
        # Once in the ledger, once beside the experiment's figures.
        assert html.count(f"{badge}{verdict}</span>") == 2 * count
    assert "Claims: 2 supported, 1 contradicted, 1 inconclusive" in html


def test_a_claim_without_an_interval_shows_a_dash_and_an_open_one_infinity(
    experiment: ExperimentReport,
) -> None:
    records = [
        claim(id="none", value=None, ci_low=None, ci_high=None, verdict="inconclusive"),
        claim(id="open", ci_low=None),
        claim(id="closed"),
    ]
    rows = {row[1]: row for row in Page(render([experiment], records, META)).rows if len(row) == 6}
    before = "The optimum stays put.drift slope"
    cells = {n.removeprefix(before): row[2] for n, row in rows.items() if n.startswith(before)}
    assert cells == {"none": "––", "open": "0.02[−∞, 0.09]", "closed": "0.02[−0.05, 0.09]"}


def test_a_report_of_many_experiments_is_short_and_lists_each_claim_once(
    experiment: ExperimentReport,
) -> None:
    many = [replace(experiment, name=f"experiment_{n}") for n in range(6)]
    records = [
        claim(id=f"claim_{n}_{k}", experiment=f"experiment_{n}") for n in range(7) for k in "ab"
    ]
    html = render(many, records, META)
    page = Page(html)
    for n in range(6):
        assert f"#experiment_{n}" in page.links
    for record in records:
        assert html.count(f"<code>{record['id']}</code>") == 1
        link = f'href="#claim-{record["experiment"]}-{record["id"]}"'
        assert html.count(link) == (record["id"][:7] != "claim_6")

    assert ["Experiment 3", "2", "0", "0"] in page.rows
    # The tables of numbers are folded away: what stays is figures, captions and claims.
    folded = [part.split("</details>")[0] for part in html.split("<details>")[1:]]
    within = sum(part.count("Drift of the optimum") for part in folded)
    assert within == html.count("Drift of the optimum") > 0


def test_text_from_the_study_is_escaped(experiment: ExperimentReport) -> None:
    hostile = replace(experiment, question="<script>alert(1)</script>")
    html = render([hostile], [claim(statement="a < b & c")], META)
    assert "<script>alert" not in html
    assert "a &lt; b &amp; c" in html


def charts(html: str, name: str) -> dict[str, Any]:
    """The charts of one place on the page, by the reader's choice."""
    block = html.split(f'id="{name}-data">')[1].split("</script>")[0]
    found: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(block)))
    return found


def test_a_run_cannot_break_out_of_a_charts_data(experiment: ExperimentReport) -> None:
    hostile = replace(experiment, arms={"mup": "</script><b>", "sp": "SP"})
    html = render([hostile], [], META)
    assert list(charts(html, "width_transfer_vision-explorer")) == ["</script><b>", "SP"]
    assert "</script><b>" not in html


def test_the_explorer_holds_every_run_and_its_configuration(experiment: ExperimentReport) -> None:
    found = charts(render([experiment], [], META), "width_transfer_vision-explorer")
    rows = [row for label in ("μP", "SP") for row in found[label]["data"]["values"]]
    assert [row["key"] for row in rows] == ["run0", "run1", "run2", "run3"]
    assert [row["final"] for row in rows] == ["0.5", "0.25", "0.4", "diverged"]
    assert [row["loss"] for row in rows[:2]] == [-1.0, -2.0] and rows[3]["loss"] is None
    assert rows[1]["own"] == {"learning_rate": 2.0}
    assert found["μP"]["usermeta"]["config"]["model"] == {"width": 32, "family": "mlp"}


def test_the_first_screen_shows_all_claims_and_the_optimum_by_size(
    experiment: ExperimentReport,
) -> None:
    html = render([experiment], [claim(), claim(id="b", paper="cdat")], META)
    assert html.index('id="claims-at-a-glance"') < html.index('id="answer"')
    forest = charts(html, "claims-at-a-glance")["all claims"]
    said = dict(forest["usermeta"]["shown"])
    first = next(row for row in forest["data"]["values"] if row["place"] == "mup optimum stays")
    assert {"value", "interval", "seeds", "repeat"} <= set(said.values())
    assert (first["effect"], first["limits"], first["seeds"]) == ("0.02", "[−0.05, 0.09]", "2")
    assert first["repeat"] == "make study EXPERIMENTS=width_transfer_vision"
    assert first["at"] == "#claim-width_transfer_vision-mup_optimum_stays"
    families = [row["family"] for row in forest["data"]["values"] if "family" in row]
    assert families == ["super-consistency (1)", "cdat (1)"]
    (optima,) = charts(html, "optima-at-a-glance").values()
    assert [(r["label"], r["size"], r["rate"]) for r in optima["data"]["values"]] == [
        ("μP", 32, 0.25),
        ("SP", 32, -7.0),
    ]


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


def test_the_answer_takes_its_numbers_from_ledger_and_estimates(
    experiment: ExperimentReport,
) -> None:
    rows = []
    for arm, share in (("mup", 0.043), ("sp", 0.24)):
        of_start = Of(statistic="regret", unit="", arm=arm, fixed=3, size=32, at="reference")
        lost = Of(statistic="regret", unit="loss", arm=arm, fixed=3, size=64)
        of_share = Of(statistic="relative_regret", unit="1", arm=arm, fixed=3, size=64)
        rows += [(of_start, Estimate(0.0)), (of_share, Estimate(share))]
        rows.append((lost, estimate(share / 2, 0.1, units=(Unit(0, 0, 0.0), Unit(1, 0, 0.0)))))
    chosen = with_rows(experiment, rows)
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


def test_a_claim_that_several_experiments_make_has_an_anchor_in_each(
    experiment: ExperimentReport,
) -> None:
    both = [replace(experiment, name=name) for name in ("first", "second")]
    html = render(both, [claim(experiment=e.name) for e in both], META)
    anchors = re.findall(r'<tr id="([^"]+)"', html)
    assert anchors == ["claim-first-mup_optimum_stays", "claim-second-mup_optimum_stays"]
    assert all(html.count(f'href="#{anchor}"') == 1 for anchor in anchors)


def test_the_ledger_says_correction_and_power(experiment: ExperimentReport) -> None:
    record = claim(
        verdict="inconclusive", p_value=0.0312, power="would be decided by 6 seeds instead of 3",
        verdict_corrected="inconclusive",
    )  # fmt: skip
    html = render([experiment], [record, claim(id="b", verdict_corrected="inconclusive")], META)
    row = next(r for r in Page(html).rows if len(r) == 6 and "mup_optimum_stays" in r[1])
    assert row[0].endswith("corrected: inconclusive")
    assert (row[3], row[4]) == ("in [-0.1, 0.1]p = 0.031", record["power"])
    assert "0 supported, 0 contradicted, 2 inconclusive." in html


def test_an_unknown_verdict_is_refused(experiment: ExperimentReport) -> None:
    with pytest.raises(ValueError, match=r"mup_optimum_stays.*maybe"):
        render([experiment], [claim(verdict="maybe")], META)


def test_a_repeated_experiment_is_refused(experiment: ExperimentReport) -> None:
    with pytest.raises(ValueError, match="width_transfer_vision"):
        render([experiment, experiment], [], META)


def test_equal_inputs_give_equal_bytes(experiment: ExperimentReport) -> None:
    first, second = (render([experiment], [claim()], META) for _ in range(2))
    assert first == second


def test_an_empty_study_still_gives_a_page(experiment: ExperimentReport) -> None:
    nothing = Tables(runs=experiment.tables.runs.iloc[:0])
    bare = replace(experiment, figures=[], tables=nothing, redo=[])
    page = Page(render([bare], [], Meta()))
    assert "No claim was evaluated." in page.text
    assert "No figure was drawn." in page.text


def test_a_drawn_figure_brings_its_caption_in_its_png(
    experiment: ExperimentReport, tmp_path: Path
) -> None:
    config = '{"loss": "cross_entropy", "optimizer": {"name": "sgd", "options": {}}}'
    runs = experiment.tables.runs.assign(measured=False, config=config)
    settings = Settings("e", {"mup": Arm("μP", 1.0, 8, 4)}, "smoke", dpi=40)
    drawn = draw("width_transfer", Tables(runs=runs), settings, tmp_path)
    read = ReportFigure.read(drawn.png)
    assert (read.name, read.caption, read.alt) == ("width_transfer", drawn.caption, drawn.alt)
    assert read.png == drawn.png.read_bytes()


def test_the_explorer_shows_losses_below_zero_as_they_are(experiment: ExperimentReport) -> None:
    runs = experiment.tables.runs.assign(final_loss=experiment.tables.runs["final_loss"] - 10)
    below = replace(experiment, tables=replace(experiment.tables, runs=runs))
    found = charts(render([below], [], META), "width_transfer_vision-explorer")
    rows = [row for chart in found.values() for row in chart["data"]["values"]]
    trained = [row for row in rows if row["final"] != "diverged"]
    assert trained and all(row["loss"] < 0 for row in trained)
