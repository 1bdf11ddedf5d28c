"""The events of a trace as columns: whole nanoseconds since its first event, and a category that no version renames."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import TypeGuard

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.analyse.kineto.reading.reader import Reading, TraceError
from bench.analyse.kineto.reading.wire import NO_ARGUMENTS, Event, Head

Integers = npt.NDArray[np.int64]

STEP = "ProfilerStep#"
MODULE = "nn.Module: "
ALLOCATION = "[memory]"
MOST_US = 4 * 10**15
"""The farthest moment and the longest duration that are read: beyond lies no date of this millennium."""
UNKNOWN = -1
MOST_INTEGER = 2**62


class Category(IntEnum):
    """What an event is, whichever torch wrote it."""

    OTHER = 0
    STEP = 1
    OPERATOR = 2
    ANNOTATION = 3
    RUNTIME = 4
    """A call of the device's runtime or driver, such as a launch."""
    KERNEL = 5
    COPY = 6
    SET = 7
    PYTHON = 8


DEVICE_WORK = (Category.KERNEL, Category.COPY, Category.SET)
CATEGORIES = {
    "cpu_op": Category.OPERATOR, "operator": Category.OPERATOR, "python": Category.OPERATOR,
    "user_annotation": Category.ANNOTATION, "runtime": Category.RUNTIME, "kernel": Category.KERNEL,
    "gpu_memcpy": Category.COPY, "memcpy": Category.COPY, "gpu_memset": Category.SET, "memset": Category.SET,
    "python_function": Category.PYTHON,
}  # fmt: skip
"""By the name in a trace, in small letters: torch 1.9 wrote `Operator`, `Kernel` and `Runtime`."""


