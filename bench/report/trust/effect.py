"""Which variants took effect in part, as a page says it."""

import math

import pandas as pd

from bench.analyse import tables
from bench.analyse.load import RunData, cell, variant_axes
from bench.analyse.tables.columns import Row
from bench.core import partial
from bench.core.partial import Counted, Share
from bench.core.variants import from_row


def missed(data: RunData, variant_id: str, tree: str | None = None) -> list[Share]:
    """What of a variant that was measured is not wholly as it asks; empty if all is, or nothing was seen.

    `tree` is the code tree of an ab whose trials count; all count without one.
    """
    if tables.outcome(data, variant_id)[0] != "ok":
        return []
    of_variant = data.trials[data.trials.variant_id == variant_id]
    trials = of_variant.trial_id if tree is None else of_variant.trial_id[of_variant.tree == tree]
    variant = from_row(variant_axes(data, variant_id))
    facts = data.layers[data.layers.trial_id.isin(trials)].drop_duplicates("layer")
    rows = facts[["type", "memory_format", "gradient_format", "dtype"]].astype(object).fillna("")
    shares = partial.shares(variant, rows.to_dict("records"))
    shares += weights(data, trials, variant.memory_format)
    return [share for share in shares if not share.whole]


def weights(data: RunData, trials: pd.Series, memory_format: str) -> list[Share]:
    """How many parameters lie as asked in these trials; empty if they do not record it."""
    counts = (cell(data.values, name, scope="process") for name in (partial.WEIGHTS_GOT, partial.WEIGHTS_OF))
    got, of = (values.loc[values.trial_id.isin(trials), "value"].median() for values in counts)
    if not (math.isfinite(got) and math.isfinite(of)):
        return []
    return [Share(counted=Counted.WEIGHTS, asked=memory_format, got=int(got), of=int(of))]


def words(data: RunData, variant_id: str, tree: str | None = None) -> str:
    """`26 of 27 image layers' outputs as nhwc, 2 of 3 gradients as nhwc`; empty if all is as asked."""
    return ", ".join(share.words for share in missed(data, variant_id, tree))


def verdict_words(data: RunData, row: Row) -> str:
    """The verdict of a row of the steps table, or why it has none; and whether the variant took effect in part."""
    status, _ = tables.outcome(data, row["variant_id"])
    verdict = str(row["verdict"]) if status in ("ok", "invalid") else status
    return ", ".join(filter(None, (verdict, "in part" if missed(data, row["variant_id"]) else "")))


def sentence(data: RunData, variant_id: str) -> list[str]:
    """What a recommended variant did not do, in a sentence; empty if it did all."""
    missing = words(data, variant_id)
    return [f"It took effect **in part**: {missing} (docs/variants.md says what that means)."] if missing else []
