"""Allocated memory over time, and which operators allocated it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.analyse.kineto.links import Calls
from bench.analyse.kineto.reading.events import UNKNOWN, Events

HOST = 0
"""The device type of the CPU."""
OUTSIDE = "(no operator)"
MOST_MOMENTS = 4000
"""Of a curve that is shown: a figure has fewer pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The memory of one device."""

    device: str
    moments: pd.DataFrame
    """A row a change: at_s since the trace began, allocated_bytes after it, reserved_bytes (NaN if not recorded)."""
    since_the_trace_began: bool
    """Whether bytes count from 0 as the trace begins, since it has no totals."""

    @property
    def peak_bytes(self) -> int:
        """The most that was allocated."""
        return int(self.moments.allocated_bytes.max())

    @property
    def peak_at_s(self) -> float:
        """When that was first so."""
        return float(self.moments.at_s[self.moments.allocated_bytes.idxmax()])


def curves(events: Events) -> list[Curve]:
    """The curve of each device of which the trace has allocations."""
    found = []
    for (kind, index), rows in events.allocations.groupby(["kind", "index"], sort=True):
        has_totals = bool((rows.allocated != UNKNOWN).all())
        moments = pd.DataFrame(
            {
                "at_s": rows.at_ns / 1e9,
                "allocated_bytes": rows.allocated if has_totals else rows.change.cumsum(),
                "reserved_bytes": rows.reserved.where(rows.reserved > 0).astype(float),
            }
        ).reset_index(drop=True)
        found.append(Curve(device=device_name(kind, index), moments=moments, since_the_trace_began=not has_totals))
    return found


def device_name(kind: int, index: int) -> str:
    """The name of a device by its type and index."""
    if kind == HOST:
        return "cpu"
    return f"device {index}" if index >= 0 else f"device of type {kind}"


def by_operator(events: Events, operators: Calls) -> pd.DataFrame:
    """A row an operator and device, that with the most allocated bytes first.

    Columns: operator, device, allocations, allocated_bytes and freed_bytes while it was the innermost operator of the
    thread, and kept_bytes, their difference.
    """
    rows = events.allocations
    owner = operators.at(rows.thread.to_numpy(), rows.at_ns.to_numpy())
    inside = owner != UNKNOWN
    name = np.full(len(owner), UNKNOWN, dtype=np.int64)
    name[inside] = events.name[operators.event[owner[inside]]]
    found = pd.DataFrame(
        {
            "operator": name,
            "kind": rows.kind,
            "index": rows["index"],
            "allocations": (rows.change > 0).astype(np.int64),
            "allocated_bytes": rows.change.clip(lower=0),
            "freed_bytes": -rows.change.clip(upper=0),
            "kept_bytes": rows.change,
        }
    )
    summed = found.groupby(["operator", "kind", "index"], sort=False).sum().reset_index()
    summed["operator"] = [OUTSIDE if number == UNKNOWN else events.names[number] for number in summed.operator]
    devices = [device_name(kind, index) for kind, index in zip(summed.kind, summed["index"], strict=True)]
    summed.insert(1, "device", devices)
    summed = summed.drop(columns=["kind", "index"])
    return summed.sort_values("allocated_bytes", ascending=False, kind="stable", ignore_index=True)


def thinned(moments: pd.DataFrame, most: int = MOST_MOMENTS) -> pd.DataFrame:
    """A curve of at most about `most` moments: of each stretch its first, lowest, highest and last one are kept."""
    if len(moments) <= most:
        return moments
    stretch = np.arange(len(moments)) * (most // 4) // len(moments)
    groups = moments.allocated_bytes.groupby(stretch)
    edges = moments.index.to_series().groupby(stretch)
    kept = pd.concat([groups.idxmin(), groups.idxmax(), edges.first(), edges.last()])
    return moments.loc[np.unique(kept)].reset_index(drop=True)
