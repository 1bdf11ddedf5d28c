"""Stored runs side by side: their variants matched, and tables of what each costs in every run.

Nothing here is a verdict: two runs also differ in machine, date and software.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from bench.analyse import ratios, tables
from bench.analyse.labels import SHARED_AXES, name_of
from bench.analyse.load import RunData, variant_axes
from bench.analyse.stats import LEAST_ROUNDS, LEVEL, NOTHING, Interval
from bench.analyse.tables import roofline
from bench.core.facts import Environment
from bench.core.metrics.metric import MetricTable
from bench.core.metrics.registry import in_table
from bench.core.records import RecordError

CANARIES = ("convolution", "matmul", "copy")
CANARIES_ON_DEVICE = 4
"""The first schema in which a GPU's canaries are timed on the device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A run with its tables."""

    name: str
    data: RunData
    steps: pd.DataFrame
    layers: pd.DataFrame
    memory: pd.DataFrame

    def model_of(self, device: str) -> str:
        """The name of the device's hardware, a GPU's or the processor's; empty if it is not known."""
        return self.data.run.environment.hardware_of(device)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A variant with its id in each run, or None. The name of its device may differ between the runs."""

    name: str
    ids: tuple[str | None, ...]

    @property
    def shared(self) -> bool:
        """Whether the first run and some other have it."""
        return self.ids[0] is not None and any(self.ids[1:])


def sides(runs: Sequence[RunData]) -> list[Side]:
    """The runs with their tables, each under its own name. Raises RecordError for any run but those of `bench run`."""
    all_sides: list[Side] = []
    for data in runs:
        if data.run.kind != "run":
            msg = f"{data.folder}: an ab run holds two code trees; compare takes runs of python -m bench run"
            raise RecordError(msg)
        name, taken = data.run.run_id, {side.name for side in all_sides}
        unique = next(n for n in (name, *(f"{name}-{i}" for i in range(2, 99))) if n not in taken)
        parts = (tables.steps(data), tables.layers(data), tables.memory(data))
        all_sides.append(Side(name=unique, data=data, steps=parts[0], layers=parts[1], memory=parts[2]))
    return all_sides


def matches(runs: Sequence[Side]) -> list[Match]:
    """Every variant that some run measured, with its id in each run; those of the first run come first.

    Two variants match if all axes but the device are equal. A device of the same name goes before one of the same
    kind, and that before any other. Each variant matches once.
    """
    left = [[str(v) for v in run.steps.dropna(subset="step_s").variant_id] for run in runs]
    shared_axes = _differing_axes(runs)
    all_matches = []
    for index, run in enumerate(runs):
        ours = {variant_id: _axes(run, variant_id) for variant_id in left[index]}
        partners = [_partners(ours, o, theirs) for o, theirs in zip(runs[index + 1 :], left[index + 1 :], strict=True)]
        for variant_id, axes in ours.items():
            ids = (*[None] * index, variant_id, *(pairs.get(variant_id) for pairs in partners))
            all_matches.append(Match(name=name_of(axes, shared_axes), ids=ids))
        for theirs, pairs in zip(left[index + 1 :], partners, strict=True):
            theirs[:] = [variant_id for variant_id in theirs if variant_id not in pairs.values()]
    return all_matches


def _differing_axes(runs: Sequence[Side]) -> list[str]:
    """The shared axes that names must have so that no two names are the same."""
    ran = [[variant_axes(run.data, variant_id) for variant_id in run.data.runnable] for run in runs]
    together = [axes for of_run in ran for axes in of_run]
    names = [name for name in SHARED_AXES if name != "device" and len({axes[name] for axes in together}) > 1]
    return names + ["device"] * any(len({axes["device"] for axes in of_run}) > 1 for of_run in ran)


def _partners(own_axes: dict[str, dict[str, str]], run: Side, candidates: Sequence[str]) -> dict[str, str]:
    """The candidate that each variant is matched with: the nearest devices first, each candidate once."""
    theirs = {variant_id: _axes(run, variant_id) for variant_id in candidates}
    pairs: dict[str, str] = {}
    for nearest in (0, 1, 2):
        for variant_id, axes in own_axes.items():
            free = [v for v in theirs if v not in pairs.values() and _distance(axes, theirs[v]) == nearest]
            if variant_id not in pairs and free:
                pairs[variant_id] = free[0]
    return pairs


def _axes(run: Side, variant_id: str) -> dict[str, str]:
    """The axes of a variant, with its batch size as a number even if it is the largest that fits."""
    return variant_axes(run.data, variant_id) | {"batch_size": f"{ratios.batch_of(run.data, variant_id):.0f}"}


def _distance(axes: dict[str, str], others: dict[str, str]) -> int | None:
    """How far two variants' devices are apart: 0 same name, 1 same kind, 2 another; None if another axis differs."""
    if axes | {"device": ""} != others | {"device": ""}:
        return None
    if axes["device"] == others["device"]:
        return 0
    return 1 if axes["device"].partition(":")[0] == others["device"].partition(":")[0] else 2


