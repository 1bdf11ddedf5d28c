"""How the candidates of a race stand: from its rounds alone, or from the pilot before there is one."""

from pathlib import Path

import numpy as np
import pandas as pd

from bench.analyse.load import RunData, cell, load
from bench.analyse.ratios import items_of
from bench.plan.race import STAGE


def ranking(folder: Path) -> list[str]:
    """The ids of all variants that have a speed, the fastest first."""
    return list(standing(load(folder)).index)


def standing(data: RunData) -> pd.Series:
    """By variant id the log of its seconds per image over the baselines' of the same round, the fastest first.

    The median over the rounds of the race that the variant was in, by the fastest sample of each trial: a burst of
    other work rarely meets all of them. Of a variant that was in none, from the pilot. A variant that died in all of
    its rounds of the race is not there.
    """
    walls = cell(data.values, "wall")
    in_race = relative(data, data.raced)
    started = data.trials.variant_id[data.trials.stage == STAGE]
    screened = relative(data, walls[(walls.stage == "pilot") & ~walls.variant_id.isin(started)])
    return pd.concat([in_race, screened]).sort_values()


def by_round(data: RunData) -> pd.DataFrame:
    """The same log in each round of the race: a row a variant, a column a round; NaN where it had no trial."""
    logs = relative_by_trial(data, data.raced)
    return logs.pivot_table(index="variant_id", columns="round", values="log", aggfunc="median")


def relative(data: RunData, walls: pd.DataFrame) -> pd.Series:
    """By variant id the median of the logs of its trials, as `relative_by_trial` has them."""
    return relative_by_trial(data, walls).groupby("variant_id", sort=False)["log"].median()


def relative_by_trial(data: RunData, walls: pd.DataFrame) -> pd.DataFrame:
    """The logs of seconds per image, less the mean of the baselines of the same device in the same round.

    A row a trial with `variant_id`, `round` and `log`; only trials whose round has such a baseline.
    """
    if walls.empty:
        return pd.DataFrame({"variant_id": [], "round": [], "log": np.array([], dtype=float)})
    variants = walls.variant_id.map(data.variants)
    batches = walls.variant_id.map(lambda variant_id: items_of(data, variant_id))
    logs = walls.assign(
        log=np.log(walls["value"] / batches),
        device=[variant.device for variant in variants],
        is_baseline=[variant.is_baseline for variant in variants],
    )
    of_baselines = logs[logs.is_baseline].groupby(["device", "round"])["log"].mean().rename("baseline")
    joined = logs.join(of_baselines, on=["device", "round"])
    return joined.assign(log=joined["log"] - joined.baseline).dropna(subset="log")[["variant_id", "round", "log"]]
