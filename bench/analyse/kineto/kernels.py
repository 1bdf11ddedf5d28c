"""What ran on the device, by name: calls, times, the operator that launched it, and how it filled the device."""

import numpy as np
import pandas as pd

from bench.analyse.kineto.links import Calls, Launched
from bench.analyse.kineto.reading.events import UNKNOWN, Category, Events

KINDS = {Category.KERNEL: "kernel", Category.COPY: "memcpy", Category.SET: "memset"}


def table(events: Events, operators: Calls, work: Launched) -> pd.DataFrame:
    """A row a name and kind, that with the most time first.

    Columns: kernel, kind (kernel, memcpy or memset), calls, seconds (total_s, mean_s, min_s, max_s), launched_by (the
    operator that launched it most often; of several the one with most time), launchers (how many different ones did),
    and means over its calls, weighted by their durations: blocks_per_sm and occupancy (per cent, torch's estimate).
    NaN is unknown.
    """
    known = work.operator != UNKNOWN
    launcher = np.full(len(work.event), UNKNOWN, dtype=np.int64)
    launcher[known] = events.name[operators.event[work.operator[known]]]
    rows = pd.DataFrame(
        {
            "name": events.name[work.event],
            "category": events.category[work.event],
            "ns": work.duration_ns,
            "launcher": launcher,
        }
    ).join(events.details)
    keys = ["name", "category"]
    groups = rows.groupby(keys, sort=False)
    found = groups["ns"].agg(calls="count", total_s="sum", mean_s="mean", min_s="min", max_s="max")
    for column in ("blocks_per_sm", "occupancy"):
        filled = rows[rows[column].notna()]
        weights = filled.ns.where(filled.ns > 0, 1)
        by_key = [filled[key] for key in keys]
        found[column] = (filled[column] * weights).groupby(by_key).sum() / weights.groupby(by_key).sum()
    seen = rows[rows.launcher != UNKNOWN]
    often = seen.groupby([*keys, "launcher"])["ns"].agg(calls="count", ns="sum").reset_index()
    often = often.sort_values(["calls", "ns"], ascending=False, kind="stable")
    first = dict(often.drop_duplicates(keys).set_index(keys)["launcher"].items())
    found["launched_by"] = [events.names[first[key]] if key in first else "" for key in found.index]
    found["launchers"] = often.groupby(keys).size().reindex(found.index).fillna(0).astype(int)
    found = found.reset_index()
    found.insert(0, "kernel", [events.names[name] for name in found.name])
    found.insert(1, "kind", [KINDS[Category(category)] for category in found.category])
    times = ["total_s", "mean_s", "min_s", "max_s"]
    found[times] = found[times] / 1e9
    return found.drop(columns=keys).sort_values("total_s", ascending=False, kind="stable", ignore_index=True)
