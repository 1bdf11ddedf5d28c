"""The section on whether each variant is what its name says: numerics, live logits, layouts, casts, skipped steps."""

import math

import pandas as pd

from bench.analyse.labels import label, named
from bench.analyse.load import RunData, variant_axes
from bench.analyse.tables.columns import Row
from bench.core.axes.precision import PRECISION
from bench.core.exchange.cause import Cause
from bench.core.text import MOST_OF_A_REASON
from bench.report import commands
from bench.report.document import Fold, Section, Table, paragraphs
from bench.report.page import Report
from bench.report.trust import effect
from bench.report.words import count, count_of

GATE_WORDS = (
    "One batch compared with float64, on the same batch and weights. Eager variants are checked layer by layer: each "
    "layer gets exactly what float64 has there. *Value* is the layer's result that comes nearest to its bound, or "
    "beyond it; *gradient* is the same of gradients. Compiled variants are checked as a whole, by {whole} and by the "
    "gradients of their parameters."
)
INFER_GATE_WORDS = (
    "What the model returns for one batch, as a whole, compared with float64 on the same batch and weights."
)
BOUND_WORDS = (
    "An error is relative to the exact result. Its bound follows from the rounding errors that this model showed in "
    "this precision; it is narrower for a result that is off by a factor (docs/variants.md). An error that plain eager "
    "code of that precision makes too is not the variant's fault. A variant beyond a bound is invalid. *Not gated*: "
    "the gate can't tell, and the measurement stands."
)
LIVE_WORDS = "*Live logits* are the classes whose score differs between images under the model's own initialisation."
COPY_WORDS = "*Conversions* and *casts* are the operators of a step that change a tensor's layout or float type."
OLDER_GATE_WORDS = (
    "Scores and gradients of one batch, under He's initialisation, and float64's: an error is the difference's norm "
    "over the exact norm, for gradients that of the parameter that is furthest off. The bounds are those of the "
    "version that measured. *Live logits* are the classes whose score differs between images under the model's own "
    "initialisation. *Conversions* and *casts* are the operators of a step that change a tensor's layout or float type."
)
"""For runs that did not yet check variants layer by layer."""
PASSED = "passed"
LAYER_BY_LAYER = 4
"""The first schema that checks variants layer by layer."""


def section(report: Report) -> Section | None:
    """Each variant's errors compared with float64, their bounds, and what else was checked."""
    data, table = report.data, report.numerics
    if table.empty:
        return None
    rows = [cells(data, row) for row in table.to_dict("records")]
    shown = pd.DataFrame(rows)
    shown = shown.loc[:, (shown != "").any()]
    fold = Fold(summary(rows), [Table.of(shown.to_dict("records"), MOST_OF_A_REASON), *paragraphs([words(data)])])
    return Section("Is each variant what it says?", [fold, *paragraphs(warnings(data, table))])


def summary(rows: list[dict[str, str]]) -> str:
    """How many variants passed the gate, in a line."""
    passed = sum(row["gate"] == PASSED for row in rows)
    if passed == len(rows):
        return f"All {count_of(len(rows), 'variant')} passed the numerics gate" if passed > 1 else "It passed the gate"
    return f"{passed} of {len(rows)} variants passed the numerics gate"


def words(data: RunData) -> str:
    """What was compared, and what the columns are."""
    if data.run.schema_version < LAYER_BY_LAYER:
        return OLDER_GATE_WORDS
    compared = (
        INFER_GATE_WORDS
        if data.infers
        else GATE_WORDS.format(whole="their loss" if data.run.inputs.task else "their scores")
    )
    scored = not data.infers and not data.run.inputs.task
    return " ".join((compared, BOUND_WORDS, *([LIVE_WORDS] if scored else []), COPY_WORDS))


def cells(data: RunData, row: Row) -> dict[str, str]:
    """A variant's row as the page shows it."""
    v = row["variant_id"]
    skipped = [data.spread(v, f"skipped_{when}", "process").estimate for when in ("settling", "timed")]
    return {
        "variant": label(data, v),
        "gate": gate_words(row),
        "in part": effect.words(data, v),
        "value error (bound)": bounded(row["score_error"], row["score_bound"]),
        "gradient error (bound)": bounded(row["gradient_error"], row["gradient_bound"]),
        "weights": "the model's own" if row["own_weights"] == 1 else "",
        "live logits": count(row["live_logits"]),
        "conversions": count(data.spread(v, "conversions").estimate),
        "casts": count(data.spread(v, "casts").estimate),
        "skipped settling, timed": "" if math.isnan(skipped[0]) else ", ".join(map(count, skipped)),
    }


def gate_words(row: Row) -> str:
    """The gate's result for a variant; `not reached` if an earlier check ended its trial."""
    if not math.isnan(row["score_bound"]):
        return PASSED
    if row["cause"] == Cause.NOT_GATED:
        return f"not gated: {row['reason']}"
    return "failed" if row["cause"] == Cause.NUMERICS_WRONG else "not reached"


def bounded(error: float, bound: float) -> str:
    """A relative error with its bound, to two digits."""
    return "" if math.isnan(error) else f"{error:.1e} ({bound:.1e})"


def warnings(data: RunData, table: pd.DataFrame) -> list[str]:
    """A warning that names the variants whose initialisation leaves classes that can't be learned."""
    classes = data.run.inputs.classes
    dead = table[table.live_logits < classes]
    if dead.empty:
        return []
    by_count: dict[int, list[str]] = {}
    for row in dead.itertuples():
        by_count.setdefault(int(row.live_logits), []).append(named(data, row.variant_id))
    worst = variant_axes(data, dead.loc[dead.live_logits.idxmin(), "variant_id"])["precision"]
    precision = [] if worst == PRECISION.default else [f"--precision {worst}"]
    command = f"`{commands.nin(data.run, '--seeds 10', *precision)}`"
    listed = "; ".join(f"{live} of {classes} in {', '.join(names)}" for live, names in sorted(by_count.items()))
    return [
        f"**Warning: dead logits.** Before any training, from seed {data.run.seed}, only some classes' scores differ "
        f"between images: {listed}. A class whose score no image moves gets no gradient. This does not touch a "
        f"variant's speed, but a training run may never predict that class; {command} shows how often (`--epochs` and "
        "`--limit` shorten it).",
    ]
