"""Measures each commit by a `bench ab` against the first one, in a clone of the repository."""

import contextlib
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from bench.core.exits import INTERRUPTED, USAGE
from bench.core.header import read_run
from bench.core.records import RecordError
from bench.core.text import digest, shortened
from bench.core.variants import UsageError
from bench.machine.code import ROOT, git
from bench.run.prepare.shared import share

LETTERS = 12
"""Of a commit's name, in the name of its run."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A commit that could not be measured."""

    name: str
    reason: str


def folder_for(commits: Sequence[str], options: Sequence[str], out: Path) -> Path:
    """The folder of the runs of a call; calls with the same first commit and options share it."""
    return out / f"history-{commits[0][:LETTERS]}-{digest(' '.join(options))[:6]}"


def measure(commits: Sequence[str], options: Sequence[str], folder: Path, reports: Path, say: Say) -> list[Failed]:
    """Measures the commits that the folder lacks, in random order. Returns those that could not be measured.

    `options` are those of `bench ab`. The commit under way when a call ended is measured again from its beginning.
    Raises UsageError if `bench ab` refuses the options, KeyboardInterrupt if it was interrupted.
    """
    due = [commit for commit in commits if not is_complete(folder / commit[:LETTERS])]
    random.SystemRandom().shuffle(due)
    failed: list[Failed] = []
    if not due:
        return failed
    with checkout_of(Path.cwd()) as (clone, inside):
        for number, commit in enumerate(due, start=1):
            say(f"commit {number} of {len(due)}: {commit[:LETTERS]} beside {commits[0][:LETTERS]}")
            git(clone, "checkout", "--quiet", "--detach", "--force", commit)
            git(clone, "clean", "-fdxq")
            if not inside.is_dir():
                failed.append(Failed(name=commit[:LETTERS], reason="this folder does not exist at the commit"))
                continue
            if (task := task_of(options)) is not None:
                share(task, Path.cwd(), {"checkout": inside})
            if reason := _taken(commit, commits[0], options, inside, folder, reports):
                failed.append(Failed(name=commit[:LETTERS], reason=reason))
    return failed


def is_complete(run: Path) -> bool:
    """Whether a commit's run is there as a whole."""
    try:
        return read_run(run).state.status == "complete"
    except RecordError:
        return False


@contextlib.contextmanager
def checkout_of(here: Path) -> Iterator[tuple[Path, Path]]:
    """A clone of the repository around a folder, and the folder in it; removed at the end.

    It shares the repository's objects, and changes nothing of it.
    """
    with tempfile.TemporaryDirectory(prefix="nin-bench-history-") as temporary:
        clone = Path(temporary) / "clone"
        top = git(here, "rev-parse", "--show-toplevel")
        git(here, "clone", "--quiet", "--shared", "--no-checkout", top, str(clone))
        yield clone, clone / git(here, "rev-parse", "--show-prefix")


def task_of(options: Sequence[str]) -> str | None:
    """The task that all commits get from the calling folder; None if each has its own, or if there is none."""
    if "--task-from-each" in options:
        return None
    joined = [option.removeprefix("--task=") for option in options if option.startswith("--task=")]
    apart = [value for name, value in pairwise(options) if name == "--task"]
    return next(iter([*joined, *apart]), None)


def _taken(commit: str, base: str, options: Sequence[str], inside: Path, folder: Path, reports: Path) -> str:
    """Measures one commit. Returns why it could not be measured; empty if it was."""
    shutil.rmtree(folder / commit[:LETTERS], ignore_errors=True)  # what an earlier call left unfinished
    code, last_line = _called([
        "ab", "--base", base, "--no-confirm", "--out", str(folder.resolve()), "--reports", str(reports.resolve()),
        "--run-id", commit[:LETTERS], *options,
    ], inside)  # fmt: skip
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code == USAGE:
        raise UsageError(last_line)
    return "" if is_complete(folder / commit[:LETTERS]) else f"bench ab ended with {code}: {last_line}"


def _called(arguments: Sequence[str], folder: Path) -> tuple[int, str]:
    """Calls this bench in a folder. Returns its exit code and the last line of its errors."""
    words = [sys.executable, "-P", str(ROOT / "nin_bench.py"), "bench", *arguments]
    with subprocess.Popen(words, cwd=folder, stderr=subprocess.PIPE, text=True, errors="replace") as called:
        try:
            _, errors = called.communicate()
        except KeyboardInterrupt:  # it got the signal too, and writes down where it is
            called.communicate()
            raise
    lines = errors.strip().splitlines()
    return called.returncode, shortened(lines[-1].removeprefix("bench: ") if lines else "", 300)
