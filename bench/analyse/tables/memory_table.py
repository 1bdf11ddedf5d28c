"""memory.csv."""

import pandas as pd

from bench.analyse.load import RunData
from bench.analyse.tables.columns import metric_columns
from bench.core.metrics.metric import MetricTable
from bench.core.metrics.registry import in_table


def memory(data: RunData) -> pd.DataFrame:
    """memory.csv: a row a variant whose memory was measured."""
    ok = data.trials[(data.trials.probes == "memory") & (data.trials.status == "ok")]
    rows = [{"variant_id": v} | metric_columns(data, v, MetricTable.MEMORY) for v in ok.variant_id.unique()]
    return pd.DataFrame(rows, columns=["variant_id", *(metric.in_table for metric in in_table(MetricTable.MEMORY))])
