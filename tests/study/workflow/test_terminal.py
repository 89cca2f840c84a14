"""What a study shows: a line a stage, the time left, and at the end what failed and why."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from lrtransfer.study.workflow import terminal as module
from lrtransfer.study.workflow.forecast import Forecast
from lrtransfer.study.workflow.terminal import FailedJob, Terminal, repeating
from snakemake_logger_plugin_lrtransfer import LogHandler

RULES = {"prepare_mnist": 1, "train_a": 1, "train_b": 1, "train_all": 1, "all": 1, "total": 5}


class Screen(StringIO):
    """A terminal that keeps what was written."""

    def isatty(self) -> bool:
        return True


def _shown(stream: StringIO | None = None, **about: Any) -> Terminal:
    shown = Terminal(stream or StringIO(), **about)
    shown.expect(RULES)
    return shown


def _text(shown: Terminal) -> str:
    assert isinstance(shown.stream, StringIO)
    return shown.stream.getvalue()


def _forecast(tmp_path: Path, seconds: float) -> Forecast:
    return Forecast(["k"], {"k": seconds}, tmp_path / "journal.jsonl")


def test_a_stage_is_a_line_once_all_its_jobs_are_done() -> None:
    shown = _shown()
    for number, rule in enumerate(["prepare_mnist", "train_a", "train_b", "train_all", "all"]):
        shown.start(number, rule)
        shown.finish(number)
    shown.close()
    assert _text(shown).splitlines() == [
        "3 jobs, 1 at a time",
        "data 1, training 2",
        "data: 1 job done in 0 s",
        "training: 2 jobs done in 0 s",
        "3 jobs done in 0 s",
    ]


def test_the_line_counts_the_running_stages_and_says_how_long_the_rest_takes(
    tmp_path: Path,
) -> None:
    shown = _shown(slots=2, foresee=lambda rules: _forecast(tmp_path, 600.0))
    shown.start(1, "train_a")
    assert shown.line() == "training 0 of 2, 0 of 1 runs trained; about 5 min left"
    shown.finish(1)
    assert shown.line().startswith("1 of 3 jobs")


def test_what_jobs_took_beside_their_training_corrects_the_time_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, journal = 0.0, tmp_path / "journal.jsonl"
    monkeypatch.setattr("time.monotonic", lambda: now)
    shown = _shown(foresee=lambda rules: Forecast("ab", {"a": 5.0, "b": 10.0}, journal))
    shown.start(1, "train_a")
    assert shown.line().endswith("about 30 s left"), "15 s of training, three starts"
    now = 30.0
    journal.write_text('{"key": "a", "seconds": 10.0}\n')
    shown.finish(1)
    assert shown.line().endswith("about 60 s left"), "20 s of training, two starts of 20 s"


def test_on_a_terminal_the_line_is_rewritten_without_any_other_control_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_REWRITTEN_SECONDS", 0.005)
    shown = _shown(Screen())
    shown.start(1, "train_a")
    deadline = time.monotonic() + 2
    while _text(shown).count("\rtraining 0 of 2") < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    shown.close()
    written = _text(shown)
    assert written.count("\rtraining 0 of 2") >= 2
    assert "\x1b" not in written
    assert written.endswith("\r"), "the line is taken away at the end"


def test_elsewhere_a_line_is_printed_every_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PRINTED_SECONDS", 0.005)
    shown = _shown()
    shown.start(1, "train_a")
    deadline = time.monotonic() + 2
    while _text(shown).count("training 0 of 2\n") < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    shown.close()
    assert _text(shown).count("training 0 of 2\n") >= 2
    assert "\r" not in _text(shown)


def test_a_failed_job_is_shown_with_the_end_of_its_log_and_the_command_that_repeats_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the environment may lie in the folder that we were started in
    log = tmp_path / "a.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)) + "\x1b[31mno space\x1b[0m")
    shown = _shown(options=["--scale", "smoke"], logs=["logs/"])
    shown.start(1, "train_a")
    shown.fail(FailedJob(1, "train_a", [str(log)], ["x.parquet"]))
    shown.close()
    shown.close()
    lines = _text(shown).splitlines()
    assert lines[:2] == ["3 jobs, 1 at a time; logs: logs/", "data 1, training 2"]
    assert lines[2:6] == ["", "error: train_a failed.", f"The end of {log}:", "  | line 86"]
    assert lines[-4:] == [
        "  | no space",
        "repeat it alone: lrtransfer workflow train_a --scale smoke",
        "",
        "1 of 3 jobs failed after 0 s, 0 are done, 2 were not started; logs: logs/",
    ]


def test_of_many_failures_the_logs_of_three_are_shown_and_the_others_named() -> None:
    shown = _shown()
    for number in range(5):
        shown.fail(FailedJob(number, f"train_{number}", ["no.log"], []))
    shown.close()
    assert _text(shown).count("no.log: No such file or directory") == 3
    assert "error: these failed too: train_3, train_4\n" in _text(shown)


def test_an_empty_log_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "a.log").touch()
    shown = _shown()
    shown.fail(FailedJob(1, "train_a", [str(tmp_path / "a.log")], []))
    shown.close()
    assert "a.log is empty: ended from outside" in _text(shown)


def test_a_job_that_succeeds_at_a_later_attempt_did_not_fail() -> None:
    shown = Terminal(StringIO())
    shown.expect({"train_a": 1})
    shown.start(1, "train_a")
    shown.fail(FailedJob(1, "train_a", [], []))
    shown.start(1, "train_a")
    shown.finish(1)
    shown.close()
    assert _text(shown).splitlines()[-1] == "1 job done in 0 s"


def test_what_was_stopped_did_not_fail() -> None:
    shown = _shown()
    shown.start(1, "train_a")
    shown.stop()
    shown.fail(FailedJob(1, "train_a", [], []))
    shown.close()
    assert "error" not in _text(shown)
    assert _text(shown).endswith("stopped after 0 s; the same command goes on from here\n")


def test_what_a_terminal_cannot_encode_is_replaced() -> None:
    raw = BytesIO()
    shown = Terminal(TextIOWrapper(raw, encoding="ascii"))
    shown.say("μP")
    assert raw.getvalue() == b"?P\n"


def test_a_closed_terminal_does_not_stop_the_study() -> None:
    shown = _shown()
    shown.stream.close()
    shown.say("unheard")


def test_the_command_names_a_file_where_many_jobs_share_a_rule(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    job = FailedJob(1, "train_run", [], ["results/runs/0a.parquet"])
    monkeypatch.chdir(tmp_path)
    assert repeating(job) == "lrtransfer workflow results/runs/0a.parquet"
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv/bin/python"))
    assert repeating(job) == ".venv/bin/lrtransfer workflow results/runs/0a.parquet"


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> LogHandler:
    """Return the plugin's handler on a terminal of its own."""
    own = Terminal(StringIO())
    monkeypatch.setattr(module, "terminal", lambda: own)
    return LogHandler(SimpleNamespace(dryrun=False), None)  # type: ignore[arg-type]


