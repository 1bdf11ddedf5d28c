"""Trials of `ab` that died: how many in each tree, and whether the head dies more often than the base."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.analyse.load import RunData
from bench.plan.schedule import DEAD

HEAD = "V"
DEATHS_LEVEL = 0.01
"""At most this share of the heads that die no more often than their base is reported to die more often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deaths:
    """How many trials of a variant died in its rounds, in each tree, and of how many."""

    variant_id: str
    head: int
    head_of: int
    base: int
    base_of: int
    p: float
    """One-sided: the chance of as many deaths in the head or more, if all trials of a round were as likely to die."""
    reason: str
    """How the head's last trial died; the base's last, if none of the head's did."""

    @property
    def more_in_head(self) -> bool:
        """Whether the head dies more often than the base, beyond chance."""
        return self.p <= DEATHS_LEVEL


def deaths(data: RunData) -> list[Deaths]:
    """The deaths of each variant that lost a trial in a round with all its arms, in either stage."""
    counts = (of_variant(data, variant_id) for variant_id in data.variants)
    return [count for count in counts if count is not None]


def of_variant(data: RunData, variant_id: str) -> Deaths | None:
    """The deaths of one variant; None if no trial died."""
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
    """The chance of as many deaths in the head or more, if a round's three trials were equally likely to die.

    Exact, and conditional on the number of deaths in each round. So a bad minute counts for all trials alike, and
    repeating rounds until enough are whole does not change it.
    """
    chances = [count / 3 for count in dead.groupby("round").size()]
    distribution = np.ones(1)
    for chance in chances:
        distribution = np.convolve(distribution, [1 - chance, chance])
    return float(min(1.0, distribution[int((dead.arm == HEAD).sum()) :].sum()))
