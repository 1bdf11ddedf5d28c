"""What ran on the device."""

from bench.analyse.kineto.found import Found
from bench.report.document import Section, explained
from bench.report.kineto.rows import Cell, blocks, share_of
from bench.report.words import count, number, seconds


def section(found: Found, _: str) -> Section | None:
    """The kernels, copies and sets with most time; nothing if nothing ran on a device."""
    table = found.kernels
    if table.empty:
        return None
    table = table.assign(
        launched_by=[
            name if launchers < 2 else f"{name} and {launchers - 1} more"
            for name, launchers in zip(table.launched_by, table.launchers, strict=True)
        ]
    )
    cells: dict[str, tuple[str, Cell]] = {
        "kernel": ("kernel", str),
        "kind": ("kind", str),
        "calls": ("calls", count),
        "total_s": ("total", share_of(float(table.total_s.sum()))),
        "mean_s": ("mean", seconds),
        "min_s": ("least", seconds),
        "max_s": ("most", seconds),
        "launched_by": ("launched by", str),
        "blocks_per_sm": ("blocks per SM", number),
        "occupancy": ("est. occupancy %", number),
    }
    words = (
        "Over the whole trace. *Launched by* is the operator that launched it most often. Blocks per SM and the "
        "estimated occupancy are the profiler's own, as means weighted by time."
    )
    return Section("Kernels", [*blocks(table, cells, "kernel", "kernels"), explained(words)])
