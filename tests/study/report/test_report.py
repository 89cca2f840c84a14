"""The report is one valid page, whole without a network, and says what the ledger says."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lrtransfer.study.figures.drawing import draw
from lrtransfer.study.figures.tables import Arm, Settings, Tables
from lrtransfer.study.report.charts import library as charts_library
from lrtransfer.study.report.report import ExperimentReport, Meta, ReportFigure, render

from .conftest import claim, png
from .page import META, Page


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


def test_an_arm_of_a_single_rate_has_no_best_one(experiment: ExperimentReport) -> None:
    runs = experiment.tables.runs
    single = runs.assign(lr=runs["lr"].where(runs["arm"] == "mup", 0.5))
    assert experiment.optima is not None
    one = replace(experiment, tables=replace(experiment.tables, runs=single)).optima
    assert one is not None and {row["label"] for row in one["data"]["values"]} == {"μP"}
    none = replace(experiment, tables=replace(experiment.tables, runs=runs.assign(lr=0.5)))
    assert none.optima is None
    assert 'id="optima-at-a-glance"' not in render([none], [claim()], META)


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