def _log(handler: LogHandler, level: int, text: str | None = None, **about: object) -> None:
    record = logging.LogRecord("snakemake", level, "", 0, text, None, None)
    vars(record).update(about)
    handler.emit(record)


def _job(number: int, rule: str) -> Mapping[str, object]:
    return {"jobid": number, "rule_name": rule, "log": [], "output": ["x"], "rule_msg": None}


def test_snakemake_s_events_become_lines_and_its_prose_does_not(handler: LogHandler) -> None:
    _log(handler, logging.INFO, "Building DAG of jobs...")
    _log(handler, logging.INFO, "Provided cores: 2", event=LogEvent.RESOURCES_INFO, cores=2)
    _log(handler, logging.INFO, "Job stats", event=LogEvent.RUN_INFO, stats=RULES)
    _log(handler, logging.INFO, "Rule", event=LogEvent.JOB_INFO, **_job(1, "prepare_mnist"))
    _log(handler, logging.INFO, "Finished", event=LogEvent.JOB_FINISHED, job_id=1)
    _log(handler, logging.INFO, "Rule", event=LogEvent.JOB_INFO, **_job(2, "train_a"))
    _log(handler, logging.ERROR, "Error in rule", event=LogEvent.JOB_ERROR, **_job(2, "train_a"))
    _log(handler, logging.WARNING, "the clock is behind")
    _log(handler, logging.ERROR, "WorkflowError:\nProtected", event=LogEvent.ERROR, exception="W")
    handler.close()
    assert _text(handler._terminal).splitlines()[:7] == [
        "3 jobs, 2 at a time",
        "data 1, training 2",
        "data: 1 job done in 0 s",
        "the clock is behind",
        "WorkflowError:",
        "Protected",
        "",
    ]
    assert "error: train_a failed." in _text(handler._terminal)


def test_ctrl_c_is_no_failure(handler: LogHandler) -> None:
    _log(handler, logging.INFO, "Terminating processes on user request, this might take a while.")
    _log(handler, logging.ERROR, "Error in rule", event=LogEvent.JOB_ERROR, **_job(2, "train_a"))
    handler.close()
    assert "failed" not in _text(handler._terminal)
