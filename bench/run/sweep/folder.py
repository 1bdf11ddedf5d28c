"""A sweep's folder for its one writer."""

from pathlib import Path

from bench.core.records import RecordError
from bench.core.sweep.record import SWEEP_FILE, Sweep, encoded, read_sweep
from bench.run.folder import LockedFolder, make, replace_file

SUBMITIT = "submitit"
"""The folder of submitit's own files: batch scripts, pickles that only its jobs read, and their output."""


class SweepFolder(LockedFolder):
    """A sweep's folder."""

    def __init__(self, folder: Path) -> None:
        """Raises RecordError if another process has it."""
        super().__init__(folder, "another sweep; wait for it, or choose another --sweep-id")

    @classmethod
    def create(cls, folder: Path, sweep: Sweep) -> "SweepFolder":
        """Makes the folder and its record. Raises RecordError if it is there already."""
        make(folder, "--sweep-id")
        opened = cls(folder)
        opened.write(sweep)
        return opened

    def write(self, sweep: Sweep) -> None:
        """Replaces sweep.json in one step."""
        replace_file(self.folder / SWEEP_FILE, encoded(sweep))

    @property
    def submitit(self) -> Path:
        """The folder of submitit's files."""
        return self.folder / SUBMITIT


def newest_unfinished(out: Path, asked: str) -> Path | None:
    """The sweep in a folder that asks for the same (by its digest) and lacks a job, the one begun last; or None."""
    found = []
    for path in out.glob(f"*/{SWEEP_FILE}"):
        try:
            sweep = read_sweep(path.parent)
        except RecordError:
            continue
        if sweep.unfinished and sweep.asked.digest == asked:
            found.append((sweep.started_at, path.parent))
    return max(found)[1] if found else None
