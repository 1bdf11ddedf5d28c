"""Where the runs of a fleet lie, and on which machine each was."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.analyse.history.gather import within
from bench.core.records import RUN_FILE
from bench.core.sweep.record import SWEEP_FILE, read_sweep
from bench.core.sweep.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A run before it is read."""

    folder: Path
    machine: Path
    """The folder after which its machine is named: the run's own if no folder says on which machine it was."""
    node: str = ""
    """The node that a sweep recorded, which names the machine instead; empty if there is none."""
    why_not: str = ""
    """Why it can't count, whatever its files say; empty if it can."""

    @property
    def alone(self) -> bool:
        """Whether the run counts as a machine of its own."""
        return not self.node and self.folder == self.machine


def find(folder: Path) -> Iterator[Found]:
    """The runs of a folder that a call names.

    A run of a sweep is of the node that the sweep recorded. Any other is of the machine whose folder it lies in. The
    folder that the call names is no machine: a run that lies right in it, or is it, counts as a machine of its own.
    Raises RecordError if there is no run, or if the folder's sweep.json can't be used.
    """
    if (folder / RUN_FILE).is_file():
        yield Found(folder=folder, machine=folder)
    elif (folder / SWEEP_FILE).exists():
        yield from of_sweep(folder)
    else:
        yield from of_folder(folder)


def of_sweep(folder: Path) -> Iterator[Found]:
    """The complete run of each job of a sweep; a job without one can't count. Raises RecordError as `read_sweep`."""
    for job in read_sweep(folder).jobs:
        attempt, of_job = job.last, job.folder(folder)
        if attempt is None or attempt.status is not Status.OK:
            yield Found(folder=of_job, machine=folder, why_not=f"the job has no complete run ({job.status})")
        else:
            run = of_job / job.run_of(attempt)
            yield Found(folder=run, machine=of_job if attempt.node else run, node=attempt.node or "")


def of_folder(folder: Path) -> Iterator[Found]:
    """The runs of a folder that holds folders of machines, or runs. Raises RecordError if there is none."""
    inside = {path.parents[1] for path in folder.glob(f"*/*/{RUN_FILE}")}
    machines = sorted(path for path in inside if not (path / RUN_FILE).is_file())
    for machine in machines:
        yield from (Found(folder=run, machine=machine) for run in within(machine))
    if not machines or any(folder.glob(f"*/{RUN_FILE}")):
        yield from (Found(folder=run, machine=run) for run in within(folder))


def names_of(places: Iterable[Found]) -> list[str]:
    """The name of each run's machine: its node, or its folder's name."""
    every = list(places)
    folders = folder_names([one.machine for one in every if not one.node], {one.node for one in every if one.node})
    return [one.node or folders[one.machine] for one in every]


def folder_names(machines: Sequence[Path], taken: Iterable[str] = ()) -> dict[Path, str]:
    """The name of each folder, with as many folders above it as tell it from the others and from the `taken` names."""
    distinct = {machine: machine.resolve() for machine in machines}
    names = {machine: path.name for machine, path in distinct.items()}
    for depth in range(2, 1 + max((len(path.parts) for path in distinct.values()), default=0)):
        often = Counter([*names.values(), *taken])
        names = {
            machine: str(Path(*path.parts[-depth:])) if often[names[machine]] > 1 else names[machine]
            for machine, path in distinct.items()
        }
    return names
