"""steps.csv."""

import math

import pandas as pd

from bench.analyse.load import RunData, cell
from bench.analyse.outcomes import outcome, spoilt
from bench.analyse.ratios import baseline_of, controls, items_of, ratio_to, unit_of
from bench.analyse.stats import NOTHING, Interval
from bench.analyse.tables.columns import Row, bounded, metric_columns
from bench.analyse.tables.roofline import step_share
from bench.analyse.verdicts import INVALID, NOISY, UNDECIDED, verdict
from bench.core.metrics.metric import MetricTable
from bench.core.metrics.registry import in_table

EPOCH_IMAGES = 60_000


def steps(data: RunData) -> pd.DataFrame:
    """steps.csv: a row a variant that could run."""
    noisy = {control.device for control in controls(data) if control.noisy}
    return without_rare(pd.DataFrame([step_row(data, variant_id, noisy) for variant_id in data.runnable]))


def without_rare(table: pd.DataFrame) -> pd.DataFrame:
    """The table without the columns of rare metrics that no variant has."""
    rare = [metric.in_table for metric in in_table(MetricTable.STEPS) if metric.rare and metric.in_table in table]
    return table.drop(columns=[name for name in rare if table[name].isna().all()])


def ranked(steps: pd.DataFrame) -> pd.DataFrame:
    """The variants that have a rate: those of the rounds, the fastest first, then those that no round measured.

    The column `counts` says whether rounds measured it.
    """
    known = steps.dropna(subset="items_per_s")
    return known.assign(counts=known.n > 0).sort_values(["counts", "items_per_s"], ascending=False, kind="stable")


def step_row(data: RunData, variant_id: str, noisy: set[str]) -> Row:
    """What a step of a variant costs, and how it compares with its baseline."""
    step_s = data.spread(variant_id, "wall").estimate
    items_per_s = items_of(data, variant_id) / step_s
    baseline = baseline_of(data, variant_id)
    ratio, n = ratio_to(data, variant_id, baseline) if baseline else (NOTHING, 0)
    return (
        {"variant_id": variant_id, "items_per_s": items_per_s, "unit": unit_of(data)}
        | metric_columns(data, variant_id, MetricTable.STEPS)
        | first_steps(data, variant_id, step_s)
        | epoch(data, variant_id, items_per_s)
        | bounded("ratio", ratio)
        | {"roof_share": step_share(data, variant_id)}
        | {"verdict": word(data, variant_id, ratio, n, noisy), "n": len(data.steps.get(variant_id, ()))}
    )


def epoch(data: RunData, variant_id: str, items_per_s: float) -> Row:
    """Seconds of an epoch of 60,000 images, measured whole or projected from the rate, and which; blank if unknown."""
    whole = data.spread(variant_id, "epoch", "process").estimate
    images = data.spread(variant_id, "epoch_images", "process").estimate
    if data.run.inputs.task or data.infers:
        return {"epoch_s": math.nan, "epoch_kind": ""}
    if images == EPOCH_IMAGES:
        return {"epoch_s": whole, "epoch_kind": "measured"}
    return {"epoch_s": EPOCH_IMAGES / items_per_s, "epoch_kind": "" if math.isnan(items_per_s) else "projected"}


def word(data: RunData, variant_id: str, ratio: Interval, n: int, noisy: set[str]) -> str:
    """The verdict of a variant; empty for baselines, pilots, failures and runs that give no verdicts."""
    status, _ = outcome(data, variant_id)
    if status == "invalid":
        return INVALID
    baseline = baseline_of(data, variant_id)
    if status != "ok" or not n or baseline is None or not data.run.plan.verdicts:
        return ""
    if spoilt(data, variant_id) or spoilt(data, baseline):
        return UNDECIDED
    noise = data.variants[variant_id].device in noisy
    return NOISY if noise else verdict(ratio, n, data.delta(variant_id))


def first_steps(data: RunData, variant_id: str, step_s: float) -> Row:
    """Seconds of the first step in a fresh process; of compiled variants also what compiling added, cold and warm."""
    firsts = cell(data.values, "first_step", scope="process")
    firsts = firsts[firsts.variant_id == variant_id]
    cold = firsts.loc[firsts.stage == "pilot", "value"].median()
    warm = firsts.loc[firsts["round"].isin(data.rounds), "value"].median()
    compiled = data.variants[variant_id].compiled
    return {
        "first_step_s": cold if math.isnan(warm) else warm,
        "compile_cold_s": cold - step_s if compiled else math.nan,
        "compile_warm_s": warm - step_s if compiled else math.nan,
    }
