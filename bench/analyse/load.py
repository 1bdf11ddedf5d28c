"""The files of a run as checked data frames, and the run's values: one for each metric, arm and round."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.analyse.frames import read_frame
from bench.analyse.stats import NOTHING, Interval, median_interval
from bench.analyse.values import (
    CELL,
    fastest,
    of_same_models,
    paths_of,
    rank_values,
    trial_values,
    whole_percentiles,
    with_derived,
)
from bench.analyse.verdicts import delta_of
from bench.core.exchange.cause import Status
from bench.core.exchange.earlier import migrated
from bench.core.header import Header, check_known, read_run
from bench.core.reading import check_variant
from bench.core.records import LAYERS, SAMPLES, TRIALS, VARIANTS, RecordError, found_words
from bench.core.traces import STAGE
from bench.core.variants import Variant, as_row, from_row
from bench.plan import schedule
from bench.plan.race import STAGE as RACE

Cell = tuple[str, str, str, str, str]
"""A variant's id and the columns of CELL."""
BY_FASTEST = 8
"""The first schema whose race goes by the fastest samples."""
BURSTS = frozenset({"page_faults"})
"""Metrics of which a trial of two trees has the mean: most steps of a process that grows have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunData:
    """A run as it was measured."""

    folder: Path
    run: Header
    variants: dict[str, Variant]
    """By id, in the order of variants.csv."""
    excluded: dict[str, str]
    """Why a variant could not run, by its id; only of those that could not."""
    trials: pd.DataFrame
    layers: pd.DataFrame
    values: pd.DataFrame
    """One row a trial and cell, only of trials that were ok: trial_id, variant_id, arm, round, stage, the columns of
    CELL, and value, the median of the trial's samples (their mean if steps differ)."""
    paths: dict[str, int]
    """How many paths the steps of a trial took through the model at most, by variant id; only if more than one."""
    steps: dict[str, pd.DataFrame]
    """The plain steps of a variant in seconds, by its id: a row a complete round, a column an arm."""
    spreads: dict[Cell, Interval]
    """The value of each cell over the complete rounds; without any, the pilot's, which has no bounds."""
    rounds: list[int]
    """The complete rounds: those that count in intervals."""
    confirm_rounds: list[int]
    """The complete rounds of `ab` that check again what the others flagged."""
    raced: pd.DataFrame
    """What each trial of the race counted as: a row a trial, with its place and value."""
    ranks: pd.DataFrame
    """The values of each rank in trials of several: a row a trial, rank, metric, scope and phase."""
    traced: pd.DataFrame
    """The samples of each variant's last trial that took a trace, with variant_id. No other frame counts them."""
    warnings: list[str]

    def spread(self, variant_id: str, metric: str, scope: str = "step", layer: str = "", phase: str = "") -> Interval:
        """The value of a variant's cell with its interval; NaN if it was not measured."""
        return self.spreads.get((variant_id, metric, scope, layer, phase), NOTHING)

    def delta(self, variant_id: str) -> float:
        """The change of a variant's time that matters, as a share."""
        return delta_of(self.variants[variant_id].device, self.run.plan.delta)

    def arms_of(self, variant_id: str) -> list[str]:
        """The names of a variant's arms."""
        return [name for owner, name in self.run.state.arms if owner == variant_id]

    @property
    def infers(self) -> bool:
        """Whether its variants only call their models: a run has one mode."""
        return any(variant.infers for variant in self.variants.values())

    @property
    def runnable(self) -> list[str]:
        """The ids of the variants that could run."""
        return [variant_id for variant_id in self.variants if variant_id not in self.excluded]

    @property
    def measured(self) -> pd.DataFrame:
        """The values of complete rounds."""
        return self.values[(self.values.stage == "measure") & self.values["round"].isin(self.rounds)]


