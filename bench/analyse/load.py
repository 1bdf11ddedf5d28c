"""The files of a run as data frames, checked, and its values: one a metric, arm and round."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench import plan
from bench.records import (
    LAYERS,
    SAMPLES,
    TRIALS,
    VARIANTS,
    RecordError,
    Table,
    checked_rows,
    read_run,
    whole_lines,
)
from bench.variants import AXES

CELL = ["probe", "scope", "layer", "phase", "metric"]
"""The columns that name what a sample is of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunData:
    """A run as it was measured."""

    run: dict[str, Any]
    variants: pd.DataFrame
    trials: pd.DataFrame
    layers: pd.DataFrame
    values: pd.DataFrame
    """One row a trial and cell: trial_id, variant_id, arm, round, stage, the columns of CELL, and
    value, the median of the trial's samples. Only of trials that were ok."""
    rounds: list[int]
    """The complete rounds: those that count in intervals."""
    warnings: list[str]

    @property
    def measured(self) -> pd.DataFrame:
        """The values of complete rounds."""
        return self.values[(self.values.stage == "measure") & self.values["round"].isin(self.rounds)]

    @property
    def pilot(self) -> pd.DataFrame:
        """The values of the pilot."""
        return self.values[self.values.stage == "pilot"]


def load(folder: Path) -> RunData:
    """Read a run; RecordError names the file, and the line where there is one, of any damage."""
    run = read_run(folder)
    warnings: list[str] = []
    variants, trials, samples, layers = (
        read_frame(folder, table, warnings) for table in (VARIANTS, TRIALS, SAMPLES, LAYERS)
    )
    measured = trials[trials.stage == "measure"]
    rounds = plan.complete_rounds(
        (tuple(arm) for arm in run["plan"]["arms"]),
        zip(measured["round"], measured["variant_id"], measured["arm"], strict=True),
    )
    return RunData(
        run=run,
        variants=variants,
        trials=trials,
        layers=layers[layers.trial_id.isin(trials.trial_id)],
        values=trial_values(trials, samples),
        rounds=sorted(rounds),
        warnings=warnings,
    )


def read_frame(folder: Path, table: Table, warnings: list[str]) -> pd.DataFrame:
    """A table as a frame of its columns' types; a torn last line becomes a warning."""
    path = table.path(folder)
    content, torn = whole_lines(path)
    warnings += torn
    text_columns = [name for name, kind in table.columns.items() if kind == "str"]
    if content.partition(b"\n")[0].decode(errors="replace") != ",".join(table.columns):
        _explain(table, path, content)
    try:
        frame = pd.read_csv(
            io.BytesIO(content), dtype=table.columns, index_col=False, keep_default_na=False,
            na_values=[""], engine="c",
        )  # fmt: skip
    except (ValueError, pd.errors.ParserError) as error:
        _explain(table, path, content)
        msg = f"{path}: damaged ({error})"
        raise RecordError(msg) from error
    if frame[list(table.required)].isna().to_numpy().any():
        _explain(table, path, content)
    frame[text_columns] = frame[text_columns].fillna("")
    return frame


def _explain(table: Table, path: Path, content: bytes) -> None:
    """Raise RecordError with the first line that is wrong, if reading line by line finds one."""
    for _ in checked_rows(table, path, content):
        pass


def trial_values(trials: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """The median of each trial's samples of a cell, with the trial's place in the run.

    Samples of trials without a row, or not ok, are left out.
    """
    ok = trials.loc[trials.status == "ok", ["trial_id", "variant_id", "arm", "round", "stage"]]
    for name in ("layer", "phase"):
        categories = samples[name].cat
        if "" not in categories.categories:
            samples[name] = categories.add_categories("")
        samples[name] = samples[name].fillna("")
    medians = (
        samples.groupby(["trial_id", *CELL], observed=True, sort=False)["value"]
        .median()
        .reset_index()
    )
    for name in ("trial_id", *CELL):
        medians[name] = medians[name].astype(str)
    return ok.merge(medians, on="trial_id", how="inner")


def cell(
    values: pd.DataFrame, metric: str, *, scope: str = "step", layer: str = "", phase: str = ""
) -> pd.DataFrame:
    """The values of one cell."""
    chosen = (values.metric == metric) & (values.scope == scope)
    return values[chosen & (values.layer == layer) & (values.phase == phase)]


def by_round(values: pd.DataFrame, variant_id: str) -> pd.Series:
    """A variant's values by round; a baseline's two arms count as one, their geometric mean."""
    mine = values[values.variant_id == variant_id]
    logs = np.log(mine["value"].where(mine["value"] > 0)).groupby(mine["round"]).mean()
    plain = mine["value"].groupby(mine["round"]).mean()
    return np.exp(logs).where(logs.notna(), plain)


def variant_axes(data: RunData, variant_id: str) -> dict[str, str]:
    """The axes of a variant by name."""
    row = data.variants.set_index("variant_id").loc[variant_id]
    return {name: str(row[name]) for name in AXES}
