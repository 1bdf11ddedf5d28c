"""The section on where a step goes, by phase."""

import math
from functools import partial

from bench.analyse import tables
from bench.analyse.labels import label
from bench.report.answer import advice
from bench.report.document import Figure, Paragraph, Section, Table, paragraphs
from bench.report.figures import plots
from bench.report.outcome import bound
from bench.report.page import Report
from bench.report.words import percent, seconds

TITLE = "Where a step goes"
STAMPED_WORDS = (
    "*Stamped* steps carry a time stamp at the border of every layer and phase; the plain ones, which give the speeds, "
    "carry none. *h2d* moves the batch to the device; "
)
TRAIN_WORDS = (
    "*optimizer* includes zeroing the gradients; *read* is the loss{hits}, read at every step if `sync` is `step`."
)
HITS = " and the number of right answers"
INFER_WORDS = "*forward* is the call of the model; *read* is what follows it in a step."


def section(report: Report) -> Section | None:
    """Where a step goes, by phase; and what the page faults cost."""
    data, steps = report.data, report.steps
    names = tables.phases_of(data)
    shown = steps.dropna(subset=[f"{phase}_s" for phase in names], how="all")
    if (shown.n > 0).any():
        shown = shown[shown.n > 0]  # one trial of the pilot is too noisy to split
    fault_words = paragraphs(advice.page_fault_sentences(data, steps))
    if shown.empty:
        return Section(TITLE, fault_words) if fault_words else None
    rows = []
    for row in shown.to_dict("records"):
        phases = {p: row[f"{p}_s"] for p in names if not math.isnan(row[f"{p}_s"])}
        total = sum(phases.values())
        shares = {phase: percent(value / total) for phase, value in phases.items()}
        if not math.isnan(row["launch_gaps_s"]):
            shares["launch gaps"] = f"+{percent(row['launch_gaps_s'] / total)}"
        rows.append({"variant": label(data, row["variant_id"]), "stamped step": seconds(total)} | shares)
    figure = Figure("phases", partial(plots.phases, data, shown), "seconds a step by phase")
    of_mode = INFER_WORDS if data.infers else TRAIN_WORDS.format(hits="" if data.run.inputs.task else HITS)
    words = STAMPED_WORDS + of_mode + bound.gap_words(data, shown)
    return Section(TITLE, [Table.of(rows), Paragraph(words), *fault_words, figure])