def load(folder: Path) -> RunData:
    """Read a run. Raises RecordError for any damage; it names the file, and the line if there is one."""
    run = read_run(folder)
    tables = [read_frame(folder, table) for table in (VARIANTS, TRIALS, SAMPLES, LAYERS)]
    declared, trials, samples, layers = (frame for frame, _ in tables)
    trials = with_causes(trials)
    check_variants(folder, run, declared, trials, layers)
    variants = {row["variant_id"]: from_row(row) for row in declared.to_dict("records")}
    excluded = declared[declared.excluded_reason != ""]
    check_trials(folder, trials)
    check_samples(folder, samples)
    arms: list[tuple[str, str]] = [*run.state.arms]
    # Variants of two trees have rounds of their own: a round in which a trial died is repeated for that variant alone.
    groups = [[arm for arm in arms if arm[0] == v] for v in dict(arms)] if run.trees else [arms]
    rounds = complete_rounds(trials, groups, "measure")
    flagged = {cell.variant_id for cell in run.state.flagged or ()}
    to_confirm = [group for group in groups if {v for v, _ in group} & flagged]
    by_rank, samples = rank_values(trials, samples), of_trials(samples)
    paths = paths_of(trials, samples)
    varied = of_same_models(variants, paths)
    values = trial_values(trials, samples, varied, BURSTS if run.trees else ())
    values = values[values.stage != STAGE]
    # A setting that did not take effect in one trial may have failed in others, so the variant has no numbers.
    invalid = trials[(trials.status == "invalid") & (trials.stage != STAGE)]
    values = values[~values.variant_id.isin(invalid.variant_id)]
    values = with_derived(whole_percentiles(values))
    return RunData(
        folder=folder,
        run=run,
        variants=variants,
        excluded=dict(zip(excluded.variant_id, excluded.excluded_reason, strict=True)),
        trials=trials,
        layers=layers[layers.trial_id.isin(trials.trial_id)],
        values=values,
        paths=paths,
        steps=plain_steps(values, rounds),
        spreads=spreads(values, rounds),
        rounds=rounds,
        confirm_rounds=complete_rounds(trials, to_confirm, "confirm"),
        raced=raced_by(run, trials[~trials.variant_id.isin(invalid.variant_id)], samples, varied),
        ranks=by_rank[~by_rank.variant_id.isin(invalid.variant_id)],
        traced=traced_samples(trials, samples),
        warnings=[*(f"continued elsewhere: {c}" for c in run.state.changed), *(w for _, torn in tables for w in torn)],
    )


def of_trials(samples: pd.DataFrame) -> pd.DataFrame:
    """The samples that hold for whole trials, without those of single ranks. Runs before schema 9 have no others."""
    return samples[samples["rank"].isna()].drop(columns="rank") if "rank" in samples else samples


def raced_by(run: Header, trials: pd.DataFrame, samples: pd.DataFrame, varied: set[str]) -> pd.DataFrame:
    """What each trial of the race counted as: its fastest sample, in older runs its median one."""
    trials = trials[trials.stage == RACE]
    if run.schema_version >= BY_FASTEST:
        return fastest(trials, samples, varied)
    return cell(trial_values(trials, samples, varied), "wall")


def check_variants(
    folder: Path, run: Header, variants: pd.DataFrame, trials: pd.DataFrame, layers: pd.DataFrame
) -> None:
    """Check the variants that the files name.

    Raises RecordError if an id does not fit its axes, is declared twice or not at all, or was excluded and measured.
    """
    path = VARIANTS.path(folder)
    for line, row in enumerate(variants.to_dict("records"), start=2):
        check_variant(path, line, row)
    if variants.variant_id.duplicated().any():
        msg = f"{path}: {variants.variant_id[variants.variant_id.duplicated()].iloc[0]} is there twice"
        raise RecordError(msg)
    excluded = set(variants[variants.excluded_reason != ""].variant_id)
    if measured := sorted(excluded & set(trials.variant_id)):
        msg = f"{path}: {found_words(measured[0])} is excluded, and was measured"
        raise RecordError(msg)
    known = set(variants.variant_id)
    check_known(run, folder, known)
    for table_path, named in (
        (TRIALS.path(folder), set(trials.variant_id)),
        (LAYERS.path(folder), set(layers.variant_id)),
    ):
        if unknown := sorted(named - known):
            msg = f"{table_path}: found the variant {found_words(unknown[0])}, expected one of {VARIANTS.name}"
            raise RecordError(msg)


