"""The runs of a fleet, each with the name of its machine, read one by one."""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.analyse.fleet.find import find, names_of
from bench.analyse.history.gather import LeftOut, StoredRun, of_steps, stored
from bench.analyse.load import load_steps
from bench.core.records import RecordError

MANY, AT_ONCE = 100, 20
"""Runs from which on several processes read them, and how many a process takes at a time: a run takes some 40 ms."""
MOST_PROCESSES = 4
"""Each takes some 200 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRun:
    """A run with its machine."""

    machine: str
    stored: StoredRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """The runs of a fleet."""

    runs: list[FleetRun]
    left_out: list[LeftOut]
    alone: int
    """How many of the runs count as a machine of their own."""


def gather(named: Sequence[Path]) -> Runs:
    """The runs in some folders, each a run, a folder of runs, one of folders of runs, or a sweep.

    A damaged run, or one of another kind, is left out if its folder was not named itself. Raises RecordError if no run
    can be used, or if a named one can't be.
    """
    places = list({found.folder.resolve(): found for folder in named for found in find(folder)}.values())
    runs, left_out, alone = [], [], 0
    every = read_all([found.folder for found in places])
    for found, name, one in zip(places, names_of(places), every, strict=True):
        if isinstance(one, StoredRun) and not found.why_not:
            runs.append(FleetRun(machine=name, stored=one))
            alone += found.alone
        elif isinstance(one, RecordError) and found.folder in named:
            raise one
        else:
            left_out.append(
                LeftOut(name=str(Path(found.machine.name, found.folder.name)), reason=found.why_not or str(one))
            )
    if not runs:
        msg = f"no run can be used: {left_out[0].reason}" if left_out else "no run is named"
        raise RecordError(msg)
    return Runs(runs=runs, left_out=left_out, alone=alone)


def read_all(folders: Sequence[Path]) -> list[StoredRun | RecordError]:
    """Each run, or why it can't be used; many are read by several processes."""
    if len(folders) < MANY:
        return [tried(folder) for folder in folders]
    with ProcessPoolExecutor(min(MOST_PROCESSES, os.cpu_count() or 1)) as pool:
        return list(pool.map(tried, folders, chunksize=AT_ONCE))


def tried(folder: Path) -> StoredRun | RecordError:
    """A run, or why it can't be used."""
    try:
        return read(folder)
    except RecordError as error:
        return error


def read(folder: Path) -> StoredRun:
    """What a run says of the seconds of its variants, without their canaries: equal to what a history reads.

    Raises RecordError if its files can't be used, or if it is no run of `bench run`.
    """
    data = load_steps(folder)
    if data.run.kind != "run":
        msg = f"{folder}: a run of bench {data.run.kind}; a fleet takes runs of bench run"
        raise RecordError(msg)
    return stored(data, {v: one for v in data.runnable if (one := of_steps(data, v)) is not None})
