"""The tables of a report, in base units, empty (NaN) where something was not measured."""

import math
from typing import Any

import numpy as np
import pandas as pd

from bench.analyse.load import RunData, cell
from bench.analyse.stats import NOTHING, Interval, as_ratio, inverse, shift_interval
from bench.analyse.verdicts import INVALID, NOISY, UNDECIDED, Control, delta_of, verdict
from bench.core.axes.compile_mode import COMPILE_MODE
from bench.core.traces import BETWEEN
from bench.core.variants import LARGEST
from bench.plan.schedule import times_steps

EPOCH_IMAGES = 60_000
PHASES = ("data", "h2d", "forward", "loss", "backward", "scaler", "optimizer", "read")

Row = dict[str, Any]


def controls(data: RunData) -> list[Control]:
    """A against A' of every variant that was measured twice: A' over A."""
    steps = ((variant_id, log_steps(data, variant_id)) for variant_id in data.variants.variant_id)
    return [control(data, variant_id, logs) for variant_id, logs in steps if "A'" in logs]


def control(data: RunData, variant_id: str, logs: pd.DataFrame) -> Control:
    """A against A' of one variant, from the logs of its steps by round and arm."""
    ratio = as_ratio(shift_interval(logs["A'"], logs[["A"]]))
    return Control(variant_id=variant_id, device=device_of(data, variant_id), ratio=ratio, rounds=len(logs))


def ratio_to(data: RunData, variant_id: str, reference_id: str) -> tuple[Interval, int]:
    """The reference's seconds per image over the variant's, from rounds that have both; and their number.

    Where one of the two is a baseline, its two arms are both held against the other.
    """
    mine, reference = log_steps(data, variant_id), log_steps(data, reference_id)
    rounds = mine.index.intersection(reference.index)
    if variant_id == reference_id or rounds.empty:
        return NOTHING, 0
    mine, reference = mine.loc[rounds], reference.loc[rounds]
    if mine.shape[1] > 1 and reference.shape[1] > 1:
        mine, reference = (arms.mean(axis=1).to_frame() for arms in (mine, reference))
    if mine.shape[1] == 1:
        return as_ratio(shift_interval(mine.iloc[:, 0], reference)), len(rounds)
    return inverse(as_ratio(shift_interval(reference.iloc[:, 0], mine))), len(rounds)


def log_steps(data: RunData, variant_id: str) -> pd.DataFrame:
    """Logs of seconds per image by complete round, a column an arm; only rounds that have every arm."""
    arms = data.steps.get(variant_id, pd.DataFrame()).dropna()
    return pd.DataFrame(np.log(arms / batch_of(data, variant_id)))


def device_of(data: RunData, variant_id: str) -> str:
    """The device of a variant."""
    return str(data.variants.set_index("variant_id").loc[variant_id, "device"])


def batch_of(data: RunData, variant_id: str) -> float:
    """The images a step of a variant; NaN for `max` where the largest was not found."""
    size = data.variants.set_index("variant_id").loc[variant_id, "batch_size"]
    return float(data.run.plan.largest.get(variant_id, math.nan) if size == LARGEST else size)


def baseline_of(data: RunData, variant_id: str) -> str | None:
    """The baseline that a variant is held against, if the run has it."""
    rows = data.variants.set_index("variant_id")
    mine = rows.loc[variant_id]
    same = rows[(rows.baseline == "True")]
    for name in ("device", "batch_size", "model"):
        same = same[same[name] == mine[name]]
    return str(same.index[0]) if len(same) else None


def outcome(data: RunData, variant_id: str) -> tuple[str, str]:
    """Status and reason of a variant: invalid if any of its trials was, else what its pilot was.

    An arm that is not ok in the pilot has no later rounds; what fails later is in `spoilt`.
    """
    mine = step_trials(data, variant_id)
    invalid = mine[mine.status == "invalid"]
    if len(invalid):
        return "invalid", str(invalid.iloc[0].reason)
    if mine.empty:
        mine = data.trials[(data.trials.variant_id == variant_id) & (data.trials.status != "ok")]
    if mine.empty:
        return "not measured", "the run ended before"
    if (mine[mine.stage == "pilot"].status == "ok").any():  # one that the budget cut short was taken again
        return "ok", ""
    return str(mine.iloc[0].status), str(mine.iloc[0].reason)


