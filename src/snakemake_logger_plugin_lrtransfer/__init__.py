"""Snakemake's events for the terminal of a study: `snakemake --logger lrtransfer`.

A package of its own, because Snakemake finds its plugins by their names. It imports them all at
every start, in any folder: this one takes nothing of lrtransfer before it is used.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

if TYPE_CHECKING:
    from lrtransfer.study.workflow.terminal import FailedJob, Terminal

# Snakemake's own last words; a list of what failed says more.
_SUMMARIES = ("Exiting because a job", "WorkflowError:\nAt least one job did not")
# At Ctrl-C, and at SIGTERM.
_STOPPING = ("Terminating processes on user request", "Will exit after finishing")
# A job's exit status in many words; its log says why.
_EXIT_STATUS = "returned non-zero exit status"


class LogHandler(LogHandlerBase):
    """Tells the terminal what Snakemake does; errors and warnings that are no job's go through."""

    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def __post_init__(self) -> None:
        """Take the terminal that the Snakefile knows."""
        from lrtransfer.study.workflow.terminal import terminal

        self._terminal = terminal()

    @property
    def writes_to_stream(self) -> bool:
        """A dry run is printed by Snakemake itself."""
        return not self.common_settings.dryrun

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on one event."""
        if not self.common_settings.dryrun:
            try:
                _tell(self._terminal, record)
            except Exception:
                self.handleError(record)

    def close(self) -> None:
        """Print how it ended."""
        if not self.common_settings.dryrun:
            self._terminal.close()
        super().close()


def _tell(shown: Terminal, record: logging.LogRecord) -> None:
    about, text = vars(record), record.getMessage() if record.msg else ""
    match about.get("event"):
        case LogEvent.RESOURCES_INFO:
            shown.slots = about.get("cores") or about.get("nodes") or shown.slots
        case LogEvent.RUN_INFO:
            shown.expect(about["stats"])
        case LogEvent.JOB_INFO:
            shown.start(about["jobid"], about["rule_name"])
        case LogEvent.JOB_FINISHED:
            shown.finish(about["job_id"])
        case LogEvent.JOB_ERROR:
            shown.fail(_failed(about))
        case LogEvent.GROUP_ERROR:
            for job in about["job_error_info"]:
                shown.fail(_failed(job | {"log": [*job["log"], *about["aux_logs"]]}))
        case LogEvent.ERROR if about.get("exception") == "KeyboardInterrupt":
            shown.stop()
        case _ if text.startswith(_STOPPING):
            shown.stop()
        case LogEvent.ERROR | None if _matters(record, text):
            shown.say(text)


def _failed(about: dict[str, Any]) -> FailedJob:
    from lrtransfer.study.workflow.terminal import FailedJob

    return FailedJob(about["jobid"], about["rule_name"], [*about["log"]], [*about["output"]])


def _matters(record: logging.LogRecord, text: str) -> bool:
    if record.levelno < logging.WARNING:
        return text.startswith("Nothing to be done")
    return not text.startswith(_SUMMARIES) and _EXIT_STATUS not in text
