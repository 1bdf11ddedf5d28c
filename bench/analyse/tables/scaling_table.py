"""scaling.csv."""

import pandas as pd

from bench.analyse.labels import label
from bench.analyse.load import RunData, variant_axes
from bench.analyse.ratios import items_of, log_steps, ratio_to
from bench.core.axes.world_size import ALONE


def scaling(data: RunData) -> pd.DataFrame:
    """scaling.csv: a row a variant of several ranks whose twin of one process was measured in the same rounds.

    `speedup` is in items a second of all ranks, over one process; `efficiency` is the speedup over the number of ranks:
    1 if each rank is as fast as one process alone. Both with `_lo` and `_hi`, the 95 % interval over the rounds.
    """
    measured = [v for v in data.variants if not log_steps(data, v).empty]
    alone = {same_but_ranks(data, v): v for v in measured if data.variants[v].world_size == ALONE}
    rows = [
        scaling_row(data, v, alone[same_but_ranks(data, v)])
        for v in measured
        if data.variants[v].world_size != ALONE and same_but_ranks(data, v) in alone
    ]
    return pd.DataFrame([row for row in rows if row["rounds"]], columns=COLUMNS)


def same_but_ranks(data: RunData, variant_id: str) -> str:
    """What variants have in common that differ only in their ranks."""
    return str(variant_axes(data, variant_id) | {"world_size": "", "parallel": ""})


def scaling_row(data: RunData, variant_id: str, alone_id: str) -> dict[str, object]:
    """How much faster a variant is than its twin of one process."""
    ratio, rounds = ratio_to(data, variant_id, alone_id)
    ranks = data.variants[variant_id].world_size
    bounds = {"": ratio.estimate, "_lo": ratio.lo, "_hi": ratio.hi}
    return (
        {"variant_id": variant_id, "variant": label(data, variant_id), "alone": label(data, alone_id), "ranks": ranks}
        | {"items_per_step": items_of(data, variant_id), "rounds": rounds}
        | {f"speedup{end}": value for end, value in bounds.items()}
        | {f"efficiency{end}": value / ranks for end, value in bounds.items()}
    )


COLUMNS = (
    "variant_id", "variant", "alone", "ranks", "items_per_step", "rounds",
    *(f"{name}{end}" for name in ("speedup", "efficiency") for end in ("", "_lo", "_hi")),
)  # fmt: skip