def spoilt(data: RunData, variant_id: str) -> bool:
    """Whether a trial of a complete round was not ok: those that are left may be the lucky ones."""
    mine = step_trials(data, variant_id)
    return bool((mine[mine["round"].isin(data.rounds)].status != "ok").any())


def rounds_words(data: RunData, n: int) -> str:
    """In how many rounds a variant was ok, and of how many where that is not all."""
    if not n:
        return "pilot"
    return str(n) if n == len(data.rounds) else f"{n} of {len(data.rounds)}"


def step_trials(data: RunData, variant_id: str) -> pd.DataFrame:
    """The trials of a variant that measured its steps."""
    return data.trials[(data.trials.variant_id == variant_id) & data.trials.probes.map(times_steps).astype(bool)]


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

    def of(metric: str, scope: str = "step", phase: str = "") -> Interval:
        return data.spread(variant_id, metric, scope, phase=phase)

    step = of("wall")
    images_per_s = batch_of(data, variant_id) / step.estimate
    row: Row = {"variant_id": variant_id, "images_per_s": images_per_s} | bounded("step_s", step)
    for phase in PHASES:
        row |= bounded(f"{phase}_s", of("wall", "phase", phase))
    row |= bounded("closure", of("closure"))
    row["instrument_overhead"] = of("overhead").estimate
    row |= {f"{name}_s": of(name).estimate for name in ("cpu_user", "cpu_system")}
    row["page_faults"] = of("page_faults").estimate
    row |= {f"{name}_s": of(name).estimate for name in ("dispatch", "device", "launch_gaps")}
    row |= first_steps(data, variant_id, step.estimate)
    row |= epoch(data, variant_id, images_per_s)
    baseline = baseline_of(data, variant_id)
    ratio, n = ratio_to(data, variant_id, baseline) if baseline else (NOTHING, 0)
    row |= bounded("ratio", ratio)
    row["verdict"] = word(data, variant_id, ratio, n, noisy)
    row["n"] = len(data.steps.get(variant_id, ()))
    return row


def epoch(data: RunData, variant_id: str, images_per_s: float) -> Row:
    """Seconds of an epoch of 60,000 images: measured as a whole, or projected from the rate; blank without either."""
    whole = data.spread(variant_id, "epoch", "process").estimate
    images = data.spread(variant_id, "epoch_images", "process").estimate
    if images == EPOCH_IMAGES:
        return {"epoch_s": whole, "epoch_kind": "measured"}
    return {"epoch_s": EPOCH_IMAGES / images_per_s, "epoch_kind": "" if math.isnan(images_per_s) else "projected"}


def word(data: RunData, variant_id: str, ratio: Interval, n: int, noisy: set[str]) -> str:
    """The verdict of a variant; empty for baselines, pilots, failures and runs that give none."""
    status, _ = outcome(data, variant_id)
    if status == "invalid":
        return INVALID
    baseline = baseline_of(data, variant_id)
    if status != "ok" or not n or baseline is None or not data.run.plan.verdicts:
        return ""
    if spoilt(data, variant_id) or spoilt(data, baseline):
        return UNDECIDED
    device = device_of(data, variant_id)
    return NOISY if device in noisy else verdict(ratio, n, delta_of(device))


def first_steps(data: RunData, variant_id: str, step_s: float) -> Row:
    """The first step in a fresh process; for compiled variants what compiling added, cold and warm."""
    firsts = cell(data.values, "first_step", scope="process")
    firsts = firsts[firsts.variant_id == variant_id]
    cold = firsts.loc[firsts.stage == "pilot", "value"].median()
    warm = firsts.loc[firsts["round"].isin(data.rounds), "value"].median()
    mode = data.variants.set_index("variant_id").loc[variant_id, "compile_mode"]
    compiled = COMPILE_MODE.value(str(mode)).compiles
    return {
        "first_step_s": cold if math.isnan(warm) else warm,
        "compile_cold_s": cold - step_s if compiled else math.nan,
        "compile_warm_s": warm - step_s if compiled else math.nan,
    }


LAYER_COLUMNS = (
    "variant_id", "layer", "block", "type", "output_shape", "parameters", "forward_s", "forward_s_lo",
    "forward_s_hi", "backward_s", "backward_s_lo", "backward_s_hi", "share_of_step", "saved_bytes",
    "memory_format", "gradient_format", "dtype", "kernel",
)  # fmt: skip
COUNTED = ["calls", "paths"]
"""What runs of the first schemas did not note."""


