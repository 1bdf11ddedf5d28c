"""The tables of a report, in base units, empty (NaN) where something was not measured."""

from typing import Any

import numpy as np
import pandas as pd

from bench.analyse.load import RunData, by_round, cell
from bench.analyse.stats import NOTHING, Interval, median_interval, shift_interval
from bench.analyse.verdicts import INVALID, NOISY, Control, delta_of, verdict

EPOCH_IMAGES = 60_000
PHASES = ("data", "h2d", "forward", "loss", "backward", "optimizer", "read")
EAGER = "eager"

Row = dict[str, Any]


def controls(data: RunData) -> list[Control]:
    """A against A' of every baseline that was measured twice."""
    walls = cell(data.measured, "wall")
    found = []
    for variant_id in data.variants.loc[data.variants.baseline == "True", "variant_id"]:
        mine = walls[walls.variant_id == variant_id]
        arms = mine.pivot_table(index="round", columns="arm", values="value")
        if {"A", "A'"} <= set(arms.columns):
            arms = arms.dropna()
            interval = shift_interval(np.log(arms["A'"]), np.log(arms[["A"]]))
            device = device_of(data, variant_id)
            found.append(
                Control(variant_id=variant_id, device=device, ratio=as_ratio(interval), rounds=len(arms))
            )  # fmt: skip
    return found


def ratio_to(data: RunData, variant_id: str, reference_id: str) -> tuple[Interval, int]:
    """The reference's seconds per image over the variant's, from rounds that have both; and their number.

    A baseline's two arms are both held against the variant.
    """
    walls = cell(data.measured, "wall")
    mine = walls[walls.variant_id == variant_id]
    if variant_id == reference_id or mine.empty:
        return NOTHING, 0
    arms = walls[walls.variant_id == reference_id].pivot_table(
        index="round", columns="arm", values="value"
    )
    both = arms.join(mine.set_index("round")["value"].rename("mine"), how="inner").dropna()
    if both.empty:
        return NOTHING, 0
    scale = batch_of(data, reference_id) / batch_of(data, variant_id)  # per image, if batches differ
    mine_s = both.pop("mine") * scale
    return as_ratio(shift_interval(np.log(mine_s), np.log(both))), len(both)


def as_ratio(shift: Interval) -> Interval:
    """How many times faster, from by how much the log of the seconds lies higher."""
    return Interval(
        estimate=float(np.exp(-shift.estimate)),
        lo=float(np.exp(-shift.hi)),
        hi=float(np.exp(-shift.lo)),
    )


def device_of(data: RunData, variant_id: str) -> str:
    """The device of a variant."""
    return str(data.variants.set_index("variant_id").loc[variant_id, "device"])


def batch_of(data: RunData, variant_id: str) -> int:
    """The images a step of a variant."""
    return int(data.variants.set_index("variant_id").loc[variant_id, "batch_size"])


def baseline_of(data: RunData, variant_id: str) -> str | None:
    """The baseline that a variant is held against, if the run has it."""
    rows = data.variants.set_index("variant_id")
    mine = rows.loc[variant_id]
    same = rows[(rows.baseline == "True")]
    for name in ("device", "batch_size", "model"):
        same = same[same[name] == mine[name]]
    return str(same.index[0]) if len(same) else None


def outcome(data: RunData, variant_id: str) -> tuple[str, str]:
    """Status and reason of a variant: those of its first trial of steps that was not ok, else ok."""
    steps = data.trials[(data.trials.variant_id == variant_id) & (data.trials.probes != "memory")]
    bad = steps[steps.status != "ok"]
    if steps.empty:
        return "not measured", "the run ended before"
    if bad.empty or (steps.status == "ok").sum() > len(bad):
        return "ok", ""
    return str(bad.iloc[0].status), str(bad.iloc[0].reason)


def spread(data: RunData, values: pd.DataFrame, variant_id: str) -> Interval:
    """A cell's value of a variant over the rounds; from the pilot, without bounds, if it has none."""
    rounds = by_round(values[values["round"].isin(data.rounds)], variant_id)
    if len(rounds):
        return median_interval(rounds)
    pilot = by_round(values[values.stage == "pilot"], variant_id)
    return Interval(estimate=float(pilot.median()), lo=np.nan, hi=np.nan) if len(pilot) else NOTHING


