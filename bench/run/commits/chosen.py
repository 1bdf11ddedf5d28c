"""Which commits of a repository are measured."""

import subprocess
from pathlib import Path

from bench.core.variants import UsageError
from bench.machine.code import git


def commits(span: str, every: int, repository: Path) -> list[str]:
    """The commits of `FIRST..LAST`, the oldest first: both ends, and between them every so manieth.

    Follows first parents, so a merged branch counts as its merge. Raises UsageError if there is no such span.
    """
    first, dots, last = span.partition("..")
    if not dots or not first or last.startswith(".") or first.startswith("-"):
        msg = f"--commits reads FIRST..LAST, such as v1..main, got {span!r}"
        raise UsageError(msg)
    start = _commit(first, repository)
    end = _commit(last or "HEAD", repository)
    after = git(repository, "rev-list", "--first-parent", "--reverse", f"{start}..{end}").split()
    if not after:
        msg = f"--commits {span}: no commit lies between {first} and {last or 'HEAD'}"
        raise UsageError(msg)
    all_of_them = [start, *after]
    chosen = all_of_them[::every]
    return chosen if chosen[-1] == end else [*chosen, end]


def _commit(ref: str, repository: Path) -> str:
    """The whole name of a commit. Raises UsageError if there is none."""
    try:
        return git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    except (OSError, subprocess.SubprocessError) as error:
        msg = f"--commits: {ref}: no commit, branch or tag of this folder's git repository"
        raise UsageError(msg) from error
