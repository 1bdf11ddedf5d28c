"""Which variants took effect in part, in the words of a page."""

import math

import pandas as pd

from bench.analyse import tables
from bench.analyse.load import RunData, cell, variant_axes
from bench.analyse.tables.columns import Row
from bench.core import partial
from bench.core.partial import Counted, Share
from bench.core.variants import from_row


def missed(data: RunData, variant_id: str, tree: str | None = None) -> list[Share]:
    """The shares of a measured variant that are not wholly as it asks; empty if all are, or nothing was recorded.

    With `tree`, a code tree of an ab, only that tree's trials count.
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
    """How many parameters have the memory format in these trials; empty if the trials do not record it."""
    counts = (cell(data.values, name, scope="process") for name in (partial.WEIGHTS_GOT, partial.WEIGHTS_OF))
    got, of = (values.loc[values.trial_id.isin(trials), "value"].median() for values in counts)
    if not (math.isfinite(got) and math.isfinite(of)):
        return []
    return [Share(counted=Counted.WEIGHTS, asked=memory_format, got=int(got), of=int(of))]


def words(data: RunData, variant_id: str, tree: str | None = None) -> str:
    """What is not as asked: `26 of 27 image layers' outputs as nhwc, 2 of 3 gradients as nhwc`; empty if all is."""
    return ", ".join(share.words for share in missed(data, variant_id, tree))


def verdict_words(data: RunData, row: Row) -> str:
    """The verdict of a row of the steps table, or why it has none; and whether the variant took effect in part."""
    status, _ = tables.outcome(data, row["variant_id"])
    verdict = str(row["verdict"]) if status in ("ok", "invalid") else status
    return ", ".join(filter(None, (verdict, "in part" if missed(data, row["variant_id"]) else "")))


def sentence(data: RunData, variant_id: str) -> list[str]:
    """A sentence on what a recommended variant did not do; empty if it did all."""
    missing = words(data, variant_id)
    return [f"It took effect **in part**: {missing} (docs/variants.md explains this)."] if missing else []
