"""The report in a real browser: nothing from the network, no console error, keyboard, small screen.

Skipped where no Chromium is installed (`chromium` on Debian; the variable CHROMIUM names another).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lrtransfer.study.report.report import ExperimentReport, Meta, render

from . import browser
from .conftest import claim

PROGRAM = browser.find()
EXPLORER = "#width_transfer_vision-explorer"
RUNS = f"{EXPLORER} .mark-symbol.role-mark path"
pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(PROGRAM is None, reason="no Chromium: install chromium to run this"),
]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Tab]:
    assert PROGRAM is not None
    with browser.tab(PROGRAM, tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def tab(opened: browser.Tab, experiment: ExperimentReport, tmp_path: Path) -> browser.Tab:
    rows = [
        {
            "arm": arm, "width": width, "depth": 3, "lr": 2.0**rate, "log2_lr": float(rate),
            "seed": seed, "diverged_step": np.nan,
            "status": "diverged" if rate == 2 else "ok", "measured": False, "steps": 8,
            "measuring_share": 0.0, "key": f"{arm}{width}s{seed}r{rate}",
            "final_loss": np.nan if rate == 2 else 0.3 + 0.1 * rate**2 + 0.01 * seed,
            "config": json.dumps({"seed": seed, "model": {"family": "mlp", "width": width}}),
        }
        for arm in ("mup", "sp") for width in (32, 64) for seed in (0, 1) for rate in (-1, 0, 1, 2)
    ]  # fmt: skip
    chosen = replace(experiment, tables=replace(experiment.tables, runs=pd.DataFrame(rows)))
    long = {
        "id": "tuner_cdat_beats_constant_at_equal_price",
        "p_value": 0.0312,
        "power": "would be decided by 6 seeds instead of 3, or 10 sizes instead of 4",
        "verdict_corrected": "inconclusive",
    }
    records = [
        claim(**long),
        claim(**{**long, "id": "other", "verdict": "contradicted", "statement": "Something else."}),
        claim(**{**long, "id": "predict_covers_held_out", "experiment": "all"}, paper="lrtransfer"),
    ]
    page = tmp_path / "report.html"
    page.write_text(render([chosen], records, Meta(redo=["make study"])), encoding="utf-8")
    opened.resize(1200, 900)
    opened.errors.clear()
    opened.requests.clear()
    opened.open(page)
    return opened


def drawn(tab: browser.Tab, figure: str, choice: str = "") -> None:
    """Bring a chart near, and wait until it is drawn."""
    tab.run(f"document.querySelector('{figure}').parentElement.scrollIntoView()")
    done = f"document.querySelector('{figure}').dataset.drawn"
    for _ in range(100):
        found = tab.run(f"{done} || ''")
        if found and choice in found:
            return
        time.sleep(0.1)
    pytest.fail(f"{figure} was not drawn: {tab.errors}")


def point(tab: browser.Tab, mark: str) -> None:
    """Move the pointer onto the first of these marks."""
    x, y = tab.run(
        f"(() => {{ const m = document.querySelector('{mark}');"
        "m.scrollIntoView({block: 'center'}); const r = m.getBoundingClientRect();"
        "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
    )
    tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)


def test_no_network_and_no_console_error(tab: browser.Tab) -> None:
    assert tab.errors == []
    outside = [u for u in tab.requests if not u.startswith(("file:", "data:"))]
    assert outside == []
    assert len([u for u in tab.requests if u.startswith("file:")]) == 1


def test_every_figure_is_shown(tab: browser.Tab) -> None:
    shown = "[...document.images].every(i => i.complete && i.naturalWidth > 0)"
    assert tab.run("document.images.length") == 2
    assert tab.run(shown)
    drawn(tab, "#claims-at-a-glance")
    assert tab.run("document.querySelectorAll('#claims-at-a-glance .mark-symbol path').length") >= 3
    drawn(tab, EXPLORER)
    assert tab.run(f"document.querySelectorAll('{RUNS}').length") == 16


def told(tab: browser.Tab, where: str, mark: str) -> str:
    """Return what a chart says of a mark that is pointed at, once it lies where it will stay."""
    said = ""
    for _ in range(50):
        point(tab, mark)
        said = tab.run(f"document.querySelector('{where} .said').textContent")
        if not said.startswith("Point at a mark"):
            break
        time.sleep(0.1)
    return said


def test_pointing_at_a_run_tells_it_and_its_configuration(tab: browser.Tab) -> None:
    drawn(tab, EXPLORER)
    said = told(tab, EXPLORER, RUNS)
    # The wider net lies just where the narrow one does, and above it.
    assert "net width 64, depth 3" in said and "seed 0" in said
    assert "run mup64s0r-1" in said
    config = json.loads(tab.run(f"document.querySelector('{EXPLORER} .config').textContent"))
    assert config == {"seed": 0, "model": {"family": "mlp", "width": 64}}


def test_pointing_at_a_claim_tells_value_interval_seeds_and_the_command(tab: browser.Tab) -> None:
    drawn(tab, "#claims-at-a-glance")
    said = told(tab, "#claims-at-a-glance", "#claims-at-a-glance .layer_3_marks path")
    for part in ("value 0.02", "interval [−0.05, 0.09]", "seeds 2", "repeat make study"):
        assert part in said
    shown = "document.querySelector('#vg-tooltip-element').textContent"
    assert "make study EXPERIMENTS=width_transfer_vision" in tab.run(shown)
    tab.run("document.querySelector('#claims-at-a-glance .said a').click()")
    assert tab.run("document.getElementById('ledger').open")


def test_another_arm_can_be_chosen(tab: browser.Tab) -> None:
    drawn(tab, EXPLORER)
    tab.run(
        f"(() => {{ const s = document.querySelector('{EXPLORER} select'); s.value = 'SP';"
        "s.dispatchEvent(new Event('change')); })()"
    )
    drawn(tab, EXPLORER, "SP")
    tab.run(f"document.querySelector('{EXPLORER} .plot').focus()")
    tab.press("ArrowRight")
    assert "run sp32s0r-1" in tab.run(f"document.querySelector('{EXPLORER} .said').textContent")


def test_the_keyboard_reaches_the_ledgers_filter_and_every_run(tab: browser.Tab) -> None:
    drawn(tab, EXPLORER)
    tab.run("document.getElementById('ledger').open = true")
    visited = set()
    inside = f"document.querySelector('{EXPLORER} .plot') === document.activeElement"
    for _ in range(80):
        tab.press("Tab")
        visited.add(
            tab.run(
                "document.activeElement.tagName.toLowerCase() + '.' + "
                "(document.activeElement.type || '')"
            )
        )
        if tab.run(inside):
            break
    else:
        pytest.fail(f"no chart can be focused, only {visited}")
    assert {"a.", "input.checkbox", "input.search", "select.select-one"} <= visited
    tab.press("ArrowRight")
    first = tab.run(f"document.querySelector('{EXPLORER} .said').textContent")
    tab.press("ArrowRight")
    second = tab.run(f"document.querySelector('{EXPLORER} .said').textContent")
    assert "run mup32" in first and "run mup32" in second and first != second
    tab.press("End")
    assert "diverged" in tab.run(f"document.querySelector('{EXPLORER} .said').textContent")


def test_the_ledger_is_filtered_by_verdict_and_words(tab: browser.Tab) -> None:
    assert not tab.run("document.getElementById('ledger').open")
    rows = "[...document.querySelectorAll('#ledger-table tbody tr')].filter(r => !r.hidden).length"
    assert tab.run(rows) == 3
    tab.run("document.querySelector('#ledger-filter input[value=contradicted]').click()")
    assert tab.run(rows) == 2
    assert tab.run("document.querySelector('#ledger-filter output').textContent") == "2 of 3 shown"
    tab.run(
        "(() => { const w = document.querySelector('#ledger-filter input[type=search]');"
        "w.value = 'held_out'; w.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )
    assert tab.run(rows) == 1


@pytest.mark.parametrize("width", [320, 390, 800])
def test_a_narrow_screen_does_not_scroll_sideways(tab: browser.Tab, width: int) -> None:
    tab.resize(width, 800)
    assert tab.run("document.documentElement.scrollWidth") <= width
    left_out = (
        "[...document.querySelectorAll('body *')].filter(e => e.offsetParent && "
        "!e.closest('.scroll, .config, pre, .skip, .plot') && "
        f"e.getBoundingClientRect().right > {width} + 1).map(e => e.tagName)"
    )
    assert tab.run(left_out) == []


@pytest.mark.parametrize("width", [1280, 1024, 800, 390])
def test_the_ledger_is_read_without_scrolling_sideways(tab: browser.Tab, width: int) -> None:
    tab.resize(width, 800)
    tab.run("document.getElementById('ledger').open = true")
    page = "document.documentElement"
    assert tab.run(f"{page}.scrollWidth") <= tab.run(f"{page}.clientWidth")
    ledger = "document.getElementById('ledger-table').closest('.scroll')"
    assert tab.run(f"{ledger}.scrollWidth") <= tab.run(f"{ledger}.clientWidth")
    parts = ("supported", "drift slope", "[−0.05, 0.09]", "p = 0.031", "6 seeds", "corrected: ")
    hidden = (
        f"{json.dumps(parts)}.filter(part => ![...{ledger}.querySelectorAll('td, th')].some("
        "e => e.textContent.includes(part) && e.getBoundingClientRect().width > 20))"
    )
    assert tab.run(hidden) == []


def test_without_scripts_the_ledger_and_the_figures_are_there(
    tab: browser.Tab, tmp_path: Path
) -> None:
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(tmp_path / "report.html")
        nodes = json.dumps(tab.call("DOMSnapshot.captureSnapshot", computedStyles=[]))
        assert "tuner_cdat_beats_constant_at_equal_price" in nodes
        assert tab.errors == []
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)
