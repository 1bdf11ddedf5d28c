"""ranks.csv and rank_layers.csv."""

import pandas as pd

from bench.analyse.load import RunData
from bench.analyse.values import closures
from bench.core.metrics.sample import Scope
from bench.core.traces import PHASES

OF_STEP = {"step_s": "wall", "collective_s": "collective", "skew_s": "skew", "exchanged_bytes": "exchanged"}
OF_PROCESS = {"allocator_peak_bytes": "allocator_peak", "process_peak_bytes": "process_peak"}
PHASE_COLUMNS = {f"{phase}_s": phase for phase in PHASES}
COLUMNS = ("variant_id", "rank", "step_s", "closure", *PHASE_COLUMNS, *list(OF_STEP)[1:], *OF_PROCESS)


def ranks(data: RunData) -> pd.DataFrame:
    """ranks.csv: a row a rank of each variant that has several; medians over the complete rounds, or of the pilot."""
    rows = []
    for (variant_id, rank), own in data.ranks.groupby(["variant_id", "rank"], sort=False):
        of_step = {name: median(data, own, metric, Scope.STEP) for name, metric in OF_STEP.items()}
        by_phase = {name: median(data, own, "wall", Scope.PHASE, phase) for name, phase in PHASE_COLUMNS.items()}
        of_process = {name: median(data, own, metric, Scope.PROCESS) for name, metric in OF_PROCESS.items()}
        closure = {"closure": median(data, closures(own), "closure", Scope.STEP)}
        rows.append({"variant_id": variant_id, "rank": int(rank)} | of_step | closure | by_phase | of_process)
    return pd.DataFrame(rows, columns=COLUMNS)


def rank_layers(data: RunData) -> pd.DataFrame:
    """rank_layers.csv: a row a layer of a rank; the median seconds of its forward and its backward."""
    walls = data.ranks[(data.ranks.metric == "wall") & (data.ranks.scope == Scope.LAYER)]
    rows = [
        {"variant_id": variant_id, "rank": int(rank), "layer": layer}
        | {f"{phase}_s": median(data, own, "wall", Scope.LAYER, phase) for phase in ("forward", "backward")}
        for (variant_id, rank, layer), own in walls.groupby(["variant_id", "rank", "layer"], sort=False)
    ]
    return pd.DataFrame(rows, columns=["variant_id", "rank", "layer", "forward_s", "backward_s"])


def median(data: RunData, own: pd.DataFrame, metric: str, scope: Scope, phase: str = "") -> float:
    """The median of a metric over the trials of complete rounds, else of the pilot; NaN if it was not measured."""
    values = own[(own.metric == metric) & (own.scope == scope) & (own.phase == phase)]
    in_rounds = values[(values.stage == "measure") & values["round"].isin(data.rounds)]
    counted = values[values.stage == "pilot"] if in_rounds.empty else in_rounds
    return float(counted["value"].median())
