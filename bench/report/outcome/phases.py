"""The section on where a step goes, by phase."""

import math
from collections.abc import Sequence
from functools import partial

import pandas as pd

from bench.analyse import tables
from bench.analyse.labels import label
from bench.core.traces import COMMUNICATION
from bench.report.answer import advice
from bench.report.document import Figure, Section, Table, explained, paragraphs
from bench.report.figures import plots_steps
from bench.report.outcome import bound
from bench.report.page import Report
from bench.report.words import Number, percent, seconds

TITLE = "Where a step goes"
LEAST_SHARE = 0.0005
STAMPED_WORDS = (
    "*Instrumented* (or *stamped*) steps carry a time stamp at the border of every layer and phase; the plain ones, "
    "which give the speeds, carry none. *h2d* moves the batch to the device; "
)
TRAIN_WORDS = (
    "*optimizer* includes zeroing the gradients; *read* is the loss{hits}, read at every step if `sync` is `step`."
)
HITS = " and the number of right answers"
RANKS_WORDS = (
    " *communication* is what is left of averaging the gradients of several processes when backward has computed all "
    "of its own."
)
LEFT_OUT = " Phases below 0.05 % in every variant are only in tables/steps.csv."
INFER_WORDS = "*forward* is the call of the model; *read* is what follows it in a step."


def section(report: Report) -> Section | None:
    """Where a step goes, by phase; and what the page faults cost."""
    data, steps = report.data, report.steps
    names = [phase for phase in tables.phases_of(data) if steps[f"{phase}_s"].notna().any()]
    shown = steps.dropna(subset=[f"{phase}_s" for phase in names], how="all") if names else steps.head(0)
    if (shown.n > 0).any():
        shown = shown[shown.n > 0]  # one trial of the pilot is too noisy to split
    fault_words = paragraphs(advice.page_fault_sentences(data, steps))
    if shown.empty:
        return Section(TITLE, fault_words) if fault_words else None
    worth_showing, rows = heavy_phases(shown, names), []
    for row in shown.to_dict("records"):
        phases = {p: row[f"{p}_s"] for p in names if not math.isnan(row[f"{p}_s"])}
        total = sum(phases.values())
        parts = {phase: with_share(value, total) for phase, value in phases.items() if phase in worth_showing}
        if not math.isnan(row["launch_gaps_s"]):
            parts["launch gaps"] = with_share(row["launch_gaps_s"], total, sign="+")
        rows.append({"variant": label(data, row["variant_id"]), "instrumented step": seconds(total)} | parts)
    figure = Figure("phases", partial(plots_steps.phases, data, shown), "seconds a step by phase")
    of_mode = INFER_WORDS if data.infers else TRAIN_WORDS.format(hits="" if data.run.inputs.task else HITS)
    left_out = "" if len(worth_showing) == len(names) else LEFT_OUT
    of_ranks = RANKS_WORDS if COMMUNICATION in worth_showing else ""
    words = STAMPED_WORDS + of_mode + of_ranks + left_out
    return Section(
        TITLE, [Table.of(rows), figure, *paragraphs(bound.gap_words(data, shown)), *fault_words, explained(words)]
    )


def with_share(part_s: float, total_s: float, sign: str = "") -> str:
    """Seconds with their share of the step: 241 ms (36 %)."""
    return Number(f"{sign}{seconds(part_s)} ({percent(part_s / total_s)})", part_s)


def heavy_phases(steps: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """The phases that take at least LEAST_SHARE of the step in some variant: the others would be columns of zeros."""
    phases = steps[[f"{name}_s" for name in names]]
    shares = phases.div(phases.sum(axis=1), axis=0).max()
    return [name for name in names if shares[f"{name}_s"] >= LEAST_SHARE]
