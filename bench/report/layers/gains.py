"""The layers at a glance: what the fastest variant saves in each, or else which take longest."""

from functools import partial

import pandas as pd

from bench.analyse.labels import label
from bench.analyse.tables import repeated
from bench.analyse.tables.columns import Row
from bench.report.document import Block, Figure, Table
from bench.report.figures import plots_layers
from bench.report.page import Report
from bench.report.words import count_of, number, percent, seconds

MOST_ROWS = 10
ALL, OTHERS = "(all)", "(others)"
TIMES = ("forward_s", "backward_s", "share_of_step")


def blocks(report: Report, chosen: list[str], name: str) -> list[Block]:
    """A table and a figure of ten layers of one or two variants, with a row for the others.

    Of two variants, those layers in which they differ most, with the seconds that the second saves. Of one, those that
    take longest. Forward and backward count together, and repeated blocks as one row each.
    """
    folded = [both(report, variant_id) for variant_id in chosen]
    if len(folded) == 1:
        rows = of_one(folded[0])
        figure = Figure(name, partial(plots_layers.heaviest, shown(rows)), "milliseconds a step of the heaviest layers")
        return [Table.of(map(cells_of_one, rows.to_dict("records"))), figure]
    rows, names = of_two(*folded), [label(report.data, variant_id) for variant_id in chosen]
    draw = partial(plots_layers.saved, shown(rows), *names)
    table = Table.of(cells_of_two(row, *names) for row in rows.to_dict("records"))
    return [table, Figure(name, draw, f"milliseconds a step by layer: {' and '.join(names)}")]


def both(report: Report, variant_id: str) -> pd.DataFrame:
    """The layers of a variant, with `layer`, `type`, forward and backward, their sum `both_s`, and the share."""
    own = report.layers[report.layers.variant_id == variant_id]
    folded = own if report.every_layer else repeated.folded(own)
    return folded.assign(both_s=repeated.both_s(folded)).dropna(subset="both_s")


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that a figure shows: all but the sum of all."""
    return rows[rows.layer != ALL]


def of_two(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """The layers that two variants share, with `first_s` and `second_s`: those with the largest difference first."""
    joined = first[["layer", "type", "both_s"]].merge(second[["layer", "both_s"]], on="layer", suffixes=("", "_second"))
    rows = joined.rename(columns={"both_s": "first_s", "both_s_second": "second_s"})
    order = (rows.first_s - rows.second_s).abs().sort_values(ascending=False, kind="stable").index
    return with_sums(rows.loc[order], ["first_s", "second_s"])


def of_one(layers: pd.DataFrame) -> pd.DataFrame:
    """The layers of one variant, those that take longest first."""
    return with_sums(layers.sort_values("both_s", ascending=False)[["layer", "type", *TIMES]], list(TIMES))


def with_sums(rows: pd.DataFrame, summed: list[str]) -> pd.DataFrame:
    """The first rows, one for the others, which are never a single row, and one for all."""
    most = len(rows) if len(rows) == MOST_ROWS + 1 else MOST_ROWS
    rest = rows.iloc[most:]
    others = [{"layer": OTHERS, "type": count_of(len(rest), "row")} | rest[summed].sum(min_count=1).to_dict()]
    every = {"layer": ALL, "type": ""} | rows[summed].sum(min_count=1).to_dict()
    return pd.concat([rows.head(most), pd.DataFrame([*(others if len(rest) else []), every])], ignore_index=True)


def cells_of_two(row: Row, first: str, second: str) -> dict[str, object]:
    """A row with what the second variant saves."""
    first_s, second_s = float(row["first_s"]), float(row["second_s"])
    times = number(first_s / second_s) if second_s > 0 else ""
    return {
        "layer": row["layer"], "type": row["type"], first: seconds(first_s), second: seconds(second_s),
        "shorter by": seconds(first_s - second_s), "times as fast": times,
    }  # fmt: skip


def cells_of_one(row: Row) -> dict[str, object]:
    """A row of one variant."""
    forward_s, backward_s, share = (float(row[name]) for name in TIMES)
    times = {"forward": seconds(forward_s), "backward": seconds(backward_s), "share": percent(share)}
    return {"layer": row["layer"], "type": row["type"]} | times
