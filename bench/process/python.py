"""The command that starts a module in a Python process of its own."""

import sys
from pathlib import Path

START = str(Path(__file__).resolve().parents[2] / "nin_bench.py")


def python(module: str) -> tuple[str, ...]:
    """The command, which the folder it is called in can't change: that folder comes last on the path (nin_bench.py)."""
    return (sys.executable, "-P", START, module)
