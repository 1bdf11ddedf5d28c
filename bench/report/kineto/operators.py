"""The operators by the time that they took themselves."""

from bench.analyse.kineto.found import Found
from bench.report.document import Block, Fold, Section, explained
from bench.report.kineto.rows import Cell, blocks, share_of
from bench.report.words import count, seconds


def section(found: Found, _: str) -> Section | None:
    """The operators with most time; nothing if the trace has none."""
    table = found.operators
    if table.empty:
        return None
    cells: dict[str, tuple[str, Cell]] = {
        "operator": ("operator", str),
        "shapes": ("shapes", str),
        "calls": ("calls", count),
        "host_self_s": ("self host time", share_of(float(table.host_self_s.sum()))),
        "host_s": ("total host time", seconds),
        "device_self_s": ("self device time", share_of(float(table.device_self_s.sum()))),
        "device_s": ("total device time", seconds),
    }
    inner: list[Block] = []
    if len(found.by_shapes):
        inner = [Fold("By name and shapes", blocks(found.by_shapes, cells, "row", "operators_by_shapes"))]
    words = (
        "Over the whole trace. Self time leaves out the operators that an operator called; total time has them, so a "
        "call within a call of the same name counts twice in it."
    )
    if table.device_self_s.any():
        words += " Device time is that of the kernels, copies and sets that the operator launched."
    return Section("Operators", [*blocks(table, cells, "operator", "operators"), *inner, explained(words)])