def category_of(name: str, written: str) -> Category:
    """The category of an event with a name and with what is written as its category."""
    small = written.lower()
    found = CATEGORIES.get(small, Category.OTHER)
    if found in (Category.OPERATOR, Category.ANNOTATION) and name.startswith(STEP):
        return Category.STEP
    return Category.RUNTIME if small.endswith(("_runtime", "_driver")) else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """The complete events of a trace; arrays have a value an event. An unknown number is UNKNOWN, in floats NaN."""

    names: list[str]
    """The different names."""
    threads: list[tuple[str, str]]
    """The different processes and threads, or devices and streams."""
    shapes: list[str]
    """The different shapes of operators' inputs, as JSON."""
    hierarchies: list[str]
    """The different chains of TorchScript's modules."""
    name: Integers
    thread: Integers
    category: Integers
    begin_ns: Integers
    duration_ns: Integers
    external: Integers
    """The operator's number, which what it launched has too."""
    correlation: Integers
    """The number that a launch and its work on the device share."""
    shape: Integers
    hierarchy: Integers
    details: pd.DataFrame
    """A row an event of DEVICE_WORK, in their order: blocks_per_sm, occupancy (per cent)."""
    allocations: pd.DataFrame
    """A row a change of allocated memory: at_ns, thread, kind (0 the CPU), index, change, allocated, reserved."""

    @property
    def end_ns(self) -> Integers:
        """When each event ends."""
        return self.begin_ns + self.duration_ns

    def of(self, *categories: Category) -> Integers:
        """The events of some categories."""
        return np.flatnonzero(np.isin(self.category, categories))

    def named(self, events: Integers) -> list[str]:
        """The names of some events."""
        return [self.names[name] for name in self.name[events]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A trace as it was read."""

    path: Path
    head: Head
    events: Events
    titles: dict[tuple[str, str], str]
    """What the trace calls a process (with an empty thread) or a thread of it."""
    read: int
    """How many events were read, those that have no duration too."""
    left_out: int
    """How many events could not be read."""
    truncated: bool
    has_call_stacks: bool
    sums: dict[Category, tuple[int, Decimal]]
    """Number and microseconds of the events of each category, added one by one as they were read."""
    change_bytes: int
    """The sum of all changes of allocated memory, added likewise."""


COLUMNS = (
    "category", "name", "thread", "begin_ns", "duration_ns", "external", "correlation", "shape", "hierarchy",
)  # fmt: skip
ALLOCATED = ["at_ns", "thread", "kind", "index", "change", "allocated", "reserved"]


@dataclass
class Columns:
    """Gathers events."""

    numbers: dict[str, dict[str, int]] = field(default_factory=dict)
    columns: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in COLUMNS})
    details: list[tuple[float, float]] = field(default_factory=list)
    allocations: list[tuple[int, ...]] = field(default_factory=list)
    threads: dict[tuple[str, str], int] = field(default_factory=dict)
    categories: dict[tuple[str, str], Category] = field(default_factory=dict)
    titles: dict[tuple[str, str], str] = field(default_factory=dict)
    sums: dict[Category, tuple[int, Decimal]] = field(default_factory=dict)
    change_bytes: int = 0
    read: int = 0
    left_out: int = 0
    has_call_stacks: bool = False

    def add(self, events: Iterable[Event]) -> None:
        """Add some events."""
        for event in events:
            self.read += 1
            if event.ph == "X":
                self._complete(event)
            elif event.name == ALLOCATION:
                self._allocation(event)
            elif event.ph == "M" and event.args and event.args.name is not None:
                thread = "" if event.name == "process_name" else str(event.tid)
                if event.name in ("process_name", "thread_name"):
                    self.titles[str(event.pid), thread] = event.args.name

    def _number(self, kind: str, text: str) -> int:
        """The number of a text among the different ones of its kind."""
        numbers = self.numbers.setdefault(kind, {})
        return numbers.setdefault(text, len(numbers))

    def _thread(self, event: Event) -> int:
        return self.threads.setdefault((str(event.pid), str(event.tid)), len(self.threads))

    def _complete(self, event: Event) -> None:
        """Add an event with a begin and a duration."""
        if not (is_time(event.ts) and is_time(event.dur) and event.dur >= 0):
            self.left_out += 1
            return
        key = event.name, event.cat or ""
        category = self.categories.get(key)
        if category is None:
            category = self.categories.setdefault(key, category_of(*key))
        args = event.args or NO_ARGUMENTS
        columns = self.columns
        columns["category"].append(category)
        columns["name"].append(self._number("name", event.name))
        columns["thread"].append(self._thread(event))
        columns["begin_ns"].append(nanoseconds(event.ts))
        columns["duration_ns"].append(nanoseconds(event.dur))
        external = args.external if args.external is not None else args.external_of_old
        columns["external"].append(integer(external))
        columns["correlation"].append(integer(args.correlation))
        dims = bytes(args.dims) or bytes(args.dims_of_old)
        columns["shape"].append(self._number("shape", dims.decode()) if dims else UNKNOWN)
        columns["hierarchy"].append(self._number("hierarchy", args.hierarchy) if args.hierarchy else UNKNOWN)
        self.has_call_stacks |= bool(args.call_stack) or category == Category.PYTHON
        if category in DEVICE_WORK:
            self.details.append((real(args.blocks_per_sm), real(args.occupancy)))
        count, total = self.sums.get(category, (0, Decimal(0)))
        self.sums[category] = count + 1, total + event.dur

    def _allocation(self, event: Event) -> None:
        """Add a change of allocated memory."""
        args = event.args
        if not is_time(event.ts) or args is None or args.change is None or abs(args.change) > MOST_INTEGER:
            self.left_out += 1
            return
        device = integer(args.device_type or 0), integer(args.device_id)
        totals = integer(args.allocated), integer(args.reserved)
        self.change_bytes += args.change
        self.allocations.append((nanoseconds(event.ts), self._thread(event), *device, args.change, *totals))

    def events(self) -> Events:
        """All of them, with their times since the first."""
        arrays = {name: np.array(self.columns.pop(name), dtype=np.int64) for name in COLUMNS}
        memory = pd.DataFrame(self.allocations, columns=ALLOCATED, dtype=np.int64)
        first = min(int(moments.min()) for moments in (arrays["begin_ns"], memory.at_ns) if len(moments))
        arrays["begin_ns"] -= first
        memory["at_ns"] -= first
        texts = {kind: list(self.numbers.get(kind, {})) for kind in ("name", "shape", "hierarchy")}
        return Events(
            names=texts["name"],
            threads=list(self.threads),
            shapes=[plain_shape(text) for text in texts["shape"]],
            hierarchies=texts["hierarchy"],
            details=pd.DataFrame(self.details, columns=["blocks_per_sm", "occupancy"], dtype=float),
            allocations=memory.sort_values("at_ns", kind="stable", ignore_index=True),
            **arrays,
        )


def load(path: Path) -> Trace:
    """The trace of a file. Raises TraceError if it is none or has no complete event, OSError if it can't be read."""
    reading, columns = Reading(path), Columns()
    for batch in reading.batches():
        columns.add(batch)
    if not columns.columns["name"]:
        words = f"it ends after {columns.read} events, and none" if reading.truncated else "none of its events"
        msg = f"{path}: {words} has a begin and a duration"
        raise TraceError(msg)
    return Trace(
        path=path,
        head=reading.head,
        events=columns.events(),
        titles=columns.titles,
        read=columns.read,
        left_out=columns.left_out + reading.left_out,
        truncated=reading.truncated,
        has_call_stacks=columns.has_call_stacks,
        sums=columns.sums,
        change_bytes=columns.change_bytes,
    )


def is_time(value: Decimal | None) -> TypeGuard[Decimal]:
    """Whether a value is a number of microseconds that an array can hold."""
    return value is not None and value.is_finite() and abs(value) <= MOST_US


def nanoseconds(microseconds: Decimal) -> int:
    """Microseconds as whole nanoseconds."""
    return round(microseconds * 1000)


def integer(value: int | str | None) -> int:
    """An argument as a number; UNKNOWN if it is none. torch 1.9 wrote numbers as text."""
    if isinstance(value, str):
        value = int(value) if value.isdecimal() and len(value) < 19 else None
    return UNKNOWN if value is None or abs(value) > MOST_INTEGER else value


def real(value: float | None) -> float:
    """An argument as a float; NaN if it is none."""
    return float("nan") if value is None or abs(value) > MOST_INTEGER else float(value)


def plain_shape(text: str) -> str:
    """Shapes without their line breaks: `[[2,3],[]]` as `[2, 3], []`."""
    packed = "".join(text.split())
    inner = packed[1:-1] if packed.startswith("[") and packed.endswith("]") else packed
    return inner.replace(",", ", ")
