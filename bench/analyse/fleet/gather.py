"""The runs of a fleet: found in folders, each with the name of its machine, and read one by one."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.analyse.history.gather import LeftOut, StoredRun, of_steps, stored, within
from bench.analyse.load import load_steps
from bench.core.records import RUN_FILE, RecordError

MANY, AT_ONCE = 100, 20
"""Runs from which on several processes read them, and how many a process takes at a time: a run takes some 40 ms."""
MOST_PROCESSES = 4
"""Each takes some 200 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A run before it is read."""

    folder: Path
    machine: Path
    """The folder after which its machine is named: the run's own if no folder says on which machine it was."""

    @property
    def alone(self) -> bool:
        """Whether the run counts as a machine of its own."""
        return self.folder == self.machine


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
    """The runs in some folders, each a run, a folder of runs, or a folder of folders of runs.

    A damaged run, or one of another kind, is left out if its folder was not named itself. Raises RecordError if no run
    can be used, or if a named one can't be.
    """
    places = list({found.folder.resolve(): found for folder in named for found in find(folder)}.values())
    names = names_of([found.machine for found in places])
    runs, left_out, alone = [], [], 0
    for found, one in zip(places, read_all([found.folder for found in places]), strict=True):
        if isinstance(one, StoredRun):
            runs.append(FleetRun(machine=names[found.machine], stored=one))
            alone += found.alone
        elif found.folder in named:
            raise one
        else:
            left_out.append(LeftOut(name=str(Path(found.machine.name, found.folder.name)), reason=str(one)))
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


def find(folder: Path) -> Iterator[Found]:
    """The runs of a folder that a call names.

    A run is of the machine whose folder it lies in. The folder that the call names is no machine: a run that lies right
    in it, or is it, counts as a machine of its own. Raises RecordError if there is no run.
    """
    if (folder / RUN_FILE).is_file():
        yield Found(folder=folder, machine=folder)
        return
    inside = {path.parents[1] for path in folder.glob(f"*/*/{RUN_FILE}")}
    machines = sorted(path for path in inside if not (path / RUN_FILE).is_file())
    for machine in machines:
        yield from (Found(folder=run, machine=machine) for run in within(machine))
    if not machines or any(folder.glob(f"*/{RUN_FILE}")):
        yield from (Found(folder=run, machine=run) for run in within(folder))


def names_of(machines: Sequence[Path]) -> dict[Path, str]:
    """The name of each machine: that of its folder, with as many folders above it as tell it from the others."""
    distinct = {machine: machine.resolve() for machine in machines}
    names = {machine: path.name for machine, path in distinct.items()}
    for depth in range(2, 1 + max((len(path.parts) for path in distinct.values()), default=0)):
        often = Counter(names.values())
        names = {
            machine: str(Path(*path.parts[-depth:])) if often[names[machine]] > 1 else names[machine]
            for machine, path in distinct.items()
        }
    return names


def read(folder: Path) -> StoredRun:
    """What a run says of the seconds of its variants, without their canaries: equal to what a history reads.

    Raises RecordError if its files can't be used, or if it is no run of `bench run`.
    """
    data = load_steps(folder)
    if data.run.kind != "run":
        msg = f"{folder}: a run of bench {data.run.kind}; a fleet takes runs of bench run"
        raise RecordError(msg)
    return stored(data, {v: one for v in data.runnable if (one := of_steps(data, v)) is not None})
