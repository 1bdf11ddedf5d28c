"""Blocks that a model repeats, such as `blocks.0` to `blocks.11`: one row for each layer of such a block."""

from collections import defaultdict

import pandas as pd

LEAST_REPEATED = 3
"""Fewer blocks of a kind are shown one by one."""
ANY = "*"
"""What stands for a block's number."""
SUMMED = ("parameters", "forward_s", "backward_s", "share_of_step", "saved_bytes")
BOUNDS = ("forward_s_lo", "forward_s_hi", "backward_s_lo", "backward_s_hi")


def folded(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of one variant, those of repeated blocks as one row each, in the place of the first.

    Such a row has the sums of its layers, and in `blocks` their number; `each_s`, `each_lo` and `each_hi` are the
    median, least and most seconds that one of them takes, forward and backward together. Sums have no bounds.
    """
    name_of = names_of(rows)
    table = rows.assign(name=rows.layer.map(lambda layer: name_of.get(layer, layer)), each_s=both_s(rows))
    groups = table.groupby("name", sort=False)
    whole = groups.first()
    for column in SUMMED:
        whole[column] = groups[column].sum(min_count=1)
    whole["blocks"] = groups.size()
    for name, statistic in (("each_s", "median"), ("each_lo", "min"), ("each_hi", "max")):
        whole[name] = groups["each_s"].agg(statistic)
    whole.loc[whole.blocks > 1, list(BOUNDS)] = float("nan")
    whole["layer"] = whole.index
    return whole.reset_index(drop=True)


def names_of(rows: pd.DataFrame) -> dict[str, str]:
    """The name that each layer of a repeated block shares, from the rows of one variant."""
    kinds = zip(rows.type, rows.output_shape, rows.parameters, strict=True)
    return repeated(dict(zip(rows.layer, map(str, kinds), strict=True)))


def both_s(rows: pd.DataFrame) -> pd.Series:
    """Seconds of each layer, forward and backward together; NaN if neither is known."""
    return rows[["forward_s", "backward_s"]].sum(axis=1, min_count=1)


def repeated(kind_of: dict[str, str]) -> dict[str, str]:
    """The name that each layer of a repeated block shares with its like in the other blocks: `blocks.*.norm`.

    Blocks are repeated if at least LEAST_REPEATED of them differ in one number of their paths alone, and have several
    layers each, of the same names and kinds. The outermost such number counts.
    """
    by_prefix: dict[str, dict[str, list[tuple[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for layer, kind in kind_of.items():
        steps = layer.split(".")
        for place, step in enumerate(steps):
            if step.isdigit():
                by_prefix[".".join(steps[:place])][step].append((".".join(steps[place + 1 :]), kind))
    names: dict[str, str] = {}
    for prefix, blocks in sorted(by_prefix.items(), key=lambda item: item[0].count(".") + bool(item[0])):
        alike: dict[tuple[tuple[str, str], ...], list[str]] = defaultdict(list)
        for number, inner in blocks.items():
            alike[tuple(inner)].append(number)
        for kinds, numbers in alike.items():
            if len(numbers) >= LEAST_REPEATED and len(kinds) > 1:
                for number in numbers:
                    for suffix, _ in kinds:
                        names.setdefault(joined(prefix, number, suffix), joined(prefix, ANY, suffix))
    return names


def joined(*steps: str) -> str:
    """A path of those steps that are not empty."""
    return ".".join(filter(None, steps))
