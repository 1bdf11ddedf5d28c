"""The heaviest layers of a table that is too long to be read, with the rest as one row."""

from collections.abc import Sequence

import pandas as pd

from bench.core.traces import BETWEEN

MOST_ROWS = 40
"""Layers that a page's table or a figure shows, `between` and the row of the rest among them."""
OTHERS = "(others)"


def layers_of(table: pd.DataFrame, variant_ids: Sequence[str]) -> set[str]:
    """The layers to be shown of some variants: all if they are few, else those that take most in any of them."""
    rows = table[table.variant_id.isin(variant_ids)]
    share = rows.groupby("layer", sort=False)["share_of_step"].max()
    if len(share) <= MOST_ROWS:
        return set(share.index)
    return {BETWEEN, *share.drop(BETWEEN, errors="ignore").nlargest(MOST_ROWS - 2).index}


def limited(mine: pd.DataFrame, layers: set[str]) -> pd.DataFrame:
    """The rows of those layers of one variant, in their order, and one with the sums of the others, if any."""
    kept = mine.layer.isin(layers)
    rest = mine[~kept]
    if rest.empty:
        return mine
    summed = rest[["parameters", "forward_s", "backward_s", "share_of_step", "saved_bytes"]].sum(min_count=1)
    texts = dict.fromkeys(("block", "output_shape", "memory_format", "gradient_format", "dtype", "kernel", "paths"), "")
    row = texts | summed.to_dict() | {"layer": OTHERS, "type": f"{len(rest):,} layers"}
    row |= {"variant_id": rest.variant_id.iloc[0], "parameters": int(summed.parameters)}
    return pd.concat([mine[kept], pd.DataFrame([row], columns=list(mine.columns))], ignore_index=True)
