"""layers.csv."""

import math

import pandas as pd

from bench.analyse.load import RunData
from bench.analyse.stats import Interval
from bench.analyse.tables import roofline
from bench.analyse.tables.columns import Row, bounded
from bench.core.traces import BETWEEN

LAYER_COLUMNS = (
    "variant_id", "layer", "block", "type", "output_shape", "parameters", "forward_s", "forward_s_lo",
    "forward_s_hi", "backward_s", "backward_s_lo", "backward_s_hi", "share_of_step", "saved_bytes",
    "forward_flops", "backward_flops", "forward_bytes", "backward_bytes", "forward_roof_share", "backward_roof_share",
    "bound", "memory_format", "gradient_format", "dtype", "kernel",
)  # fmt: skip
COUNTED = ["calls", "paths"]
"""Columns that runs of early schemas lack."""


def layers(data: RunData) -> pd.DataFrame:
    """layers.csv: a row a layer of every variant whose layers were timed, in the model's order, `between` last."""
    timed = {variant_id for variant_id, metric, scope, *_ in data.spreads if (metric, scope) == ("wall", "layer")}
    facts = data.layers[data.layers.variant_id.isin(timed)].drop_duplicates(["variant_id", "layer"])
    between = {"layer": BETWEEN, "block": "", "type": "", "output_shape": "", "parameters": 0}
    rows: list[Row] = []
    for variant_id, of_variant in facts.groupby("variant_id", sort=False):
        rows += [layer_row(data, str(variant_id), fact) for fact in [*of_variant.to_dict("records"), between]]
    counted = [name for name in COUNTED if name in data.layers]
    table = pd.DataFrame(rows, columns=[*LAYER_COLUMNS, *counted])
    return table.astype({name: "Int64" for name in counted if name == "calls"})


def layer_row(data: RunData, variant_id: str, fact: Row) -> Row:
    """What a layer is and what it costs in a step of a variant."""
    layer = fact["layer"]
    forward, backward = (data.spread(variant_id, "wall", "layer", layer, phase) for phase in ("forward", "backward"))
    if math.isnan(backward.estimate) and not math.isnan(forward.estimate) and not data.infers:
        # Autograd has no node of this layer, which passes its input on or needs no gradient: it takes exactly 0 s.
        backward = Interval(estimate=0.0, lo=math.nan, hi=math.nan)
    both_s = forward.estimate + (0.0 if data.infers else backward.estimate)
    stamped_s = data.spread(variant_id, "stamped_wall").estimate
    return (
        {"variant_id": variant_id, "layer": layer}
        | {name: fact[name] for name in ("block", "type", "output_shape", "parameters")}
        | bounded("forward_s", forward)
        | bounded("backward_s", backward)
        | {
            "share_of_step": both_s / stamped_s,
            "saved_bytes": data.spread(variant_id, "saved", "layer", layer).estimate,
        }
        | limits(data, variant_id, layer, {"forward": forward.estimate, "backward": backward.estimate})
        | {name: fact.get(name, "") for name in ("memory_format", "gradient_format", "dtype", "kernel", "paths")}
        | {"calls": fact.get("calls")}
    )


def limits(data: RunData, variant_id: str, layer: str, seconds: dict[str, float]) -> Row:
    """A layer's work in each phase, the share of its time that it would take at the roofs, and which roof is nearer."""
    row: Row = {}
    at_roofs = {phase: roofline.of_layer(data, variant_id, layer, phase) for phase in seconds}
    for phase, took_s in seconds.items():
        flops, _, least_bytes = roofline.work_of(data, variant_id, layer, phase)
        row |= {f"{phase}_flops": flops, f"{phase}_bytes": least_bytes}
        row[f"{phase}_roof_share"] = at_roofs[phase].seconds / took_s if took_s else math.nan
    longest = max(at_roofs.values(), key=lambda at: -1.0 if math.isnan(at.seconds) else at.seconds)
    return row | {"bound": longest.bound or ""}
