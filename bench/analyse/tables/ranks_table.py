"""ranks.csv."""

import pandas as pd

from bench.analyse.load import RunData
from bench.core.metrics.sample import Scope
from bench.core.traces import COMMUNICATION

COLUMNS = {
    "step_s": ("wall", Scope.STEP, ""),
    "all_reduce_s": ("all_reduce", Scope.STEP, ""),
    "communication_s": ("wall", Scope.PHASE, COMMUNICATION),
    "skew_s": ("skew", Scope.STEP, ""),
}
"""The columns, each with the metric, scope and phase of its values."""


def ranks(data: RunData) -> pd.DataFrame:
    """ranks.csv: a row a rank of each variant that has several; medians over the complete rounds, or of the pilot."""
    rows = []
    for variant_id, of_variant in data.ranks.groupby("variant_id", sort=False):
        for rank, own in counted(of_variant, data.rounds).groupby("rank"):
            rows.append({"variant_id": variant_id, "rank": int(rank)} | medians(own))
    return pd.DataFrame(rows, columns=["variant_id", "rank", *COLUMNS])


def counted(values: pd.DataFrame, rounds: list[int]) -> pd.DataFrame:
    """The values of complete rounds; without any, those of the pilot."""
    in_rounds = values[(values.stage == "measure") & values["round"].isin(rounds)]
    return values[values.stage == "pilot"] if in_rounds.empty else in_rounds


def medians(own: pd.DataFrame) -> dict[str, float]:
    """The median of each column over the trials of a rank; NaN for what was not measured."""
    return {
        name: own["value"][(own.metric == metric) & (own.scope == scope) & (own.phase == phase)].median()
        for name, (metric, scope, phase) in COLUMNS.items()
    }
