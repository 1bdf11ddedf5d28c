"""The work of `bench profile`."""

from pathlib import Path

from rich.console import Console

from bench.cli.calls import entries_of
from bench.cli.ends import fail, one_line, refused
from bench.cli.verbs.pages import finish_profile, worth_tracing
from bench.core.exits import INTERRUPTED
from bench.core.progress import RunProgress
from bench.plan.choices import Choices, folder_of, name_run
from bench.run import profile as parent
from bench.run.prepare import reopen, start
from bench.run.prepare.dry import try_again


def run(chosen: Choices, stored: str | None, steps: int, reports: Path) -> None:
    """Take the traces, then write the report and print where they are."""
    finish_profile(trace(chosen, stored, steps), reports)


def trace(chosen: Choices, run: str | None, steps: int) -> Path:
    """Take the traces of a new run, or of the stored run that is named. Returns its folder."""
    progress = RunProgress(Console())
    with refused(), one_line():
        if run is None:
            folder = chosen.out / name_run(chosen)
            under_way = start.start(chosen, entries_of(chosen), folder, progress)
            ids = [entry.variant.id for entry in under_way.entries]
        else:
            folder = folder_of(chosen.out, run)
            ids = list(chosen.variants) or worth_tracing(folder)
            under_way = reopen.add_to(chosen, folder, progress, ids)
            try_again(under_way, ids)
        try:
            parent.execute(under_way, ids, steps)
        except KeyboardInterrupt:
            fail("interrupted; the traces that were complete are kept", INTERRUPTED)
    return folder
