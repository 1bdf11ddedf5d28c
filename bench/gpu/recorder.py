"""What a step reports while it runs, a line of JSON each.

What it reports before it fails, or runs out of time, is kept.
"""

import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.gpu.checks import ANY, Bounds, Check, Status, as_json, from_json, judged
from bench.gpu.plan import Need


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a step is asked to do."""

    step: str
    rehearse: bool
    """On the CPU and with tiny sizes."""
    limit_s: float
    """When its process is ended."""
    scratch: Path
    """A folder for the files that it leaves, the same for all steps."""
    all_tests: bool = False
    """Whether to run every test marked `gpu`, not only one of each mechanism."""

    @property
    def device(self) -> str:
        """Where it measures."""
        return "cpu" if self.rehearse else "cuda"


class Recorder:
    """Writes what a step reports, each line at once."""

    def __init__(self, task: Task, path: Path) -> None:
        self.task, self.path = task, path
        self._before = time.monotonic()

    def check(
        self,
        name: str,
        measured: float,
        bounds: Bounds = ANY,
        unit: str = "1",
        *,
        of_gpu: bool = True,
        reason: str = "",
    ) -> None:
        """Write the check of a number that was measured. `of_gpu` says that only a GPU can show whether it holds.

        In a rehearsal, such a check without a number is skipped.
        """
        if self.task.rehearse and of_gpu and math.isnan(measured):
            self.skip(name, reason or "there is no GPU in a rehearsal to measure it on")
            return
        status = judged(measured, bounds, rehearsed=self.task.rehearse and of_gpu)
        self._write_check(name, status, measured=measured, bounds=bounds, unit=unit, reason=reason)

    def skip(self, name: str, reason: str) -> None:
        """Write that something was not measured, and why."""
        self._write_check(name, Status.SKIPPED, reason=reason)

    def fact(self, name: str, value: object) -> None:
        """Write a fact about the machine, if it is known. A fact has no bounds."""
        if value is not None:
            self._write({"fact": name, "value": str(value)})

    def has(self, need: Need) -> None:
        """Write that something which later steps need is here."""
        self._write({"has": need.value})

    def _write_check(
        self,
        name: str,
        status: Status,
        *,
        measured: float = math.nan,
        bounds: Bounds = ANY,
        unit: str = "",
        reason: str = "",
    ) -> None:
        now = time.monotonic()
        seconds, self._before = now - self._before, now
        check = Check(
            step=self.task.step, check=name, bounds=bounds, measured=measured, unit=unit, status=status,
            seconds=seconds, reason=reason,
        )  # fmt: skip
        self._write(as_json(check))

    def _write(self, line: dict[str, object]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


@dataclass(slots=True)
class Outcome:
    """What a step reported."""

    checks: list[Check] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    has: set[Need] = field(default_factory=set)


def read(path: Path) -> Outcome:
    """Returns what a step reported. A last line that was cut short is left out."""
    outcome = Outcome()
    for line in _objects(path):
        if "fact" in line:
            outcome.facts[str(line["fact"])] = str(line["value"])
        elif "has" in line:
            outcome.has.add(Need(str(line["has"])))
        else:
            outcome.checks.append(from_json(line))
    return outcome


def _objects(path: Path) -> Iterator[dict[str, object]]:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    for line in text.splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)
