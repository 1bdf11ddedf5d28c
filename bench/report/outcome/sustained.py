"""The section of what a GPU trains in one long stretch, and with how much energy, beside its rate in the rounds."""

import math

import pandas as pd

from bench.analyse import tables
from bench.analyse.labels import label
from bench.analyse.load import RunData
from bench.plan.schedule import SUSTAINED_S
from bench.report.document import Paragraph, Section, Table
from bench.report.page import Report
from bench.report.words import number

WORDS = (
    f"*Sustained*: over the last half of one stretch of {SUSTAINED_S:.0f} s or more, in a process of its own. "
    "*Change*: since the first half second of that stretch; a GPU that reaches the limit of its power, or of its heat, "
    "is slower after a while. *Energy* is that of the whole board by its own counter, over the stretch; it leaves out "
    "CPU and memory. An empty cell was not reported. Only the rounds give verdicts."
)


def section(report: Report) -> Section | None:
    """A row a variant that had a sustained stretch; nothing if none had."""
    frame = table(report.data, report.steps)
    if frame.empty:
        return None
    unit = tables.unit_of(report.data)
    rows = [
        {
            "variant": label(report.data, row["variant_id"]),
            f"{unit}/s": number(row["items_per_s"]),
            f"{unit}/s, sustained": number(row["sustained_items_per_s"]),
            "change": signed_percent(row["change"]),
            "J a step": number(row["energy_j"]),
            f"{unit} a J": number(row["items_per_j"]),
        }
        for row in frame.to_dict("records")
    ]
    return Section("Sustained, and its energy", [Table.of(rows), Paragraph(WORDS)])


def write_table(report: Report) -> None:
    """Write sustained.csv, if a variant had a sustained stretch."""
    frame = table(report.data, report.steps)
    if not frame.empty:
        report.table("sustained", frame)


def table(data: RunData, steps: pd.DataFrame) -> pd.DataFrame:
    """sustained.csv: a row a variant that had a sustained stretch; its energy is NaN if NVML reported none."""
    metrics = {"sustained_begin_s": "sustained_begin", "sustained_s": "sustained", "energy_j": "energy"}
    rows = [
        {"variant_id": row.variant_id, "items_per_s": row.items_per_s, "items": tables.items_of(data, row.variant_id)}
        | {name: data.spread(row.variant_id, metric, "process").estimate for name, metric in metrics.items()}
        for row in steps.itertuples()
    ]
    frame = pd.DataFrame(rows).dropna(subset="sustained_s")
    return frame.assign(
        sustained_items_per_s=frame["items"] / frame.sustained_s,
        change=frame.sustained_begin_s / frame.sustained_s - 1,
        items_per_j=frame["items"] / frame.energy_j,
    )


def signed_percent(share: float) -> str:
    """A change in whole per cent with its sign; `0 %` if it is less than half of one, empty if it is not finite."""
    if not math.isfinite(share):
        return ""
    return f"{round(100 * share):+d} %" if round(100 * share) else "0 %"
