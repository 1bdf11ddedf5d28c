"""Slurm's own commands, which need no submitit."""

import subprocess

from bench.core.sweep.record import NODE_NAME
from bench.core.variants import UsageError


def hosts(text: str) -> list[str]:
    """The names of a list of nodes such as n[1-3],m7. Raises UsageError if it can't be read."""
    if all(NODE_NAME.fullmatch(name) for name in text.split(",")):
        return text.split(",")
    named = (said_by("scontrol", "show", "hostnames", text) or "").split()
    if not named or not all(NODE_NAME.fullmatch(name) for name in named):
        msg = f"--nodelist reads names of nodes, such as n1,n2 or n[1-4], got {text!r}"
        raise UsageError(msg)
    return named


def said_by(*words: str) -> str | None:
    """What a command of Slurm prints; None if it fails."""
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, errors="replace", check=False, timeout=60, start_new_session=True
        )  # the terminal's Ctrl-C is the sweep's alone
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
