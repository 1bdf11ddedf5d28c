"""The work of `bench sweep`."""

import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import typer
from msgspec.structs import replace

from bench.cli.ends import fail
from bench.core.exits import INTERRUPTED, NOTHING, PARTLY, called
from bench.core.home import without_home
from bench.core.records import RecordError
from bench.core.sweep.record import SWEEP_FILE, Asked, Job, Sweep, read_sweep
from bench.core.text import shell_word, visible
from bench.core.variants import UsageError
from bench.plan.choices import folder_of
from bench.report.render import terminal
from bench.report.sides import sweep_page
from bench.run.record import now
from bench.run.sweep import choose
from bench.run.sweep.commands import hosts
from bench.run.sweep.folder import SweepFolder, newest_unfinished
from bench.run.sweep.stop import Stop
from bench.run.sweep.supervisor import Supervisor

__all__ = ["begin", "hosts", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A sweep that is to be taken, and where."""

    folder: Path
    stored: Sweep | None
    """The sweep as an earlier call left it."""
    asked: Asked


def begin(asked: Asked | None, out: Path, sweep_id: str | None, resume: str | None) -> Begun:
    """The sweep that a call means: a new one, or one that is there already. `asked` is None if only its name is given.

    Raises UsageError if that one was asked for something else, RecordError if it can't be used.
    """
    if resume is not None or asked is None:
        folder = folder_of(out, str(resume))
    elif sweep_id is not None:
        folder = out / sweep_id
    else:
        dated = f"{datetime.now(UTC):%Y-%m-%d-%H%M%S}-sweep"
        folder = newest_unfinished(out, asked.digest) or out / dated
    there = resume is not None or (folder / SWEEP_FILE).is_file()
    stored = read_sweep(folder) if there else None
    if stored and asked and stored.asked.digest != asked.digest:
        msg = f"{folder.name} was asked for something else: choose another --sweep-id, or repeat its call"
        raise UsageError(msg)
    wanted = asked or (stored.asked if stored else None)
    if wanted is None:
        msg = f"{folder}: no sweep"
        raise RecordError(msg)
    return Begun(folder=folder, stored=stored, asked=wanted)


def run(begun: Begun, reports: Path) -> int:
    """Take the jobs that have no complete run yet, then write the page. Returns the exit code."""
    sweep = begun.stored
    if sweep is None or not sweep.complete:
        sweep = taken(begun, reports)
    elif begun.stored:
        say(f"{begun.folder.name} is complete: its page is written again")
    page = sweep_page.write(sweep, begun.folder, reports)
    terminal.show_sweep(page)
    lacking = page.gathered.without_rounds
    if not page.gathered.runs:
        fail("no job has a complete run: the page says why", NOTHING)
    if len(lacking) == len(page.gathered.runs):
        short = all(run.budget_ended for run in lacking)
        why = "their budget was too short, so begin a sweep with a larger one" if short else "their pages say why"
        fail(f"no run has a complete round: {why}", NOTHING)
    return 0 if sweep.complete and not lacking else PARTLY


def taken(begun: Begun, reports: Path) -> Sweep:
    """Take the jobs of a sweep that lack a complete run."""
    made = choose.made(begun.asked, begun.folder / "submitit")
    opened, sweep = opened_folder(begun)
    with opened, Stop() as stop:
        supervisor = Supervisor(
            sweep=sweep, folder=opened, cluster=made, reports=reports / begun.folder.name, say=say, stop=stop
        )
        try:
            return supervisor.take()
        except KeyboardInterrupt:
            fail(
                f"interrupted; no job runs any more, and the complete runs of {begun.folder.name} are kept: the same "
                "call goes on",
                INTERRUPTED,
            )


def opened_folder(begun: Begun) -> tuple[SweepFolder, Sweep]:
    """The sweep's folder for its writer, and its record: a new one, or the stored one as this call asks for it."""
    if begun.stored is not None:
        opened = SweepFolder(begun.folder)
        say(f"goes on with {begun.folder.name}")
        sweep = replace(read_sweep(begun.folder), asked=begun.asked)
        opened.write(sweep)
        return opened, sweep
    sweep = Sweep(
        sweep_id=begun.folder.name,
        command=without_home(" ".join([called(), *map(shell_word, sys.argv[1:])])),
        by_nox="NOX_CURRENT_SESSION" in os.environ,
        started_at=now(),
        asked=begun.asked,
        jobs=[Job(name=f"job-{number}") for number in range(1, begun.asked.jobs + 1)],
    )
    return SweepFolder.create(begun.folder, sweep), sweep


def say(line: str) -> None:
    """Print a line."""
    typer.echo(visible(line))
