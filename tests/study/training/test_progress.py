"""What a job's progress is printed with."""

from __future__ import annotations

from lrtransfer.study.training.progress import plain


def test_control_codes_do_not_reach_the_terminal() -> None:
    assert plain("\x1b[1;31mred\x1b[0m\a\r μP\u202e\t1") == "red μP\t1"
