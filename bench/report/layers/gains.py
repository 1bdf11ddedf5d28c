"""The table of layers at a glance: what the fastest variant saves in each, or else which take longest."""

import pandas as pd

from bench.analyse.labels import label
from bench.analyse.tables import repeated
from bench.report.document import Block, Table
from bench.report.page import Report
from bench.report.words import count_of, number, percent, seconds

MOST_ROWS = 10
ALL = "(all)"


def table(report: Report, chosen: list[str]) -> Block:
    """Ten layers of one or two variants, then a row for the others and one for all.

    Of two variants, those layers in which they differ most, with the seconds that the second saves. Of one, those that
    take longest. Forward and backward count together, and repeated blocks as one row each.
    """
    rows = [both(report, variant_id) for variant_id in chosen]
    return Table.of(of_two(report, chosen, *rows) if len(rows) > 1 else of_one(rows[0]))


def both(report: Report, variant_id: str) -> pd.DataFrame:
    """The layers of a variant by name, with `type`, forward and backward, their sum `both_s`, and the share."""
    own = report.layers[report.layers.variant_id == variant_id]
    folded = own if report.every_layer else repeated.folded(own)
    return folded.assign(both_s=repeated.both_s(folded)).dropna(subset="both_s").set_index("layer")


def split(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The first rows of a sorted table, and the rest of it; the rest is never a single row."""
    most = len(table) if len(table) == MOST_ROWS + 1 else MOST_ROWS
    return table.head(most), table.iloc[most:]


def of_two(report: Report, chosen: list[str], first: pd.DataFrame, second: pd.DataFrame) -> list[dict[str, str]]:
    """The layers that two variants share, those with the largest difference first."""
    joined = first[["type", "both_s"]].join(second.both_s.rename("second_s"), how="inner")
    joined = joined.assign(saved_s=joined.both_s - joined.second_s).sort_values("saved_s", key=abs, ascending=False)
    top, rest = split(joined)
    names = [label(report.data, variant_id) for variant_id in chosen]

    def cells(layer: str, kind: str, first_s: float, second_s: float) -> dict[str, str]:
        times = number(first_s / second_s) if second_s > 0 else ""
        return {
            "layer": layer, "type": kind, names[0]: seconds(first_s), names[1]: seconds(second_s),
            "saved": seconds(first_s - second_s), "times as fast": times,
        }  # fmt: skip

    rows = [cells(str(row.Index), row.type, row.both_s, row.second_s) for row in top.itertuples()]
    if len(rest):
        rows.append(cells("(others)", count_of(len(rest), "row"), rest.both_s.sum(), rest.second_s.sum()))
    return [*rows, cells(ALL, "", joined.both_s.sum(), joined.second_s.sum())]


def of_one(layers: pd.DataFrame) -> list[dict[str, str]]:
    """The layers of one variant, those that take longest first."""
    top, rest = split(layers.sort_values("both_s", ascending=False))

    def cells(layer: str, kind: str, of: pd.DataFrame) -> dict[str, str]:
        forward_s, backward_s, share = of[["forward_s", "backward_s", "share_of_step"]].sum(min_count=1)
        shown = {"forward": seconds(forward_s), "backward": seconds(backward_s), "share": percent(share)}
        return {"layer": layer, "type": kind} | shown

    rows = [cells(str(layer), top.type[layer], top.loc[[layer]]) for layer in top.index]
    others = [cells("(others)", count_of(len(rest), "row"), rest)] if len(rest) else []
    return [*rows, *others, cells(ALL, "", layers)]
