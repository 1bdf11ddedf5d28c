"""The files of an attempt beside its run: its log, how it ended, and the lock that a local job is tied to."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from bench.core.header import converted, read_json
from bench.core.records import RecordError
from bench.core.sweep.record import NodeName
from bench.core.text import MOST_OF_A_REASON, shortened

MOST_BYTES = 4096
"""Of the end of a log that is read."""


class Ended(Struct, frozen=True, kw_only=True):
    """How `bench run` ended, and where: a job writes this last."""

    exit_code: Annotated[int, Meta(ge=-255, le=255)]
    node: NodeName


def log_of(folder: Path, number: int) -> Path:
    """The output of an attempt's run."""
    return folder / f"attempt-{number}.log"


def lock_of(folder: Path, number: int) -> Path:
    """The file that the sweep holds locked for as long as a local attempt may run."""
    return folder / f"attempt-{number}.lock"


def ended_of(folder: Path, number: int) -> Path:
    """The file in which a job writes how its run ended."""
    return folder / f"attempt-{number}.json"


def read_ended(folder: Path, number: int) -> Ended | None:
    """How an attempt's run ended; None if its job left no word that can be read."""
    path = ended_of(folder, number)
    try:
        return converted(read_json(path, ""), Ended, path)
    except RecordError:
        return None


def encoded(ended: Ended) -> str:
    """The text of the file."""
    return msgspec.json.encode(ended).decode() + "\n"


def last_line(*logs: Path) -> str:
    """The last line of the first log that has any, cut; empty without one."""
    for log in logs:
        try:
            with log.open("rb") as file:
                file.seek(0, 2)
                file.seek(max(0, file.tell() - MOST_BYTES))
                lines = file.read().decode(errors="replace").split("\n")
        except OSError:
            continue
        if said := [line.strip() for line in lines if line.strip()]:
            return shortened(said[-1].removeprefix("bench: "), MOST_OF_A_REASON)
    return ""
