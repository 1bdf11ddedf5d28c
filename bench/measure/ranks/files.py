"""The files that the ranks of a trial share with the process that starts them, all in one folder."""

from pathlib import Path

FAILED = 3
"""The exit code of a rank whose reply says why it failed."""


def request(folder: Path) -> Path:
    """The file of the request, which is the same for all ranks."""
    return folder / "request"


def reply(folder: Path, rank: int) -> Path:
    """The file of a rank's reply."""
    return folder / f"reply-{rank}"


def note_failure(folder: Path, rank: int) -> None:
    """Adds a rank to those whose reply says why they failed."""
    with _failures(folder).open("a") as file:
        file.write(f"{rank}\n")


def failures(folder: Path) -> list[int]:
    """The ranks whose reply says why they failed, in the order in which they did."""
    path = _failures(folder)
    return list(map(int, path.read_text().split())) if path.exists() else []


def log(folder: Path, rank: int) -> Path:
    """The file of what a rank wrote as errors. torch's launcher chooses the folders above it."""
    [found] = folder.glob(f"*/attempt_0/{rank}/stderr.log")
    return found


def _failures(folder: Path) -> Path:
    return folder / "failures"