def bounded(name: str, interval: Interval) -> Row:
    """Three columns of a row: the estimate and its bounds."""
    return {name: interval.estimate, f"{name}_lo": interval.lo, f"{name}_hi": interval.hi}


def steps(data: RunData) -> pd.DataFrame:
    """steps.csv: a row a variant that could run."""
    runnable = data.variants[data.variants.excluded_reason == ""].variant_id
    noisy = {control.device for control in controls(data) if control.noisy}
    return pd.DataFrame([step_row(data, variant_id, noisy) for variant_id in runnable])


def step_row(data: RunData, variant_id: str, noisy: set[str]) -> Row:
    """What a step of a variant costs, and what that is worth against its baseline."""
    values = data.values

    def over_rounds(metric: str, scope: str = "step") -> float:
        return spread(data, cell(values, metric, scope=scope), variant_id).estimate

    step = spread(data, cell(values, "wall"), variant_id)
    images_per_s = batch_of(data, variant_id) / step.estimate
    row: Row = {"variant_id": variant_id, "images_per_s": images_per_s} | bounded("step_s", step)
    for phase in PHASES:
        seconds = cell(values, "wall", scope="phase", phase=phase)
        row |= bounded(f"{phase}_s", spread(data, seconds, variant_id))
    closures = closure_values(values[values.variant_id == variant_id])
    row |= bounded("closure", spread(data, closures, variant_id))
    row["instrument_overhead"] = over_rounds("stamped_wall") / step.estimate - 1
    row |= {f"{name}_s": over_rounds(name) for name in ("cpu_user", "cpu_system")}
    row["page_faults"] = over_rounds("page_faults")
    row |= {f"{name}_s": over_rounds(name) for name in ("dispatch", "device")}
    row |= first_steps(data, variant_id, step.estimate)
    row |= {"epoch_s": EPOCH_IMAGES / images_per_s, "epoch_kind": "projected"}
    baseline = baseline_of(data, variant_id)
    ratio, n = ratio_to(data, variant_id, baseline) if baseline else (NOTHING, 0)
    row |= bounded("ratio", ratio)
    row["verdict"] = word(data, variant_id, ratio, n, noisy)
    row["n"] = len(by_round(cell(data.measured, "wall"), variant_id))
    if np.isnan(step.estimate):
        row["epoch_kind"] = ""
    return row


def word(data: RunData, variant_id: str, ratio: Interval, n: int, noisy: set[str]) -> str:
    """The verdict of a variant; empty for baselines, pilots, failures and runs that give none."""
    if outcome(data, variant_id)[0] == "invalid":
        return INVALID
    if not n or not data.run["plan"]["verdicts"]:
        return ""
    device = device_of(data, variant_id)
    return NOISY if device in noisy else verdict(ratio, n, delta_of(device))


def first_steps(data: RunData, variant_id: str, step_s: float) -> Row:
    """The first step in a fresh process; for compiled variants what compiling added, cold and warm."""
    firsts = cell(data.values, "first_step", scope="process")
    cold = by_round(firsts[firsts.stage == "pilot"], variant_id).median()
    warm = by_round(firsts[firsts["round"].isin(data.rounds)], variant_id).median()
    compiled = data.variants.set_index("variant_id").loc[variant_id, "compile_mode"] != EAGER
    return {
        "first_step_s": cold if np.isnan(warm) else warm,
        "compile_cold_s": cold - step_s if compiled else np.nan,
        "compile_warm_s": warm - step_s if compiled else np.nan,
    }


def closure_values(values: pd.DataFrame) -> pd.DataFrame:
    """The closure of each trial: its parts, summed, over its median plain step.

    The parts are the layers and `between` where layers were measured, else forward and backward,
    and the other phases.
    """
    keys = ["trial_id", "variant_id", "arm", "round", "stage"]
    walls = values[(values.metric == "wall")]
    phases = walls[walls.scope == "phase"]
    layered = set(walls.loc[walls.scope == "layer", "trial_id"])
    inside = phases.trial_id.isin(layered) & phases.phase.isin(("forward", "backward"))
    parts = pd.concat([walls[walls.scope == "layer"], phases[~inside]])
    summed = parts.groupby(keys)["value"].sum()
    plain = walls[walls.scope == "step"].set_index(keys)["value"]
    return (summed / plain).dropna().rename("value").reset_index()


