"""A run's folder for its one writer, which makes, locks, extends and repairs it."""

import errno
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, Self

from bench.core.header import Header, encoded
from bench.core.reading import whole_records
from bench.core.records import APPENDED, LAYERS, RUN_FILE, SAMPLES, TRIALS, VARIANTS, RecordError, Row, found_words
from bench.core.variants import as_row
from bench.plan.matrix import Entry

NO_LOCKS = frozenset({errno.EBADF, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})
"""How a file system says that it can't lock a folder: NFS locks only what is open for writing (flock(2))."""


def already_there(folder: Path, option: str = "--run-id") -> str:
    """The message if a run (or what else `option` names) of this name exists, with what to do."""
    return f"{folder}: there already; go on with --resume {folder.name}, or choose another {option}"


def refuse_links(folder: Path, paths: Iterable[Path]) -> None:
    """Raises RecordError if one of these paths in a folder is a link: bench would write outside of the folder."""
    if links := sorted(path.name for path in paths if path.is_symlink()):
        msg = f"{folder}: {found_words(links[0])} is a link, and bench does not write through links"
        raise RecordError(msg)


def locked(folder: Path, who: str) -> int:
    """A descriptor that holds a folder's lock. Raises RecordError, which says `who` has it, if another process does.

    Some network file systems have no locks on folders: there this returns a descriptor without one.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        msg = f"{folder}: in use by {who}"
        raise RecordError(msg) from error
    except OSError as error:
        if error.errno not in NO_LOCKS:
            os.close(descriptor)
            msg = f"{folder}: {error.strerror}"
            raise RecordError(msg) from error
    return descriptor


def make(folder: Path, option: str) -> None:
    """Makes a folder, which `option` names. Raises RecordError if it can't, or if it is there already."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise RecordError(already_there(folder, option)) from error
    except OSError as error:
        msg = f"{folder}: {error.strerror}"
        raise RecordError(msg) from error


class LockedFolder:
    """A folder that this object locks as its one writer. Close it, or use it as a context."""

    def __init__(self, folder: Path, who: str) -> None:
        """Raises RecordError, which says `who` has it, if another process does."""
        self.folder = folder
        refuse_links(folder, folder.iterdir())
        self._lock: int | None = locked(folder, who)

    def close(self) -> None:
        """Releases the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class RunFolder(LockedFolder):
    """A run's folder."""

    def __init__(self, folder: Path) -> None:
        """Raises RecordError if another process has it."""
        super().__init__(folder, "another run; wait for it, or choose another --run-id")

    @classmethod
    def create(cls, folder: Path, run: Header, variants: Iterable[Row]) -> "RunFolder":
        """Makes the folder and its files. Raises RecordError if it exists already."""
        make(folder, "--run-id")
        opened = cls(folder)
        opened.write_run(run)
        for table in (VARIANTS, *APPENDED):
            rows = table.text(variants) if table is VARIANTS else ""
            _append(table.path(folder), table.header() + rows)
        return opened

    @classmethod
    def reopen(cls, folder: Path) -> tuple["RunFolder", list[str]]:
        """Opens a run's folder to go on and cuts off torn lines. Returns it with warnings of what was cut."""
        if not folder.is_dir():
            msg = f"{folder}: no such run"
            raise RecordError(msg)
        opened, warnings = cls(folder), []
        for table in (VARIANTS, *APPENDED):
            content, torn = whole_records(folder, table)
            if table.of(content) is not table:
                opened.close()
                msg = f"{folder}: {table.name} is of an earlier schema, which is read but not added to: begin a new run"
                raise RecordError(msg)
            if torn:
                os.truncate(table.path(folder), len(content))
                warnings += torn
        return opened, warnings

    def write_run(self, run: Header) -> None:
        """Replaces run.json in one step."""
        replace_file(self.folder / RUN_FILE, encoded(run))

    def append_trial(self, trial: Row, samples: Iterable[Row], layers: Iterable[Row] = ()) -> None:
        """Adds a finished trial. Its samples are synced first, then the row that confirms them."""
        texts = [t.text(r) for t, r in ((SAMPLES, samples), (LAYERS, layers), (TRIALS, [trial]))]
        for table, text in zip(APPENDED, texts, strict=True):
            if text:
                _append(table.path(self.folder), text)


def variant_rows(entries: Iterable[Entry], reasons: dict[str, str]) -> list[dict[str, object]]:
    """The rows of variants.csv."""
    return [
        {
            "variant_id": entry.variant.id,
            **as_row(entry.variant),
            "baseline": entry.variant.is_baseline,
            "excluded_reason": reasons[entry.variant.id],
        }
        for entry in entries
    ]


def replace_file(target: Path, text: str) -> None:
    """Replaces a file in one step. If that fails, it is as it was before. Raises RecordError."""
    fresh = target.with_suffix(f"{target.suffix}.new")
    try:
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
            _sync(file)
        fresh.replace(target)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise _write_error(target, error.strerror) from error


def _append(path: Path, text: str) -> None:
    """Appends in one write and syncs. If that fails, the file is as it was before."""
    data = text.encode()
    try:
        with path.open("ab", buffering=0) as file:
            before = file.tell()
            try:
                written = file.write(data)
                _sync(file)
            except OSError:
                os.truncate(path, before)
                raise
            if written != len(data):
                os.truncate(path, before)
    except OSError as error:
        raise _write_error(path, error.strerror) from error
    if written != len(data):
        raise _write_error(path, os.strerror(errno.ENOSPC))


def _write_error(path: Path, words: str | None) -> RecordError:
    return RecordError(
        f"{path}: {words}; what was measured before is kept: free some space and --resume {path.parent.name}"
    )


def _sync(file: IO[Any]) -> None:
    file.flush()
    os.fsync(file.fileno())
