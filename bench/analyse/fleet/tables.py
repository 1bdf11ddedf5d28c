"""The tables of a fleet: a row a machine and variant, and a row a model and driver."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.analyse.fleet.verdicts import Fleet, Machine
from bench.analyse.history.gather import Setting
from bench.analyse.stats import Interval, median_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class OfDriver:
    """The machines of a kind that have one driver."""

    kind: Setting
    model: str
    driver: str
    """Empty on a CPU, and if it is unknown."""
    machines: int
    outliers: int | None
    """None if no machine of the kind can be judged."""
    ratio: Interval
    """How many times as fast the median of these machines is as the median machine of their kind."""


def kinds(of: Fleet) -> list[Setting]:
    """The kinds of machines, those with most machines first."""
    return list(dict.fromkeys(group.setting for group in of.groups))


def by_driver(of: Fleet) -> list[OfDriver]:
    """The machines of each kind by driver. A machine counts with the median over its variants of how fast it is."""
    rows = []
    for kind in kinds(of):
        drivers: dict[str, list[Machine]] = {}
        for machine in of.machines:
            if machine.kind == kind:
                drivers.setdefault(machine.every[0].member.driver, []).append(machine)
        judged = kind not in of.unjudged
        rows += [row_of(kind, driver, machines, judged=judged) for driver, machines in sorted(drivers.items())]
    return rows


def row_of(kind: Setting, driver: str, machines: Sequence[Machine], *, judged: bool) -> OfDriver:
    """The machines of a kind and driver."""
    speeds = [float(np.median([math.log(one.ratio.estimate) for one in machine.every])) for machine in machines]
    logs = median_interval(speeds)
    return OfDriver(
        kind=kind,
        model=machines[0].every[0].group.model,
        driver=driver,
        machines=len(machines),
        outliers=sum(machine.is_outlier for machine in machines) if judged else None,
        ratio=Interval(estimate=math.exp(logs.estimate), lo=float(np.exp(logs.lo)), hi=float(np.exp(logs.hi))),
    )


def machines_frame(of: Fleet) -> pd.DataFrame:
    """A row a machine, kind and variant."""
    places = {kind: place for place, kind in enumerate(kinds(of))}
    rows = [
        {
            "machine": machine.name,
            "kind": places[machine.kind],
            "model": one.group.model,
            "driver": one.member.driver,
            "variant_id": one.group.variant_id,
            "runs": one.member.runs,
            "rounds": one.member.rounds,
            "unit": one.group.unit,
            "items_per_s": math.exp(-one.member.logs.estimate),
            "ratio": one.ratio.estimate,
            "ratio_lo": one.ratio.lo,
            "ratio_hi": one.ratio.hi,
            "z": one.z,
            "p": one.p,
            "p_normal": one.p_normal,
            "p_heavy": one.p_heavy,
            "verdict": one.verdict,
            "why": str(one.why),
        }
        for machine in of.machines
        for one in machine.every
    ]
    return pd.DataFrame(rows)


def models_frame(of: Fleet) -> pd.DataFrame:
    """A row a kind and driver, with the facts that tell kinds apart."""
    places = {kind: place for place, kind in enumerate(kinds(of))}
    rows = [
        {"kind": places[row.kind], "model": row.model, "driver": row.driver}
        | {"machines": row.machines, "outliers": row.outliers}
        | {"ratio": row.ratio.estimate, "ratio_lo": row.ratio.lo, "ratio_hi": row.ratio.hi}
        | {name: value for name, value in row.kind if name != "GPU"}
        for row in by_driver(of)
    ]
    frame = pd.DataFrame(rows)
    return frame.astype({"outliers": "Int64"}) if rows else frame
