"""Whether the rounds of a run have said enough: what is asked at each look."""

import math
from pathlib import Path

import pandas as pd

from bench.analyse import tables
from bench.analyse.load import load
from bench.analyse.verdicts import NOISY, UNDECIDED, delta_of

OPEN = (UNDECIDED, NOISY)


def decided(folder: Path) -> bool:
    """Whether each variant that is judged has its verdict, and the fastest of a device a ratio as sharp as delta.

    A variant whose trials died stays UNDECIDED, so it is not waited for.
    """
    data = load(folder)
    steps = tables.steps(data)
    judged = steps[(steps.verdict != "") & ~steps.variant_id.map(lambda v: tables.spoilt(data, v)).astype(bool)]
    if judged.empty or judged.verdict.isin(OPEN).any():
        return False
    devices = judged.variant_id.map(lambda v: data.variants[v].device)
    best = judged.loc[judged.groupby(devices)["images_per_s"].idxmax()]
    deltas = best.variant_id.map(lambda v: delta_of(data.variants[v].device))
    return bool((half_widths(best) <= deltas).all())


def half_widths(steps: pd.DataFrame) -> pd.Series:
    """Half the width of each ratio's interval, as a share of the ratio; endless if there is none."""
    return ((steps.ratio_hi / steps.ratio_lo) ** 0.5 - 1).fillna(math.inf)
