"""Compares the totals of the tables with plain sums over the events.

The sums of durations are those that were added as each event was read, before there were columns, links or nesting.
"""

import heapq
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

import pandas as pd

from bench.analyse.kineto.kernels import KINDS
from bench.analyse.kineto.reading.events import DEVICE_WORK, Category, Events, Integers, Trace
from bench.analyse.kineto.steps import Part, Steps, kinds_of

TOLERANCE_US = 1.0


@dataclass(frozen=True, slots=True)
class Check:
    """A total of a table, and the sum that it should be; in microseconds, bytes or calls."""

    what: str
    unit: str
    table: float
    plain: float

    @property
    def passed(self) -> bool:
        """Whether they are the same, times to the microsecond."""
        return abs(self.table - self.plain) <= (TOLERANCE_US if self.unit == "us" else 0)


def of_operators(trace: Trace, table: pd.DataFrame) -> list[Check]:
    """The table of operators against the operators' calls, durations, and threads."""
    events = trace.events
    calls, total_us = trace.sums.get(Category.OPERATOR, (0, Decimal(0)))
    work_us = sum((trace.sums.get(kind, (0, Decimal(0)))[1] for kind in DEVICE_WORK), Decimal(0))
    return [
        Check("calls of operators", "calls", float(table.calls.sum()), calls),
        Check("host time of operators", "us", table.host_s.sum() * 1e6, float(total_us)),
        Check("self host time of operators", "us", table.host_self_s.sum() * 1e6, union_us(events, Category.OPERATOR)),
        Check("self device time of operators", "us", table.device_self_s.sum() * 1e6, float(work_us)),
    ]


def of_kernels(trace: Trace, table: pd.DataFrame) -> list[Check]:
    """The table of kernels against the calls and durations of each kind."""
    checks = []
    for category, kind in KINDS.items():
        calls, total_us = trace.sums.get(category, (0, Decimal(0)))
        rows = table[table.kind == kind]
        if calls:
            checks.append(Check(f"calls of {kind}", "calls", float(rows.calls.sum()), calls))
            checks.append(Check(f"time of {kind}", "us", rows.total_s.sum() * 1e6, float(total_us)))
    return checks


def of_steps(trace: Trace, steps: Steps) -> list[Check]:
    """The parts of the steps against their durations, and against a walk from event to event."""
    walked = walk(trace.events, steps)
    checks = [Check("parts of the steps", "us", sum(map(total_us, steps.parts.values())), total_us(steps.duration_ns))]
    return checks + [
        Check(f"{part} in the steps", "us", total_us(found), walked[part] / 1e3) for part, found in steps.parts.items()
    ]


def of_memory(trace: Trace, table: pd.DataFrame) -> list[Check]:
    """The table of memory against the changes."""
    if table.empty:
        return []
    return [Check("bytes of operators", "bytes", float(table.kept_bytes.sum()), trace.change_bytes)]


def total_us(nanoseconds: Integers) -> float:
    """A sum in microseconds."""
    return float(nanoseconds.sum()) / 1e3


def union_us(events: Events, category: Category) -> float:
    """Microseconds in which an event of a category was under way, for each thread by itself."""
    chosen = events.of(category)
    columns = (events.thread[chosen], events.begin_ns[chosen], events.end_ns[chosen])
    summed, last, reached = 0, None, 0
    for thread, begin, end in sorted(zip(*(column.tolist() for column in columns), strict=True)):
        if thread != last:
            last, reached = thread, begin
        summed += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return summed / 1e3


def walk(events: Events, steps: Steps) -> Counter[Part]:
    """Nanoseconds of each part, by one walk over the begins of all events with a heap of those under way."""
    spent: Counter[Part] = Counter()
    order = list(Part)
    edges = []
    for part, chosen in kinds_of(events).items():
        rank = order.index(part)
        begins, ends = events.begin_ns[chosen].tolist(), events.end_ns[chosen].tolist()
        edges += [(begin, end, rank) for begin, end in zip(begins, ends, strict=True)]
    edges.sort()
    at = 0
    open_ones: list[tuple[int, int]] = []  # rank and end
    for begin, end in zip(steps.begin_ns.tolist(), steps.end_ns.tolist(), strict=True):
        now = begin
        while now < end:
            while at < len(edges) and edges[at][0] <= now:
                heapq.heappush(open_ones, (edges[at][2], edges[at][1]))
                at += 1
            while open_ones and open_ones[0][1] <= now:
                heapq.heappop(open_ones)
            until = min(end, edges[at][0] if at < len(edges) else end, open_ones[0][1] if open_ones else end)
            spent[order[open_ones[0][0]] if open_ones else Part.OTHER] += until - now
            now = until
    return spent
