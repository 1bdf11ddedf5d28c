"""The values of a trial: one for each cell, from its samples; and what follows from them, such as the closure."""

from collections.abc import Collection, Iterable, Mapping

import numpy as np
import pandas as pd

from bench.core.metrics.registry import metric
from bench.core.traces import PHASES
from bench.core.variants import Variant

CELL = ["metric", "scope", "layer", "phase"]
"""The columns that name what a sample is of."""

PLACE = ["trial_id", "variant_id", "arm", "round", "stage"]
"""The columns that name a trial and its place in the run."""


def paths_of(trials: pd.DataFrame, samples: pd.DataFrame) -> dict[str, int]:
    """How many paths the steps of a trial took through the model at most, by variant id; only if more than one."""
    counts = samples[(samples.metric == "step_paths") & (samples["value"] > 1)]
    ok = trials.loc[trials.status == "ok", ["trial_id", "variant_id"]]
    most = (
        ok.merge(counts[["trial_id", "value"]].astype({"trial_id": str}), on="trial_id")
        .groupby("variant_id")["value"]
        .max()
    )
    return {str(variant_id): int(value) for variant_id, value in most.items()}


def of_same_models(variants: Mapping[str, Variant], variant_ids: Iterable[str]) -> set[str]:
    """All variants of the models that some variants have: so no mean is compared with a median."""
    models = {variants[variant_id].model for variant_id in variant_ids}
    return {variant_id for variant_id, variant in variants.items() if variant.model in models}


def trial_values(
    trials: pd.DataFrame, samples: pd.DataFrame, varied: set[str], averaged: Collection[str] = ()
) -> pd.DataFrame:
    """The median of each trial's samples of a cell, with the trial's place in the run.

    Of `varied` variants and `averaged` metrics it is the mean. Means of parts that only some steps have add up to the
    step; medians don't.
    Samples of trials that have no row, or were not ok, are left out. Layers and phases must be "" if blank.
    """
    ok = trials.loc[trials.status == "ok", PLACE]
    by_mean = samples.trial_id.isin(ok.trial_id[ok.variant_id.isin(varied)]) | samples.metric.isin(averaged)
    cells = ["trial_id", *CELL]
    frames = [samples[~by_mean].groupby(cells, observed=True, sort=False)["value"].median().reset_index()]
    if by_mean.any():
        frames.append(samples[by_mean].groupby(cells, observed=True, sort=False)["value"].mean().reset_index())
    values = pd.concat(frames, ignore_index=True)
    for name in cells:
        values[name] = values[name].astype(str)
    return ok.merge(values, on="trial_id", how="inner")


