"""One command, from its arguments to its exit status and what stderr says of a fault."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module

from lrtransfer.cli.parser import parser

# Faults that a user can mend: one line on stderr, no traceback.
_FAULTS = (LookupError, RuntimeError, ValueError, OSError)
# Where a study's own files lie.
_MADE = ("data/prepared/", "results/")
# New objects before a search for garbage. What imports and plans make stays, and to look through
# it every 700 objects takes a fifth of a command's time.
_BEFORE_SEARCH = 50_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 2 for faulty input, 1 for other faults.

    Where a package is not installed, that too is one line and 2. A line about a faulty study or
    table begins with its place, where editors look for it, and any other with `error:`; both tell
    what is wrong, and a remedy.
    """
    gc.set_threshold(_BEFORE_SEARCH)
    options = parser().parse_args(arguments)
    try:
        getattr(import_module(options.module), options.command)(options)
    except subprocess.CalledProcessError as error:
        command = " ".join(map(str, error.cmd))
        return _failed(f"{command} failed; see above", error.returncode or 1)
    except ModuleNotFoundError as error:
        if _traceback() or error.name is None or error.name.partition(".")[0] == "lrtransfer":
            raise
        text = (
            f"`lrtransfer {options.called}` needs {error.name}, which is not installed. "
            f'Install it: pip install "lrtransfer[{options.extra}]"'
        )
        return _failed(text, 2)
    except (MemoryError, ImportError) as error:
        short = isinstance(error, MemoryError) or "failed to map segment" in str(error)
        if _traceback() or not short:
            raise
        return _failed("the memory is full. Close other programs, or lift ulimit -v", 1)
    except BrokenPipeError:
        # Whoever read our output has read enough, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except _FAULTS as error:
        if _traceback():
            raise
        unmade = isinstance(error, FileNotFoundError) and str(error).startswith(_MADE)
        if unmade and "lrtransfer run" not in str(error):
            error = FileNotFoundError(f"{error}. `lrtransfer run` makes it")
        status: int = getattr(error, "exit_status", 1)
        return _failed(error, status, "" if status == 2 else "error: ")
    return 0


def _traceback() -> bool:
    """Return whether whoever called wants to see where a fault arose."""
    return bool(os.environ.get("LRTRANSFER_TRACEBACK"))


def _failed(fault: object, status: int, mark: str = "error: ") -> int:
    print(f"{mark}{fault}", file=sys.stderr)
    return status
