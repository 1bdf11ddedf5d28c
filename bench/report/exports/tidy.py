"""A long table of everything that a run has an estimate of: a row a variant, layer, phase and metric."""

import io

import pandas as pd

from bench.analyse.load import RunData, variant_axes
from bench.core.metrics.registry import METRICS
from bench.core.records import RecordError
from bench.core.text import visible

COLUMNS = ("variant_id", "metric", "unit", "scope", "layer", "phase", "estimate", "lo", "hi", "rounds")


def table(data: RunData) -> pd.DataFrame:
    """The table, with a column for each axis after the others."""
    rows = [
        (variant_id, name, METRICS[name].kind.unit, scope, visible(layer), visible(phase),
         value.estimate, value.lo, value.hi, len(data.steps.get(variant_id, ())))
        for (variant_id, name, scope, layer, phase), value in data.spreads.items()
        if name in METRICS
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    axes = pd.DataFrame([{"variant_id": v} | variant_axes(data, v) for v in data.variants])
    return frame.merge(axes, on="variant_id", how="left")


def csv(data: RunData) -> str:
    """The table as CSV; an empty field is unknown, or has no layer or phase."""
    return str(table(data).to_csv(index=False))


def parquet(data: RunData) -> bytes:
    """The table as Parquet. Raises RecordError if pyarrow is not installed."""
    file = io.BytesIO()
    try:
        table(data).to_parquet(file, engine="pyarrow", index=False)
    except ImportError as error:
        msg = "parquet needs pyarrow: pip install 'nin-bench[parquet]'"
        raise RecordError(msg) from error
    return file.getvalue()
