"""What bounds a step on a GPU: the device's own work, or the host that gives it."""

import math
from typing import Any

import pandas as pd

from bench.analyse.labels import named
from bench.analyse.load import RunData, variant_axes
from bench.core.variants import from_row
from bench.report.document import Block, Paragraph, paragraphs
from bench.report.words import seconds

SHARE = 0.9
BACKLOGS = 4
"""The first schema that stamps steps after a backlog if the device has a queue."""


def blocks(data: RunData, steps: pd.DataFrame) -> list[Block]:
    """A paragraph for each launch-bound variant, then what bounds the others, as far as it is known."""
    rows = list(steps.itertuples())
    bound = [row for row in rows if launch_bound(data, row)]
    sentences = paragraphs(launch_bound_words(data, row) for row in bound)
    return sentences + balance(data, [row for row in rows if row not in bound])


def launch_bound(data: RunData, row: Any) -> bool:  # noqa: ANN401 - a row of the steps table
    """Whether the device is known to wait for the host for a tenth of the step or more."""
    if not math.isnan(row.launch_gaps_s):
        return bool(row.launch_gaps_s >= (1 - SHARE) * row.step_s)
    # These steps were stamped from an idle start, so gaps and layers look alike. If a backlog did not hold, the host
    # waited for the device, or for room in its queue: then the host's time means nothing.
    no_backlog_held = data.run.schema_version >= BACKLOGS and from_row(variant_axes(data, row.variant_id)).queues
    return not no_backlog_held and bool(given_s(data, row) >= SHARE * row.step_s)


def launch_bound_words(data: RunData, row: Any) -> str:  # noqa: ANN401
    """A sentence that a variant is launch-bound, with the times that show it."""
    lead = (
        f"**{named(data, row.variant_id)} is launch-bound**: giving the device its work takes "
        f"{seconds(given_s(data, row))} of a step of {seconds(row.step_s)}, so "
    )
    if math.isnan(row.launch_gaps_s):
        return lead + "its layers' times are mostly gaps."
    return lead + f"the device waits for the host for {seconds(row.launch_gaps_s)} of it."


def given_s(data: RunData, row: Any) -> float:  # noqa: ANN401
    """Seconds in which the host gives the device a step's work, without those in which it makes the batch."""
    on_device = from_row(variant_axes(data, row.variant_id)).loads_on_device or math.isnan(row.data_s)
    return float(row.dispatch_s - (0.0 if on_device else row.data_s))


def balance(data: RunData, rows: list[Any]) -> list[Block]:
    """Of the variants that are not launch-bound, those that the device bounds, and those as slow on host and device."""
    known = [row for row in rows if not math.isnan(row.launch_gaps_s)]
    ahead = [row for row in known if row.dispatch_s <= SHARE * row.step_s]
    parts: list[Block] = []
    for lead, group in (
        ("Bound by the device's own work, each step given sooner than done", ahead),
        ("Host and device about even", [row for row in known if row not in ahead]),
    ):
        words = (
            f"{named(data, row.variant_id)} (given in {seconds(row.dispatch_s)}, done in {seconds(row.step_s)})"
            for row in group
        )
        parts += [Paragraph(f"**{lead}**: {', '.join(words)}.")] if group else []
    return parts


def gap_words(data: RunData, shown: pd.DataFrame) -> list[str]:
    """What launch gaps are, and which variants' gaps are unknown; nothing if all are."""
    if not shown.launch_gaps_s.notna().any():
        return []
    on_gpu = shown.variant_id.map(lambda variant_id: data.variants[variant_id].kind.accelerates)
    idle = shown[on_gpu & shown.launch_gaps_s.isna()]
    text = (
        "Instrumented steps lie in the device's queue before it comes to them, so every part is the device's own time. "
        "*Launch gaps* come on top in plain steps: the device waits for work that the host has yet to give it."
    )
    if len(idle):
        names = ", ".join(named(data, variant_id) for variant_id in idle.variant_id)
        text += f" Not so for {names}: stamped from an idle device, their parts hold such gaps."
    return [text]
