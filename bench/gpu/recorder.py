"""What a step tells while it runs, a line of JSON each: what is told before it fails or runs out of time is kept."""

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
    """A folder for what it leaves behind, the same for all steps."""

    @property
    def device(self) -> str:
        """Where it measures."""
        return "cpu" if self.rehearse else "cuda"


class Recorder:
    """Writes what a step finds, each line at once."""

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
        """Write a check of a number that was measured; `of_gpu` where only a GPU can tell whether it holds.

        What a rehearsal has no number of was not measured: it is skipped.
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
        """Write what the machine is or does, if it is known: no number that must lie anywhere."""
        if value is not None:
            self._write({"fact": name, "value": str(value)})

    def has(self, need: Need) -> None:
        """Write that what some steps need is here."""
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
        found = Check(
            step=self.task.step, check=name, bounds=bounds, measured=measured, unit=unit, status=status,
            seconds=seconds, reason=reason,
        )  # fmt: skip
        self._write(as_json(found))

    def _write(self, told: dict[str, object]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")


@dataclass(slots=True)
class Told:
    """What a step told."""

    checks: list[Check] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    has: set[Need] = field(default_factory=set)


def read(path: Path) -> Told:
    """What a step wrote; a line that its end cut short is left out."""
    told = Told()
    for line in _objects(path):
        if "fact" in line:
            told.facts[str(line["fact"])] = str(line["value"])
        elif "has" in line:
            told.has.add(Need(str(line["has"])))
        else:
            told.checks.append(from_json(line))
    return told


def _objects(path: Path) -> Iterator[dict[str, object]]:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    for line in text.splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)
