"""Calls of `python -m bench` as a user makes them, and the CSV files and tables of what several calls gave."""

import csv
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.report.render.terminal import ESTIMATES
from benchmarks.disturber import disturbed

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that has ended."""

    code: int
    """Its exit code."""
    began: datetime
    ended: datetime
    took_s: float
    estimates_s: float | None
    """Seconds until the first table of estimates was printed; None if it was not."""

    @property
    def minutes(self) -> float:
        """Minutes from its start to its end, when the report is there."""
        return self.took_s / 60


def call(arguments: Sequence[str], folder: Path, log: Path, *, disturb: int | None = None) -> Call:
    """Calls bench in a folder. The log gets each line of its output, after the seconds that had passed.

    With `disturb` the disturber works beside it, with that seed, and writes to a file beside the log.
    """
    estimates_s = None
    lines = None if disturb is None else log.with_suffix(".disturber.txt")
    with disturbed(disturb or 0, lines), log.open("w", encoding="utf-8") as file:
        began, start = datetime.now(UTC), time.monotonic()
        with subprocess.Popen(
            [sys.executable, "-m", "bench", *arguments], cwd=folder, env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        ) as process:  # fmt: skip
            try:
                for line in process.stdout or ():
                    passed_s = time.monotonic() - start
                    if estimates_s is None and ESTIMATES in line:
                        estimates_s = passed_s
                    file.write(f"{passed_s:8.1f} {line}")
            except KeyboardInterrupt:
                process.terminate()
                raise
        took_s = time.monotonic() - start
    return Call(
        code=process.returncode, began=began, ended=datetime.now(UTC), took_s=took_s, estimates_s=estimates_s
    )  # fmt: skip


def append(path: Path, row: Row) -> None:
    """Add a row to a CSV file, with a header if the file is new."""
    is_new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file; none if it does not exist."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def show(rows: Sequence[Row]) -> None:
    """Print rows as a Markdown table; nothing if there are none."""
    if rows:
        lines = [list(rows[0]), ["---"] * len(rows[0]), *([str(value) for value in row.values()] for row in rows)]
        print("\n".join(f"| {' | '.join(cells)} |" for cells in lines), end="\n\n", flush=True)