def layers(data: RunData) -> pd.DataFrame:
    """layers.csv: a row a layer of every variant whose layers were timed, in the model's order, `between` last."""
    timed = {variant_id for variant_id, metric, scope, *_ in data.spreads if (metric, scope) == ("wall", "layer")}
    facts = data.layers[data.layers.variant_id.isin(timed)].drop_duplicates(["variant_id", "layer"])
    between = {"layer": BETWEEN, "block": "", "type": "", "output_shape": "", "parameters": 0}
    rows: list[Row] = []
    for variant_id, mine in facts.groupby("variant_id", sort=False):
        rows += [layer_row(data, str(variant_id), fact) for fact in [*mine.to_dict("records"), between]]
    counted = [name for name in COUNTED if name in data.layers]
    table = pd.DataFrame(rows, columns=[*LAYER_COLUMNS, *counted])
    return table.astype({name: "Int64" for name in counted if name == "calls"})


def layer_row(data: RunData, variant_id: str, fact: Row) -> Row:
    """What a layer is and what it costs in a step of a variant."""
    layer = fact["layer"]
    forward, backward = (data.spread(variant_id, "wall", "layer", layer, phase) for phase in ("forward", "backward"))
    if math.isnan(backward.estimate) and not math.isnan(forward.estimate):
        # Autograd has no node of this layer (it hands its input on, or needs no gradient): exactly none.
        backward = Interval(estimate=0.0, lo=math.nan, hi=math.nan)
    stamped_s = data.spread(variant_id, "stamped_wall").estimate
    return (
        {"variant_id": variant_id, "layer": layer}
        | {name: fact[name] for name in ("block", "type", "output_shape", "parameters")}
        | bounded("forward_s", forward)
        | bounded("backward_s", backward)
        | {
            "share_of_step": (forward.estimate + backward.estimate) / stamped_s,
            "saved_bytes": data.spread(variant_id, "saved", "layer", layer).estimate,
        }
        | {name: fact.get(name, "") for name in ("memory_format", "gradient_format", "dtype", "kernel", "paths")}
        | {"calls": fact.get("calls")}
    )


MEMORY_METRICS = (
    "parameter", "gradient", "optimizer", "saved", "allocator_peak", "process_peak", "reserved",
)  # fmt: skip


def memory(data: RunData) -> pd.DataFrame:
    """memory.csv: a row a variant whose memory was measured."""
    columns = ["variant_id", *(f"{metric}_bytes" for metric in MEMORY_METRICS)]
    ok = data.trials[(data.trials.probes == "memory") & (data.trials.status == "ok")]
    rows = [
        [v, *(data.spread(v, metric, "process").estimate for metric in MEMORY_METRICS)] for v in ok.variant_id.unique()
    ]
    return pd.DataFrame(rows, columns=columns)


NUMERICS = (
    "loss_error", "score_error", "score_bound", "gradient_error", "gradient_bound", "live_logits", "own_weights",
    "not_gated",
)  # fmt: skip


def numerics(data: RunData) -> pd.DataFrame:
    """numerics.csv: a row a variant that came as far as the gate; why it failed there, or could not be gated."""
    rows = []
    for v in data.variants[data.variants.excluded_reason == ""].variant_id:
        status, reason = outcome(data, v)
        values = {name: data.spread(v, name, "process").estimate for name in NUMERICS}
        reason = reason or not_gated(data, v)
        if status == "invalid" or reason or not math.isnan(values["gradient_bound"]):
            rows.append({"variant_id": v} | values | {"status": status, "reason": reason})
    return pd.DataFrame(rows, columns=["variant_id", *NUMERICS, "status", "reason"])


def not_gated(data: RunData, variant_id: str) -> str:
    """Why the gate could not tell what a variant computes, in words; empty where it could, or never came to it."""
    if data.spread(variant_id, "not_gated", "process").estimate != 1:
        return ""
    mine = step_trials(data, variant_id)
    reason = next((told for told in mine[mine.status == "ok"].reason if told), "for no reason that is known")
    return reason.removeprefix("not gated: ")  # older runs have it in the reason


def stamps(data: RunData) -> pd.DataFrame:
    """Stamps a step, seconds a stamp, and their product over the plain step, of each eager variant."""
    rows = []
    for v in data.variants.variant_id:
        count = data.spread(v, "stamps").estimate
        cost_s = data.spread(v, "stamp_cost", "process").estimate
        if not math.isnan(count):
            rows.append([v, count, cost_s, count * cost_s / data.spread(v, "wall").estimate])
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
