"""The heaviest layers of a table that is too long to read, with all others in one row."""

from collections.abc import Sequence

import pandas as pd

from bench.core.traces import BETWEEN

MOST_ROWS = 40
"""Rows that a page's table or a figure shows, with `between` and the row of the others."""
OTHERS = "(others)"


def layers_of(table: pd.DataFrame, variant_ids: Sequence[str]) -> set[str]:
    """The layers to show of some variants: all if they are few, else those that take most in any of these variants."""
    rows = table[table.variant_id.isin(variant_ids)]
    share = rows.groupby("layer", sort=False)["share_of_step"].max()
    if len(share) <= MOST_ROWS:
        return set(share.index)
    return {BETWEEN, *share.drop(BETWEEN, errors="ignore").nlargest(MOST_ROWS - 2).index}


def limited(rows: pd.DataFrame, layers: set[str]) -> pd.DataFrame:
    """Of one variant's rows those of some layers, in their order, then one row with the sums of the others, if any."""
    shown = rows.layer.isin(layers)
    rest = rows[~shown]
    if rest.empty:
        return rows
    summed = rest[["parameters", "forward_s", "backward_s", "share_of_step", "saved_bytes"]].sum(min_count=1)
    texts = dict.fromkeys(("block", "output_shape", "memory_format", "gradient_format", "dtype", "kernel", "paths"), "")
    others = texts | summed.to_dict() | {"layer": OTHERS, "type": f"{len(rest):,} layers"}
    others |= {"variant_id": rest.variant_id.iloc[0], "parameters": int(summed.parameters)}
    return pd.concat([rows[shown], pd.DataFrame([others], columns=list(rows.columns))], ignore_index=True)
