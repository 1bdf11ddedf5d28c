"""Why a variant has no table of layers, although the page would show it."""

import pandas as pd

from bench.analyse import tables
from bench.analyse.labels import named
from bench.analyse.load import RunData
from bench.report.answer import answer
from bench.report.document import Block, paragraphs
from bench.report.words import seconds

BY_STATUS = {
    "invalid": "it is INVALID, so it has no numbers",
    "oom": "its trial ran out of memory",
    "too_large": "its batch has more elements than torch's indices of 32 bits count",
    "timeout": "its trial did not end in time",
    "error": "its trial failed",
    "unsupported": "it can't run here",
    "not measured": "the run ended before it was measured",
}


def blocks(data: RunData, steps: pd.DataFrame, layered: set[str]) -> list[Block]:
    """Of one group, a paragraph for the first baseline and for the fastest variant, if they have no layers."""
    wanted = [v for v in answer.first_and_fastest(data, steps) if v not in layered]
    return paragraphs(f"**{named(data, v)}** has no table of layers: {why(data, v)}." for v in wanted)


def why(data: RunData, variant_id: str) -> str:
    """The reason why a variant's layers were not timed."""
    status, _ = tables.outcome(data, variant_id)
    if status in BY_STATUS:
        return BY_STATUS[status]
    if data.variants[variant_id].compiled:
        return "it is compiled, which fuses layers"
    counts = data.run.learned.counts.get(variant_id)
    if counts is not None and not counts.stamped:
        step_s = data.spread(variant_id, "wall").estimate
        return f"its steps are too slow for stamped ones beside the plain ones (a step takes {seconds(step_s)})"
    return "no trial of its pilot and rounds has times of layers"
