"""A check: a number, the bounds that it must lie within, and its outcome."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bench.core.text import stored

COLUMNS = ("step", "check", "expected", "measured", "unit", "status", "seconds", "reason")
"""Of checks.csv."""


class Status(StrEnum):
    """The outcome of a check."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not measured, for the reason beside it."""
    ERROR = "error"
    """Its step ended before it could be measured."""
    REHEARSED = "rehearsed"
    """Run on the CPU in place of a GPU: it says nothing about a GPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """From where to where a number may lie, both ends included."""

    lo: float = -math.inf
    hi: float = math.inf

    def hold(self, value: float) -> bool:
        """Whether a number lies within. NaN never does."""
        return self.lo <= value <= self.hi

    @property
    def words(self) -> str:
        """`at least 1`, `at most 0`, `0.9 to 1.1`, `7968664`; empty if any number will do."""
        lo, hi = number(self.lo), number(self.hi)
        if math.isinf(self.lo) and math.isinf(self.hi):
            return ""
        if math.isinf(self.hi):
            return f"at least {lo}"
        if math.isinf(self.lo):
            return f"at most {hi}"
        return lo if self.lo == self.hi else f"{lo} to {hi}"


ANY = Bounds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of checks.csv."""

    step: str
    check: str
    bounds: Bounds = ANY
    measured: float = math.nan
    unit: str = ""
    status: Status
    seconds: float = math.nan
    """How long it took to reach it."""
    reason: str = ""

    def row(self) -> dict[str, str]:
        """The line's fields by column; empty if not known."""
        return {
            "step": stored(self.step),
            "check": stored(self.check),
            "expected": self.bounds.words,
            "measured": number(self.measured),
            "unit": stored(self.unit),
            "status": self.status.value,
            "seconds": "" if math.isnan(self.seconds) else f"{self.seconds:.2f}",
            "reason": stored(self.reason),
        }


def judged(measured: float, bounds: Bounds, *, rehearsed: bool) -> Status:
    """The status of a number that was measured."""
    if rehearsed:
        return Status.REHEARSED
    return Status.OK if bounds.hold(measured) else Status.FAILED


def number(value: float) -> str:
    """A number with six digits, a whole number with all of its digits; empty if not known."""
    if math.isnan(value):
        return ""
    return str(int(value)) if math.isfinite(value) and value == int(value) else f"{value:.6g}"


def as_csv(checks: Iterable[Check]) -> str:
    """checks.csv."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(check.row() for check in checks)
    return out.getvalue()


def as_json(check: Check) -> dict[str, object]:
    """A check as JSON holds it: without the bounds and numbers that are not known."""
    numbers = {"lo": check.bounds.lo, "hi": check.bounds.hi, "measured": check.measured, "seconds": check.seconds}
    texts = {"step": check.step, "check": check.check, "unit": check.unit, "reason": check.reason}
    return texts | {"status": check.status.value} | {n: v for n, v in numbers.items() if math.isfinite(v)}


def from_json(line: Mapping[str, Any]) -> Check:
    """The check that `as_json` wrote. Raises ValueError, KeyError or TypeError if it is something else."""
    return Check(
        step=str(line["step"]),
        check=str(line["check"]),
        bounds=Bounds(lo=float(line.get("lo", -math.inf)), hi=float(line.get("hi", math.inf))),
        measured=float(line.get("measured", math.nan)),
        unit=str(line["unit"]),
        status=Status(line["status"]),
        seconds=float(line.get("seconds", math.nan)),
        reason=str(line["reason"]),
    )


def tally(checks: Sequence[Check]) -> str:
    """`12 ok, 1 failed`: how many checks have each status."""
    counts = {status: sum(check.status is status for check in checks) for status in Status}
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count) or "no checks"