def log_rounds(side: Side, variant_id: str) -> np.ndarray:
    """Logs of seconds an image, one a complete round, shape (n,); the two arms of a baseline count as their mean."""
    return np.asarray(ratios.log_steps(side.data, variant_id).mean(axis=1), dtype=np.float64)


def unpaired_ratio(first: np.ndarray, other: np.ndarray) -> Interval:
    """The first's seconds over the other's with Welch's interval, from logs of rounds that are not paired.

    A ratio of geometric means: it need not be the quotient of medians. No bounds if a side has under 6 rounds.
    """
    if not (len(first) and len(other)):
        return NOTHING
    estimate = math.exp(first.mean() - other.mean())
    if min(len(first), len(other)) < LEAST_ROUNDS:
        return Interval(estimate=estimate, lo=math.nan, hi=math.nan)
    bounds = stats.ttest_ind(first, other, equal_var=False).confidence_interval(LEVEL)
    return Interval(estimate=estimate, lo=math.exp(bounds.low), hi=math.exp(bounds.high))


def canaries(side: Side, device: str) -> dict[str, float]:
    """The median seconds of each canary on a device of a run; NaN if it has none."""
    return canaries_of(side.data, device)


def canaries_of(data: RunData, device: str) -> dict[str, float]:
    """The median seconds of each canary on a device over the complete rounds; NaN if a run has none."""
    metrics = [f"canary_{name}" for name in CANARIES]
    measured = data.measured[data.measured.metric.isin(metrics)]
    devices = {variant_id: variant.device for variant_id, variant in data.variants.items()}
    medians = measured[measured.variant_id.map(devices) == device].groupby("metric")["value"].median()
    return dict(zip(CANARIES, medians.reindex(metrics), strict=True))


def drift(ours: dict[str, float], theirs: dict[str, float]) -> float:
    """How many times as fast their canaries ran as ours: the geometric mean of three ratios; NaN without canaries."""
    return float(np.exp(np.mean([np.log(ours[name] / theirs[name]) for name in CANARIES])))


def drift_of(first: Side, other: Side, devices: tuple[str, str]) -> float:
    """The drift between a device of each run; NaN if their models of device differ or are unknown.

    Also NaN if one run timed its GPU's canaries on the device and the other on the host.
    """
    if not first.model_of(devices[0]) or first.model_of(devices[0]) != other.model_of(devices[1]):
        return math.nan
    on_host = {run.data.run.schema_version < CANARIES_ON_DEVICE for run in (first, other)}
    if devices[0].startswith("cuda") and len(on_host) > 1:
        return math.nan
    return drift(canaries(first, devices[0]), canaries(other, devices[1]))


