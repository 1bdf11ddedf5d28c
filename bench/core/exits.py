"""The command as a shell sees it: the name it is called by, and the exit codes that verbs share."""

import sys
from pathlib import Path

PYTHON, SCRIPT = "python -m bench", "nin-bench"
"""The names of the command."""
CHANGED = 1
"""A slowdown, in a verb that says so by its exit code."""
USAGE = 2
"""A wrong call."""
PARTLY = 3
"""Something is still open: an undecided step (ab --strict), or a job of a sweep without a complete run."""
NOTHING = 4
"""Nothing was measured, or a file can't be used."""
INTERRUPTED = 130
"""Ctrl-C, as a shell counts it: 128 and the signal's number."""


def called() -> str:
    """The name by which this process was called."""
    return SCRIPT if Path(sys.argv[0]).name == SCRIPT else PYTHON


def name_in(command: str) -> str:
    """The name in a recorded command."""
    return SCRIPT if command.startswith(f"{SCRIPT} ") else PYTHON
