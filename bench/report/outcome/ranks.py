"""The section of what each of several processes that train one model does, and how long it waits for the others."""

from bench.analyse import tables
from bench.analyse.labels import label
from bench.report.document import Section, Table, explained
from bench.report.page import Report
from bench.report.words import seconds

WORDS = (
    "*all-reduce*: at least one bucket of gradients is being averaged, beside backward or after it. *exposed*: the "
    "part of it in which this rank has nothing more to compute. *waits for a slower rank*: the part of that in which "
    "another rank had not made its last gradients yet. Seconds a step, by instrumented steps; the plain step is the "
    "rank's own."
)


def section(report: Report) -> Section | None:
    """A row a rank of each variant that has several; nothing if none has."""
    frame = tables.ranks(report.data)
    if frame.empty:
        return None
    rows = [
        {
            "variant": label(report.data, row["variant_id"]),
            "rank": str(row["rank"]),
            "step": seconds(row["step_s"]),
            "all-reduce": seconds(row["all_reduce_s"]),
            "exposed": seconds(row["communication_s"]),
            "waits for a slower rank": seconds(row["skew_s"]),
        }
        for row in frame.to_dict("records")
    ]
    return Section("Ranks", [Table.of(rows), explained(WORDS)])


def write_table(report: Report) -> None:
    """Write ranks.csv, if a variant has several ranks."""
    frame = tables.ranks(report.data)
    if not frame.empty:
        report.table("ranks", frame)
