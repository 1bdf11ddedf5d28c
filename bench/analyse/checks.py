"""The section on whether each variant is what its name says: numerics, live logits, types, layouts, skipped steps."""

import math
from typing import Any

import pandas as pd

from bench.analyse import effect
from bench.analyse.labels import label, named
from bench.analyse.load import RunData, variant_axes
from bench.analyse.page import Lines, Report
from bench.analyse.words import count, markdown
from bench.text import MOST_OF_A_REASON


def section(report: Report) -> Lines:
    """Errors against float64 with their bounds, and what each variant was found to do."""
    data, table = report.data, report.numerics
    if table.empty:
        return []
    rows = [cells(data, row) for row in table.to_dict("records")]
    shown = pd.DataFrame(rows)
    shown = shown.loc[:, (shown != "").any()]
    return [
        "## Is each variant what it says?",
        "",
        *markdown(shown, MOST_OF_A_REASON),
        "Scores and gradients of one batch, under He's initialisation, against float64: an error is the difference's "
        "norm over the exact norm, for gradients that of the parameter that is furthest off. Bounds are 8 times what "
        "plain float32 misses by (at least 2^-22 for scores and 2^-12 for gradients), scaled by the precision's "
        "roundoff for scores and by its root for gradients, which jump where rounding tips a ReLU over; and never more "
        "than 0.2 and 1.5, so that in half precision passing says no more than that nothing is plainly wrong "
        "(docs/variants.md). A variant beyond one is invalid. *Live logits* are "
        "the classes whose score differs between images under the model's own initialisation. *Conversions* and "
        "*casts* are the operators of a step that change a tensor's layout or float type.",
        "",
        *[line for sentence in warnings(data, table) for line in (sentence, "")],
    ]


def cells(data: RunData, row: dict[str, Any]) -> dict[str, str]:
    """A variant's row as it is shown."""
    v = row["variant_id"]
    skipped = [data.spread(v, f"skipped_{when}", "process").estimate for when in ("settling", "timed")]
    return {
        "variant": label(data, v),
        "gate": gate_words(row),
        "in part": effect.words(data, v),
        "score error (bound)": bounded(row["score_error"], row["score_bound"]),
        "gradient error (bound)": bounded(row["gradient_error"], row["gradient_bound"]),
        "live logits": count(row["live_logits"]),
        "conversions": count(data.spread(v, "conversions").estimate),
        "casts": count(data.spread(v, "casts").estimate),
        "skipped settling, timed": "" if math.isnan(skipped[0]) else ", ".join(map(count, skipped)),
    }


def gate_words(row: dict[str, Any]) -> str:
    """What the gate said of a variant; it is the last of the checks, so that others end before it."""
    if not math.isnan(row["gradient_bound"]):
        return "passed"
    if row["status"] == "ok":
        return str(row["reason"])  # not gated, and why
    return "failed" if "rounding explains" in row["reason"] else "not reached"


def bounded(error: float, bound: float) -> str:
    """A relative error with its bound, to two digits."""
    return "" if math.isnan(error) else f"{error:.1e} ({bound:.1e})"


def warnings(data: RunData, table: pd.DataFrame) -> Lines:
    """The variants in which classes can't be learned from the initialisation as it is."""
    classes = data.run.inputs.classes
    dead = table[table.live_logits < classes]
    if dead.empty:
        return []
    by_count: dict[int, list[str]] = {}
    for row in dead.itertuples():
        by_count.setdefault(int(row.live_logits), []).append(named(data, row.variant_id))
    worst = variant_axes(data, dead.loc[dead.live_logits.idxmin(), "variant_id"])["precision"]
    command = f"`.nox/env/bin/python -m nin --seeds 10{f' --precision {worst}' if worst != 'default' else ''}`"
    told = "; ".join(f"{live} of {classes} in {', '.join(names)}" for live, names in sorted(by_count.items()))
    return [
        f"**Warning: dead logits.** Before any training, from seed {data.run.seed}, only so many classes' scores "
        f"differ between images: {told}. A class whose score no image moves gets no gradient. This is no fault of a "
        f"variant's speed, but a training run may never predict that class; {command} shows how often (`--epochs` and "
        "`--limit` shorten it).",
    ]
