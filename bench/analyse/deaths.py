"""Trials of `ab` that died: how many in each tree, and whether the head dies more often than the base."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.analyse.load import RunData
from bench.plan.schedule import DEAD

HEAD = "V"
DEATHS_LEVEL = 0.01
"""At most this share of the heads that die no more often than their base are said to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deaths:
    """How many trials of a variant died in the rounds, of how many, in each tree."""

    variant_id: str
    head: int
    head_of: int
    base: int
    base_of: int
    p: float
    """One-sided: the chance of as many deaths in the head, had each fallen on any of its round's trials alike."""
    reason: str
    """How the head's last one died; the base's, if none of the head did."""

    @property
    def more_in_head(self) -> bool:
        """Whether the head dies more often, which is a finding of its own."""
        return self.p <= DEATHS_LEVEL


def deaths(data: RunData) -> list[Deaths]:
    """The variants of which a trial died in a round that has all its arms, in either stage."""
    counts = (of_variant(data, variant_id) for variant_id in data.variants)
    return [count for count in counts if count is not None]


def of_variant(data: RunData, variant_id: str) -> Deaths | None:
    """The deaths of one variant; None without any."""
    trials = data.trials[(data.trials.variant_id == variant_id) & data.trials.stage.isin(("measure", "confirm"))]
    whole = trials[trials.groupby("round")["arm"].transform("nunique") == len(data.arms_of(variant_id))]
    dead = whole[whole.status.isin(DEAD)]
    if dead.empty:
        return None
    in_head, of_head = dead.arm == HEAD, whole.arm == HEAD
    last = dead[in_head].iloc[-1] if in_head.any() else dead.iloc[-1]
    return Deaths(
        variant_id=variant_id,
        head=int(in_head.sum()), head_of=int(of_head.sum()),
        base=int((~in_head).sum()), base_of=int((~of_head).sum()),
        p=p_of(dead),
        reason=f"{last.status}: {last.reason}" if last.reason else str(last.status),
    )  # fmt: skip


def p_of(dead: pd.DataFrame) -> float:
    """The chance of as many deaths in the head or more, had each round's fallen on its three trials alike.

    Exact: conditional on the deaths of each round, so that a bad minute counts for all, and so that taking rounds
    again until enough are whole does not alter it.
    """
    chances = [count / 3 for count in dead.groupby("round").size()]
    distribution = np.ones(1)
    for chance in chances:
        distribution = np.convolve(distribution, [1 - chance, chance])
    return float(min(1.0, distribution[int((dead.arm == HEAD).sum()) :].sum()))
