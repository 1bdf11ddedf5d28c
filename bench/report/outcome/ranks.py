"""The sections of models that several processes train: how speed grows with them, and what each of them does."""

from collections.abc import Callable
from functools import partial

import pandas as pd

from bench.analyse import tables
from bench.analyse.labels import label
from bench.report.answer import answer
from bench.report.document import Block, Figure, Note, Paragraph, Section, Table, explained
from bench.report.figures import plots_steps
from bench.report.page import Report
from bench.report.words import count, interval, number, seconds, size

SCALING_WORDS = (
    "*Speedup*: {unit} a second of all ranks together, over one process with the same settings. *Efficiency*: the "
    "speedup divided by the ranks; 1 if each rank is as fast as one process alone. A cell without brackets has too few "
    "rounds for an interval. On a CPU the ranks share the cores that one process had for itself."
)
TOO_GOOD = (
    "**An efficiency above 1 is no gain of ranks**: here one process alone was held back, most often by its threads on "
    "a machine that other work uses too. Measure again, or give each process one thread by `--axis threads=1`."
)
TOO_GOOD_FROM = 1.1
NO_MEMORY = "Memory was not measured: looks and short budgets leave it out."
RANKS_WORDS = (
    "Seconds a step. *closure*: the sum of the rank's parts over its plain step. *collectives*: gradients are being "
    "averaged (with FSDP: parameters gathered and gradients scattered), beside backward or after it. *exposed*: the "
    "part of it in which this rank computes nothing meanwhile. *waits for a slower rank*: the part of that in which "
    "another rank was not ready: the slow rank is the one that waits least. *allocator peak*: the most that torch had "
    "allocated in a step; *process peak* also holds Python and libraries, about as much in each rank. An empty "
    "cell was not measured. What each layer takes in each rank is in tables/rank_layers.csv."
)


def scaling_section(report: Report) -> Section | None:
    """How speed grows with ranks, if a run has a variant of several ranks beside one of a single process."""
    frame = tables.scaling(report.data)
    if frame.empty:
        return None
    unit = tables.unit_of(report.data)
    rates = report.steps.set_index("variant_id").items_per_s
    rows = [
        {
            "variant": row.variant,
            "ranks": count(row.ranks),
            f"{unit}/s": number(rates[row.variant_id]),
            "beside": row.alone,
            "speedup": interval(row.speedup, row.speedup_lo, row.speedup_hi),
            "efficiency": interval(row.efficiency, row.efficiency_lo, row.efficiency_hi),
        }
        for row in frame.itertuples()
    ]
    blocks: list[Block] = [Table.of(rows), explained(SCALING_WORDS.format(unit=unit))]
    blocks += [Note(TOO_GOOD)] if (frame.efficiency > TOO_GOOD_FROM).any() else []
    families = answer.families(report.data, report.steps, "world_size")
    place = partial(answer.place, report.data, axis="world_size")
    draw = partial(plots_steps.curves, report.steps, families, place, "ranks")
    blocks += [Figure("scaling", draw, f"{unit} a second by ranks")] if families else []
    return Section("Scaling", blocks)


def section(report: Report) -> Section | None:
    """A row a rank of each variant that has several, with what was measured of any; nothing if none has."""
    frame = tables.ranks(report.data)
    if frame.empty:
        return None
    of_rank: dict[str, tuple[str, Callable[[float], str]]] = {
        "step": ("step_s", seconds),
        "closure": ("closure", number),
        "forward": ("forward_s", seconds),
        "backward": ("backward_s", seconds),
        "collectives": ("collective_s", seconds),
        "exposed": ("communication_s", seconds),
        "waits for a slower rank": ("skew_s", seconds),
        "allocator peak": ("allocator_peak_bytes", size),
        "process peak": ("process_peak_bytes", size),
    }
    measured = frame.dropna(axis="columns", how="all").columns
    rows = [
        {"variant": label(report.data, row["variant_id"]), "rank": str(row["rank"])}
        | {name: words(row[column]) for name, (column, words) in of_rank.items() if column in measured}
        for row in frame.to_dict("records")
    ]
    missing = [] if frame.process_peak_bytes.notna().any() else [Paragraph(NO_MEMORY)]
    return Section("Ranks", [Table.of(rows), explained(RANKS_WORDS), *missing])


def write_tables(report: Report) -> None:
    """Write the tables of ranks that have a row."""
    frames: dict[str, Callable[..., pd.DataFrame]] = {
        "scaling": tables.scaling, "ranks": tables.ranks, "rank_layers": tables.rank_layers,
    }  # fmt: skip
    for name, table in frames.items():
        if not (frame := table(report.data)).empty:
            report.table(name, frame)
