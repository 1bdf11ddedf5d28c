"""A run from its first trial to its last: how it begins, in which order it goes, and how it ends."""

import contextlib
import shutil
import signal
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from bench.core.header import Ended, Flagged, Status
from bench.core.records import RecordError
from bench.run import pilot, race, rounds, sustained
from bench.run.record import Run, now


def execute(
    run: Run,
    after_pilot: Callable[[Path], None],
    flag: Callable[[Path], list[Flagged]] | None = None,
    fastest: Callable[[Path], list[str]] | None = None,
    ranking: race.Ranking | None = None,
    decided: rounds.Decided | None = None,
) -> None:
    """Measures what is left of the run: the pilot, then the rounds. The folder is complete after each trial.

    `after_pilot` is called once with the folder. `flag` returns the cells that look changed in the rounds; their
    variants are then measured in fresh rounds. `ranking` returns the variants of a race in their order. `decided` says
    if the rounds may end at a look. `fastest` returns the fastest variants; those on a GPU get a sustained
    stretch after the rounds. Raises KeyboardInterrupt on Ctrl-C and on SIGTERM, RecordError if a file can't be
    written. After either the run can be resumed.
    """
    with under_way(run):
        set_status(run, "running")
        pilot.take_all(run)
        after_pilot(run.folder.folder)
        if ranking:
            race.take_all(run, ranking)
        ended_because = rounds.take_all(run, flag, decided)
        if fastest:
            sustained.take_of_fastest(run, fastest)
        set_status(run, "complete", ended_because, now())
        if ended_because == "rounds" or not run.trees:  # trees can't be copied again as they were
            shutil.rmtree(run.cache, ignore_errors=True)


@contextlib.contextmanager
def under_way(run: Run) -> Iterator[None]:
    """Lets SIGTERM end the run as Ctrl-C does, and writes down how it ended if it did not complete."""
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except KeyboardInterrupt:
        for number in (signal.SIGINT, signal.SIGTERM):  # one is enough: no other may disturb the end
            signal.signal(number, signal.SIG_IGN)
        with contextlib.suppress(RecordError):  # the interrupt is what ended it
            set_status(run, "interrupted", "interrupted")
        raise
    except BaseException:
        with contextlib.suppress(RecordError):  # a file that can't be written is likely the reason
            set_status(run, "failed", "an error")
        raise
    finally:
        run.progress.end()
        run.folder.close()
        signal.signal(signal.SIGTERM, previous)


def _interrupt(number: int, frame: object) -> None:  # noqa: ARG001 - a handler's signature
    raise KeyboardInterrupt


def set_status(
    run: Run, status: Status, ended_because: Ended | None = None, finished_at: datetime | None = None
) -> None:
    """Writes into run.json how the run stands."""
    run.save(replace(run.state, status=status, finished_at=finished_at, ended_because=ended_because))
