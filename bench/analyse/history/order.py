"""The order of a history: that of its commits in a git repository, or that of its dates."""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from bench.analyse.history.gather import StoredRun
from bench.machine.code import git

COMMIT = re.compile(r"([0-9a-f]{7,64})[+?]?")
"""A commit as a run names it; git gets nothing else from a file."""


class Order(StrEnum):
    """By what runs are ordered."""

    COMMITS = "commit"
    DATES = "date"


def ordered(runs: Sequence[StoredRun], repository: Path) -> tuple[list[StoredRun], Order]:
    """The runs in order, with the subjects of their commits.

    In the order of commits if all are in the repository: a commit comes after all those that it was made from, and
    runs of one commit go by date. Else by date.
    """
    by_date = sorted(runs, key=lambda run: (run.header.started_at, run.name))
    known = {run.commit: full for run in runs if (full := full_name(run.commit, repository))}
    subjects = subjects_of(sorted(set(known.values())), repository)
    named = [replace(run, subject=subjects.get(known.get(run.commit, ""), "")) for run in by_date]
    places = places_of(sorted(set(known.values())), repository)
    if not all(known.get(run.commit) in places for run in named):
        return named, Order.DATES
    return sorted(named, key=lambda run: places[known[run.commit]]), Order.COMMITS


def full_name(commit: str, repository: Path) -> str:
    """The whole name of a commit; empty if the repository does not have it."""
    match = COMMIT.fullmatch(commit)
    if match is None:
        return ""
    return asked(repository, "rev-parse", "--verify", "--quiet", f"{match[1]}^{{commit}}").strip()


def places_of(commits: Sequence[str], repository: Path) -> dict[str, int]:
    """The place of each commit in the order in which they were made from one another."""
    if not commits:
        return {}
    every = asked(repository, "rev-list", "--topo-order", "--reverse", *commits).split()
    places = {commit: place for place, commit in enumerate(every)}
    return {commit: places[commit] for commit in commits if commit in places}


def subjects_of(commits: Sequence[str], repository: Path) -> dict[str, str]:
    """The first line of each commit's message."""
    if not commits:
        return {}
    lines = asked(repository, "log", "--no-walk", "--format=%H %s", *commits).splitlines()
    return {line[:40]: line[41:] for line in lines if len(line) > 41}


def asked(repository: Path, *arguments: str) -> str:
    """What git says of a repository; empty if it is none, or if git fails."""
    try:
        return git(repository, *arguments)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
