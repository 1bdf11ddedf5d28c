"""numerics.csv."""

import math

import pandas as pd

from bench.analyse.load import RunData
from bench.analyse.outcomes import cause_of, not_gated, outcome
from bench.analyse.tables.columns import metric_columns
from bench.core.metrics.metric import MetricTable
from bench.core.metrics.registry import in_table


def numerics(data: RunData) -> pd.DataFrame:
    """numerics.csv: a row a variant that the gate checked, or that has a reason why it did not."""
    rows = []
    for v in data.runnable:
        status, reason = outcome(data, v)
        values = metric_columns(data, v, MetricTable.NUMERICS)
        reason = reason or not_gated(data, v)
        if status == "invalid" or reason or not math.isnan(values["score_bound"]):
            rows.append({"variant_id": v} | values | {"status": status, "cause": cause_of(data, v), "reason": reason})
    names = [metric.in_table for metric in in_table(MetricTable.NUMERICS)]
    return pd.DataFrame(rows, columns=["variant_id", *names, "status", "cause", "reason"])
