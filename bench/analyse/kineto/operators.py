"""The operators of a trace by name, and by name and shapes: calls, and time on the host and on the device."""

import numpy as np
import pandas as pd

from bench.analyse.kineto.links import Calls, Launched
from bench.analyse.kineto.reading.events import UNKNOWN, Events, Integers

TIMES = ["host_self_s", "host_s", "device_self_s", "device_s"]
NOBODY = "(no operator)"
"""The row of the device's work that no operator launched."""


def table(events: Events, calls: Calls, work: Launched, *, by_shapes: bool = False) -> pd.DataFrame:
    """A row an operator, that with the most own time first.

    Columns: operator, shapes (with `by_shapes`), calls, and seconds: host_self_s without the operators that it called,
    host_s with them, device_self_s of what it launched itself, device_s with what those that it called launched. A call
    within a call of the same name counts in both. The last row is `NOBODY`, if there is such work.
    """
    on_device = by_operator(work, len(calls.event))
    columns = {
        "operator": events.name[calls.event],
        "shapes": events.shape[calls.event],
        "calls": np.ones(len(calls.event), dtype=np.int64),
        "host_self_s": calls.own_ns,
        "host_s": calls.end_ns - calls.begin_ns,
        "device_self_s": on_device,
        "device_s": calls.with_inner(on_device),
    }
    keys = ["operator", "shapes"] if by_shapes else ["operator"]
    summed = pd.DataFrame(columns).groupby(keys, sort=False)[["calls", *TIMES]].sum().reset_index()
    summed["operator"] = [events.names[name] for name in summed.operator]
    if by_shapes:
        summed["shapes"] = ["" if shape == UNKNOWN else events.shapes[shape] for shape in summed["shapes"]]
    alone = int(work.duration_ns[work.operator == UNKNOWN].sum())
    if alone and not by_shapes:
        nobody = {
            "operator": NOBODY,
            "calls": 0,
            "host_self_s": 0,
            "host_s": 0,
            "device_self_s": alone,
            "device_s": alone,
        }
        summed = pd.concat([summed, pd.DataFrame([nobody])], ignore_index=True)
    summed[TIMES] = summed[TIMES] / 1e9
    return summed.sort_values(["device_self_s", "host_self_s"], ascending=False, kind="stable", ignore_index=True)


def by_operator(work: Launched, operators: int) -> Integers:
    """Nanoseconds on the device of what each operator launched itself."""
    known = work.operator != UNKNOWN
    return np.bincount(work.operator[known], work.duration_ns[known], operators).astype(np.int64)
