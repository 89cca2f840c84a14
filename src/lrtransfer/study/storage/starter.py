"""Who started this job: told in its environment, so that a job can tell whether it is an orphan."""

from __future__ import annotations

import os

_VARIABLE = "LRTRANSFER_STARTER"


def announce_starter() -> None:
    """Tell the jobs that this process starts that it is their starter."""
    os.environ[_VARIABLE] = str(os.getpid())


def starter_lives() -> bool:
    """Return whether the process that started this job still runs; true where none is named."""
    named = os.environ.get(_VARIABLE, "")
    if not named.isdigit():
        return True
    try:
        os.kill(int(named), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