def check_trials(folder: Path, trials: pd.DataFrame) -> None:
    """Raises RecordError if two trials share an id, or a round has two trials of one arm: neither could count."""
    path = TRIALS.path(folder)
    if trials.trial_id.duplicated().any():
        msg = f"{path}: {trials.trial_id[trials.trial_id.duplicated()].iloc[0]} is there twice"
        raise RecordError(msg)
    measured = trials[~trials.stage.isin(("pilot", STAGE))]
    for trial in measured[measured.duplicated(["stage", "round", "variant_id", "arm"])].itertuples():
        msg = f"{path}: round {trial.round} has two trials of {trial.variant_id}, arm {trial.arm}"
        raise RecordError(msg)


def check_samples(folder: Path, samples: pd.DataFrame) -> None:
    """Raises RecordError for seconds or bytes below 0, and for a step that takes no time."""
    timed = (samples.metric == "wall") & (samples.scope == "step")
    wrong = samples[(samples["value"] < 0) & samples.unit.isin(("s", "B")) | (samples["value"] <= 0) & timed]
    for row in wrong.itertuples():
        msg = f"{SAMPLES.path(folder)}: {row.trial_id}, {row.metric}: found {row.value:g}, expected more than 0"
        raise RecordError(msg)


def complete_rounds(trials: pd.DataFrame, groups: list[list[tuple[str, str]]], stage: str) -> list[int]:
    """The rounds of a stage that have a trial of every arm of a group, in order."""
    of_stage = trials[trials.stage == stage]
    rows = list(zip(of_stage["round"], of_stage["variant_id"], of_stage["arm"], strict=True))
    return sorted({int(number) for arms in groups for number in schedule.complete_rounds(arms, rows)})


def with_causes(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials with the column cause; in an earlier schema it follows from their reasons."""
    if "cause" in trials:
        return trials
    pairs = [migrated(Status(s), reason) for s, reason in zip(trials.status, trials.reason, strict=True)]
    return trials.assign(cause=[cause or "" for cause, _ in pairs], reason=[reason for _, reason in pairs])


def traced_samples(trials: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """The samples of each variant's last trial that took a trace, with its variant_id."""
    ok = trials[(trials.stage == STAGE) & (trials.status == "ok")].drop_duplicates("variant_id", keep="last")
    return samples.merge(ok[["trial_id", "variant_id"]], on="trial_id", how="inner")


def cell(values: pd.DataFrame, metric: str, *, scope: str = "step", layer: str = "", phase: str = "") -> pd.DataFrame:
    """The values of one cell."""
    chosen = (values.metric == metric) & (values.scope == scope)
    return values[chosen & (values.layer == layer) & (values.phase == phase)]


def plain_steps(values: pd.DataFrame, rounds: Iterable[int]) -> dict[str, pd.DataFrame]:
    """Seconds a plain step of each variant that was measured in complete rounds, by round and arm."""
    walls = cell(values, "wall")
    walls = walls[(walls.stage == "measure") & walls["round"].isin(list(rounds))]
    return {
        # pivot, not pivot_table: a trial that gave two values must be an error, not their mean
        str(variant_id): of_variant.pivot(index="round", columns="arm", values="value")  # noqa: PD010
        for variant_id, of_variant in walls.groupby("variant_id", sort=False)
    }


def spreads(values: pd.DataFrame, rounds: Iterable[int]) -> dict[Cell, Interval]:
    """The median over rounds of every cell, with its interval; the two arms of a baseline count as their mean.

    A cell without a complete round has the pilot's value, without bounds.
    """
    counted = values[(values.stage == "measure") & values["round"].isin(list(rounds))]
    keys = ["variant_id", *CELL]
    intervals: dict[Cell, Interval] = {}
    for frame in (values[values.stage == "pilot"], values[values.stage == RACE], counted):
        by_round = frame.groupby([*keys, "round"], sort=False)["value"].mean().reset_index()
        for key, of_cell in by_round.groupby(keys, sort=False)["value"]:
            intervals[key] = median_interval(of_cell.to_numpy())
    return intervals


def variant_axes(data: RunData, variant_id: str) -> dict[str, str]:
    """The axes of a variant by name."""
    return as_row(data.variants[variant_id])
