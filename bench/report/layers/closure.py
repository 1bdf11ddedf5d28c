"""Whether the parts of a step add up to it."""

import pandas as pd

from bench.analyse import tables
from bench.analyse.labels import label, named
from bench.analyse.tables import repeated
from bench.analyse.tables.columns import Row
from bench.core.traces import BETWEEN
from bench.report.document import Block, Fold, Paragraph, Table, paragraphs
from bench.report.page import Report
from bench.report.words import count, interval, percent, seconds

MOST_OPEN = 0.1
"""How far a closure may be from 1 before the page warns of it."""
CLOSURE_WORDS = (
    "*Closure* is the sum of layers, loss, optimizer, data and the rest in stamped steps over the median plain step of "
    "the same trial, the median over trials: 1 is a perfect account. Within a stamped step nothing can be lost, since "
    "each part ends where the next begins. So closure differs from 1 by what the stamps cost, and by chance between "
    "stamped and plain steps. *In no layer* is the share of a stamped step in forward and backward that belongs to no "
    "layer (`between`). *Stamps' cost* is stamps a step times the measured cost of a stamp, over the plain step."
)
GAP_WORDS = (
    " If launch gaps are known, closure counts them as a part. *Overhead* is the stamped step over the plain one "
    "without its gaps, less one, and a stamp's cost is the device's."
)


def blocks(report: Report) -> list[Block]:
    """Whether the parts of a step add up to it: a warning if not, and the numbers in a fold."""
    gaps = report.steps.launch_gaps_s.notna().any()
    rows = [cells(report, row, gaps=gaps) for row in closed(report).to_dict("records")]
    fold = Fold(summary(report), [Table.of(rows), Paragraph(CLOSURE_WORDS + (GAP_WORDS if gaps else ""))])
    return [fold, *paragraphs(open_words(report))]


def summary(report: Report) -> str:
    """How far the parts of a step are from adding up to it, in a line."""
    found = closed(report).closure
    if found.empty:
        return "Do the parts add up? Not known"
    sums = f"{found.min():.3f} to {found.max():.3f}" if len(found) > 1 else f"{found.iloc[0]:.3f}"
    return f"Do the parts add up? Their sum over the plain step: {sums}"


def closed(report: Report) -> pd.DataFrame:
    """The steps of the variants that have a closure: of those with rounds, or of the pilot's if there are none."""
    steps = report.steps.dropna(subset="closure")
    return steps[steps.n > 0] if (steps.n > 0).any() else steps


def open_words(report: Report) -> list[str]:
    """A warning that the parts of some variants don't add up, if so."""
    wide = [row for row in closed(report).itertuples() if abs(row.closure - 1) > MOST_OPEN]
    sums = ", ".join(f"{named(report.data, row.variant_id)} {row.closure:.2f}" for row in wide)
    if not wide:
        return []
    return [
        f"**The parts don't add up for all variants** (their sum over the step: {sums}). Either the stamps cost much "
        "of such a "
        "short step, which the table shows, or other work on the machine slowed only the stamped or only the plain "
        "steps. In that case don't rely on the shares of their parts, and measure again on a quiet machine."
    ]


def cells(report: Report, row: Row, *, gaps: bool) -> dict[str, str]:
    """Closure and stamps of a variant, with the overhead if launch `gaps` are known: without them closure says it."""
    variant_id = row["variant_id"]
    stamps = tables.stamps(report.data).set_index("variant_id")
    own = stamps.loc[variant_id] if variant_id in stamps.index else None
    of_none = report.layers[(report.layers.variant_id == variant_id) & (report.layers.layer == BETWEEN)]
    return {
        "variant": label(report.data, variant_id),
        "closure": interval(row["closure"], row["closure_lo"], row["closure_hi"], digits=3),
        **({"overhead": percent(row["instrument_overhead"])} if gaps else {}),
        "in no layer": "" if of_none.empty else percent(of_none.share_of_step.iloc[0]),
        "stamps a step": count(own.stamps) if own is not None else "by phase",
        "a stamp costs": seconds(own.stamp_cost_s) if own is not None else "",
        "stamps' cost": f"{100 * own.share:.2f} %" if own is not None else "",
    }


def sum_words(report: Report, variant_id: str) -> list[str]:
    """How the sums of a variant's layers and phases, and its plain step, are related; if all are known."""
    own = report.layers[report.layers.variant_id == variant_id]
    row = report.steps.set_index("variant_id").loc[variant_id]
    layers_s, phases_s = repeated.both_s(own).sum(), row[[f"{p}_s" for p in tables.phases_of(report.data)]].sum()
    both_s = row.reindex(["forward_s", "backward_s"]).sum(skipna=False)
    inside = f", of which {seconds(both_s)} are forward and backward" if both_s > 0 else ""
    if not (layers_s > 0 and phases_s > 0 and row.step_s > 0):
        return []
    return [
        f"Three times of the {named(report.data, variant_id)}'s step. {seconds(layers_s)}: its layers. "
        f"{seconds(phases_s)}: its phases{inside}. Both are sums of medians over "
        "instrumented steps, and the medians of parts need not add up to the median of the whole. "
        f"{seconds(row.step_s)}: the median of its plain steps, which give the speed; how much of the difference the "
        "stamps may cost stands below, the rest is chance."
    ]