def layers(data: RunData) -> pd.DataFrame:
    """layers.csv: a row a layer of a variant, in the model's order, `between` last."""
    rows: list[Row] = []
    walls = data.values[(data.values.scope == "layer") & (data.values.metric == "wall")]
    for variant_id in walls.variant_id.unique():
        mine = walls[walls.variant_id == variant_id]
        stamped = spread(data, cell(data.values, "stamped_wall"), variant_id).estimate
        facts = data.layers[data.layers.variant_id == variant_id].drop_duplicates("layer")
        known = facts.set_index("layer").to_dict("index")
        saved = cell_by_layer(data, variant_id, "saved")
        for layer in [*facts.layer, "between"]:
            of_layer = mine[mine.layer == layer]
            forward, backward = (
                spread(data, of_layer[of_layer.phase == phase], variant_id)
                for phase in ("forward", "backward")
            )
            if np.isnan(backward.estimate) and not np.isnan(forward.estimate):
                # A leaf that hands its input on, or that no gradient passes: it has no backward.
                backward = Interval(estimate=0.0, lo=0.0, hi=0.0)
            fact = known.get(layer, {"block": "", "type": "", "parameters": 0})
            rows.append(
                {"variant_id": variant_id, "layer": layer}
                | {name: fact.get(name, "") for name in ("block", "type", "output_shape", "parameters")}
                | bounded("forward_s", forward)
                | bounded("backward_s", backward)
                | {"share_of_step": (forward.estimate + backward.estimate) / stamped}
                | {"saved_bytes": saved.get(layer, np.nan)}
                | {name: fact.get(name, "") for name in ("memory_format", "dtype")}
                | {"kernel": ""}
            )
    return pd.DataFrame(rows)


def cell_by_layer(data: RunData, variant_id: str, metric: str) -> dict[str, float]:
    """The pilot's value of a metric by layer."""
    mine = data.pilot[(data.pilot.variant_id == variant_id) & (data.pilot.scope == "layer")]
    mine = mine[mine.metric == metric]
    return dict(zip(mine.layer, mine["value"], strict=True))


MEMORY_METRICS = (
    "parameter", "gradient", "optimizer", "saved", "allocator_peak", "process_peak", "reserved",
)  # fmt: skip


def memory(data: RunData) -> pd.DataFrame:
    """memory.csv: a row a variant whose memory was measured."""
    mine = data.pilot[(data.pilot.probe == "memory") & (data.pilot.scope == "process")]
    rows = []
    for variant_id in mine.variant_id.unique():
        found = mine[mine.variant_id == variant_id].set_index("metric")["value"].to_dict()
        rows.append(
            {"variant_id": variant_id}
            | {f"{name}_bytes": found.get(name, np.nan) for name in MEMORY_METRICS}
        )
    return pd.DataFrame(rows, columns=["variant_id", *(f"{m}_bytes" for m in MEMORY_METRICS)])


def stamps(data: RunData) -> pd.DataFrame:
    """Stamps a step, seconds a stamp, and their product over the plain step, of each eager variant."""
    rows = []
    for variant_id in data.values.loc[data.values.metric == "stamps", "variant_id"].unique():
        count = spread(data, cell(data.values, "stamps"), variant_id).estimate
        cost_s = spread(data, cell(data.values, "stamp_cost", scope="process"), variant_id).estimate
        step_s = spread(data, cell(data.values, "wall"), variant_id).estimate
        rows.append(
            {"variant_id": variant_id, "stamps": count, "stamp_cost_s": cost_s, "share": count * cost_s / step_s}
        )  # fmt: skip
    return pd.DataFrame(rows, columns=["variant_id", "stamps", "stamp_cost_s", "share"])


def failures(data: RunData) -> pd.DataFrame:
    """Trials that were not ok: variant, status, reason, and how many of how many."""
    rows = []
    for (variant_id, probes), mine in data.trials.groupby(["variant_id", "probes"], sort=False):
        bad = mine[mine.status != "ok"]
        for (status, reason), same in bad.groupby(["status", "reason"], sort=False):
            rows.append(
                {
                    "variant_id": variant_id,
                    "probes": probes,
                    "status": status,
                    "reason": reason,
                    "trials": f"{len(same)} of {len(mine)}",
                }
            )
    return pd.DataFrame(rows, columns=["variant_id", "probes", "status", "reason", "trials"])

