"""The section on what a step holds in memory."""

from functools import partial

from bench.analyse.labels import label
from bench.core.axes.world_size import ALONE
from bench.core.metrics.metric import MetricTable
from bench.core.metrics.registry import in_table
from bench.report.document import Figure, Section, Table, explained
from bench.report.figures import plots_memory
from bench.report.layers import peak
from bench.report.page import Report
from bench.report.words import size


def section(report: Report) -> Section | None:
    """What a step holds and its peaks, a row a variant."""
    table = report.memory
    if table.empty:
        return None
    names = {metric.in_table: metric.name.replace("_", " ") for metric in in_table(MetricTable.MEMORY)}
    shown = table.dropna(axis="columns", how="all")
    names |= {"saved_bytes": "saved for backward"} if "saved_bytes" in names else {}
    rows = [
        {"variant": label(report.data, row["variant_id"])}
        | {names[c]: size(row[c]) for c in shown.columns if c in names}
        for row in shown.to_dict("records")
    ]
    words = (
        "Each from a process of its own. *Saved for backward* is what the forward pass keeps; *allocator peak* "
        "the most that torch had allocated in a step; *process peak* on a CPU the most resident memory of the "
        "whole process, Python and libraries included. An empty cell was not measured."
    )
    several = any(report.data.variants[v].world_size > ALONE for v in table.variant_id)
    words += " Of several ranks it is the sum; the section *Ranks* has each one's." if several else ""
    figure = Figure("memory", partial(plots_memory.memory, report.data, table), "memory of a step")
    return Section("Memory", [Table.of(rows), figure, explained(words), *peak.blocks(report.data)])