def steps(runs: Sequence[Side], variants: Sequence[Match]) -> pd.DataFrame:
    """A row a variant and run: seconds by step and phase, and the first run's seconds over this one's.

    `ratio_less_drift` is that ratio over the canaries' own; empty between different models of device.
    `ratio_at_equal_share` is what it would be if both came equally near to their roofs; empty if a share is not known.
    """
    rows: list[dict[str, object]] = []
    drifts: dict[tuple[str, str, str], float] = {}
    for match in variants:
        for run, variant_id in zip(runs, match.ids, strict=True):
            if variant_id is None:
                continue
            of_run = run.steps.set_index("variant_id").loc[variant_id]
            row = {"variant": match.name, "run": run.name, "variant_id": variant_id, "n": of_run["n"]}
            row |= {"items_per_s": of_run.items_per_s} | tables.bounded("step_s", bounds_of(of_run, "step_s"))
            row |= {f"{phase}_s": of_run[f"{phase}_s"] for phase in tables.phases_of(run.data)}
            reference = match.ids[0]
            if reference is not None and run is not runs[0]:
                ratio = unpaired_ratio(log_rounds(runs[0], reference), log_rounds(run, variant_id))
                row |= tables.bounded("ratio", ratio)
                devices = runs[0].data.variants[reference].device, run.data.variants[variant_id].device
                if (run.name, *devices) not in drifts:
                    drifts[run.name, *devices] = drift_of(runs[0], run, devices)
                row["ratio_less_drift"] = ratio.estimate / drifts[run.name, *devices]
                shares = [roofline.step_share(side.data, v) for side, v in ((runs[0], reference), (run, variant_id))]
                row["ratio_at_equal_share"] = ratio.estimate * shares[0] / shares[1]
            rows.append(row)
    return pd.DataFrame(rows)


def bounds_of(row: "pd.Series[Any]", name: str) -> Interval:
    """A value of a table with its two bounds."""
    return Interval(estimate=row[name], lo=row[f"{name}_lo"], hi=row[f"{name}_hi"])


def layers(runs: Sequence[Side], variants: Sequence[Match]) -> pd.DataFrame:
    """A row a layer, variant and run: forward and backward seconds with bounds, and the first run's over this one's."""
    carried = [
        "type",
        "share_of_step",
        *(f"{phase}_s_{end}" for phase in ("forward", "backward") for end in ("lo", "hi")),
    ]
    return _side_by_side(runs, variants, [run.layers for run in runs], ["forward_s", "backward_s"], carried)


def memory(runs: Sequence[Side], variants: Sequence[Match]) -> pd.DataFrame:
    """A row a variant and run: bytes, and the first run's over this one's."""
    frames = [run.memory.assign(layer="") for run in runs]
    values = [metric.in_table for metric in in_table(MetricTable.MEMORY)]
    return _side_by_side(runs, variants, frames, values).drop(columns="layer")


def _side_by_side(
    runs: Sequence[Side],
    variants: Sequence[Match],
    frames: Sequence[pd.DataFrame],
    values: list[str],
    carried: Sequence[str] = (),
) -> pd.DataFrame:
    """A row a variant, run and layer: `carried` and `values` of each run's frame, and the ratios to the first run."""
    parts = []
    for match in variants:
        tables_of = [
            frame[frame.variant_id == variant_id].set_index("layer")[["variant_id", *carried, *values]]
            for frame, variant_id in zip(frames, match.ids, strict=True)
        ]
        for run, table in zip(runs, tables_of, strict=True):
            ratios = (tables_of[0][values] / table[values]).rename(columns="{}_ratio".format)
            whole = table if run is runs[0] else table.join(ratios)
            parts.append(whole.assign(variant=match.name, run=run.name).reset_index())
    columns = ["variant", "run", "variant_id", "layer", *carried, *values, *(f"{value}_ratio" for value in values)]
    return pd.concat(parts, ignore_index=True).reindex(columns=columns)


def environments(runs: Sequence[Side]) -> pd.DataFrame:
    """A row a fact: its value in each run, and `differs`, whether any run's differs from the first's."""
    facts = [run.data.run.environment.facts() for run in runs]
    names = [name for name in Environment.__struct_fields__ if any(name in of_run for of_run in facts)]
    rows = []
    for name in names:
        values = [of_run.get(name) for of_run in facts]
        differs = any(value != values[0] for value in values)
        rows.append({"fact": name, "differs": differs} | {run.name: v for run, v in zip(runs, values, strict=True)})
    return pd.DataFrame(rows)
