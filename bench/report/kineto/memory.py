"""Allocated memory over time, and the operators that allocated it."""

from functools import partial

from bench.analyse.kineto.found import Found
from bench.analyse.kineto.memory import Curve
from bench.report.document import Bullets, Figure, Fold, Section
from bench.report.figures import plots_trace
from bench.report.kineto.rows import Cell, blocks
from bench.report.words import count, seconds, size


def section(found: Found, ending: str) -> Section | None:
    """The curve of each device with its peak; nothing if no memory is recorded."""
    if not found.curves:
        return None
    cells: dict[str, tuple[str, Cell]] = {
        "operator": ("operator", str),
        "device": ("device", str),
        "allocations": ("allocations", count),
        "allocated_bytes": ("allocated", size),
        "freed_bytes": ("freed", size),
        "kept_bytes": ("kept", size),
    }
    figure = Figure(
        f"memory{ending}", partial(plots_trace.memory, found.curves), "allocated memory over the trace, for each device"
    )
    by_operator = blocks(found.allocated, cells, "operator", "memory_by_operator")
    return Section("Memory", [Bullets([*map(peak, found.curves)]), figure, Fold("By operator", by_operator)])


def peak(curve: Curve) -> str:
    """The peak of a curve in words."""
    base = "more than as the trace began, which has no totals" if curve.since_the_trace_began else "allocated"
    return f"{curve.device}: at most {size(curve.peak_bytes)} {base}, {seconds(curve.peak_at_s)} into the trace."