def rank_values(trials: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """The median of each rank's samples of a metric in a trial of several ranks that was ok, with the trial's place."""
    own = samples[samples["rank"].notna()] if "rank" in samples else samples.head(0).assign(rank=np.nan)
    of_rank = ["trial_id", "rank", *CELL]
    values = own.groupby(of_rank, observed=True, sort=False)["value"].median().reset_index()
    texts = {name: str for name in of_rank if name != "rank"}
    ok = trials.loc[trials.status == "ok", PLACE]
    return ok.merge(values.astype(texts), on="trial_id", how="inner")


def fastest(trials: pd.DataFrame, samples: pd.DataFrame, varied: set[str]) -> pd.DataFrame:
    """The fastest plain sample of each of these trials that was ok, with the trial's place in the run.

    What else the machine does only slows a step down, so the fastest sample is the one that it least affects. The
    fastest of more samples is faster by chance alone, so as many count of each trial as the one with the fewest has.
    Of `varied` variants it is the mean: their fastest step may be the one that skipped most.
    """
    ok = trials.loc[trials.status == "ok", PLACE]
    walls = samples[(samples.metric == "wall") & (samples.scope == "step")].astype({"trial_id": str})
    walls = walls[walls.trial_id.isin(ok.trial_id)]
    place = walls.groupby("trial_id").cumcount()
    fewest = place.groupby(walls.trial_id).max().min()
    of_trial = walls[place <= fewest].groupby("trial_id")["value"].agg(["min", "mean"])
    joined = ok.join(of_trial, on="trial_id", how="inner")
    return joined[PLACE].assign(value=joined["min"].where(~joined.variant_id.isin(varied), joined["mean"]))


def whole_percentiles(values: pd.DataFrame) -> pd.DataFrame:
    """The values without those percentiles of calls that only some trials of a variant could show: its fastest."""
    keys = ["variant_id", "stage", "metric"]
    calls = values[values.metric.str.startswith("latency_")]
    trials = calls.groupby(keys[:2])["trial_id"].nunique()
    shown = calls.groupby(keys)["trial_id"].nunique()
    partial = shown[shown < trials.reindex(shown.index.droplevel("metric")).to_numpy()].index
    return values[~pd.MultiIndex.from_frame(values[keys]).isin(partial)]


def launch_gaps(values: pd.DataFrame) -> pd.DataFrame:
    """How long the device waits for the host in a step, as values of the metric `launch_gaps`, at least 0.

    The host's time for handing over the step (dispatch), less the step's own time on the device. Only of trials
    whose steps were stamped after a backlog: their parts hold no gaps.
    """
    of_step = values[values.scope == "step"]
    backlog, dispatch, device = (
        of_step[of_step.metric == m].set_index(PLACE)["value"] for m in ("backlog", "dispatch", "stamped_wall")
    )
    return _values_of("launch_gaps", (dispatch - device).clip(lower=0).where(backlog > 0))


def closures(values: pd.DataFrame) -> pd.DataFrame:
    """The closure of each trial, as values of the metric `closure`.

    The sum of its parts over its plain step. The parts are the layers and `between` if layers were measured, else
    forward and backward; the other phases; and the launch gaps if they are known. A step with phases of its own has
    its layers within them: then the phases alone are the parts.
    """
    walls = values[values.metric == "wall"]
    phases = walls[walls.scope == "phase"]
    named = set(phases.loc[~phases.phase.isin(PHASES), "trial_id"])
    layers = walls[(walls.scope == "layer") & ~walls.trial_id.isin(named)]
    layered = set(layers.trial_id)
    inside = phases.trial_id.isin(layered) & phases.phase.isin(("forward", "backward"))
    gaps = values[(values.metric == "launch_gaps") & (values.scope == "step")]
    parts = pd.concat([layers, phases[~inside], gaps])
    plain = walls[walls.scope == "step"].set_index(PLACE)["value"]
    return _values_of("closure", parts.groupby(PLACE)["value"].sum() / plain)


def overheads(values: pd.DataFrame) -> pd.DataFrame:
    """The stamped step of each trial over its plain one, less 1, as values of the metric `overhead`.

    If steps were stamped after a backlog, the plain step counts without its launch gaps.
    """
    of_step = values[values.scope == "step"]
    stamped, plain, gaps = (
        of_step[of_step.metric == m].set_index(PLACE)["value"] for m in ("stamped_wall", "wall", "launch_gaps")
    )
    busy = plain.sub(gaps.reindex(plain.index).fillna(0))
    return _values_of("overhead", stamped / busy - 1)


def _values_of(name: str, by_place: pd.Series) -> pd.DataFrame:
    """The known results of a computation, by trial, as values of a registered metric."""
    values = by_place.dropna().rename("value").reset_index()
    return values.assign(metric=name, scope=str(metric(name).scope), layer="", phase="")


DERIVED = (launch_gaps, closures, overheads)
"""What is computed from a trial's values, each after what it needs."""


def with_derived(values: pd.DataFrame) -> pd.DataFrame:
    """The values with those that are computed from them."""
    for derive in DERIVED:
        values = pd.concat([values, derive(values)], ignore_index=True)
    return values
