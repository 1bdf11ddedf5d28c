"""The trials that were not ok, and what stamps cost: tables that only the page shows."""

import math

import pandas as pd

from bench.analyse.load import RunData


def failures(data: RunData) -> pd.DataFrame:
    """The trials that were not ok: variant, probes, status, reason, and how many of how many."""
    rows = []
    for (variant_id, probes), trials in data.trials.groupby(["variant_id", "probes"], sort=False):
        bad = trials[trials.status != "ok"]
        for (status, reason), same in bad.groupby(["status", "reason"], sort=False):
            rows.append(
                {
                    "variant_id": variant_id,
                    "probes": probes,
                    "status": status,
                    "reason": reason,
                    "trials": f"{len(same)} of {len(trials)}",
                }
            )
    return pd.DataFrame(rows, columns=["variant_id", "probes", "status", "reason", "trials"])


def stamps(data: RunData) -> pd.DataFrame:
    """Of each eager variant the stamps a step, the seconds a stamp, and their product over the plain step."""
    rows = []
    for v in data.variants:
        count = data.spread(v, "stamps").estimate
        cost_s = data.spread(v, "stamp_cost", "process").estimate
        if not math.isnan(count):
            rows.append([v, count, cost_s, count * cost_s / data.spread(v, "wall").estimate])
    return pd.DataFrame(rows, columns=["variant_id", "stamps", "stamp_cost_s", "share"])
