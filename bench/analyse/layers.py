"""The section of layers: what each costs forward and backward, and whether the parts add up."""

import pandas as pd

from bench.analyse import answer, plots, tables
from bench.analyse.labels import label
from bench.analyse.page import Lines, Report
from bench.analyse.words import interval, markdown, number, percent, seconds, size, spread_seconds


def section(report: Report) -> Lines:
    """The layers of the baseline and of the fastest eager variant, with closure and overhead."""
    data, table = report.data, report.layers
    if table.empty:
        return []
    lines: Lines = ["## Layers", ""]
    figures: Lines = []
    for index, group in enumerate(answer.groups(data, report.steps).values(), start=1):
        if chosen := answer.layered_variants(data, group, set(table.variant_id)):
            lines += [line for variant_id in chosen for line in variant_lines(report, variant_id)]
            name = "layers" if index == 1 else f"layers-{index}"
            figures += report.figure(name, plots.layers(data, table, chosen), "milliseconds a step by layer")
    return [
        *lines,
        "*Forward* and *backward* are medians over rounds with 95 % intervals; a layer's backward includes the "
        "gradients of its parameters. `between` is what runs outside of every leaf: functional code, and in "
        "backward the loss. *Share* is of the stamped step. *Saved* are bytes kept for backward, a shared "
        "storage counted once, for the layer that saved it first.",
        "",
        *figures,
        "### Do the parts add up?",
        "",
        *markdown(closure_table(report)),
        "*Closure* is the sum of layers, loss, optimizer, data and the rest in stamped steps over the median "
        "plain step of the same trial: 1 is a perfect account. *Overhead* is the stamped step over the plain "
        "one, less one. *Stamps' cost* is stamps a step times the measured cost of a stamp, over the plain step.",
        "",
    ]


def variant_lines(report: Report, variant_id: str) -> Lines:
    """The layers of one variant, the heaviest named."""
    mine = report.layers[report.layers.variant_id == variant_id]
    heaviest = mine.dropna(subset="share_of_step").nlargest(3, "share_of_step")
    told = ", ".join(f"`{r.layer}` {r.type} {percent(r.share_of_step)}" for r in heaviest.itertuples())
    return [
        f"### {label(report.data, variant_id)}",
        "",
        f"The heaviest: {told}. Every layer of every eager variant is in tables/layers.csv.",
        "",
        *markdown(pd.DataFrame([layer_cells(row) for row in mine.to_dict("records")])),
    ]


def layer_cells(row: dict[str, object]) -> dict[str, object]:
    """A layer's row as it is shown."""
    f, b = (spread_seconds(*(float(row[f"{p}_s{e}"]) for e in ("", "_lo", "_hi"))) for p in ("forward", "backward"))  # type: ignore[arg-type] # fmt: skip
    saved = float(row["saved_bytes"])  # type: ignore[arg-type]
    return {
        "layer": row["layer"],
        "type": row["type"],
        "output": row["output_shape"],
        "parameters": f"{row['parameters']:,}" if row["parameters"] else "",
        "forward": f,
        "backward": b,
        "share": percent(float(row["share_of_step"])),  # type: ignore[arg-type]
        "saved": size(saved),
    }


def closure_table(report: Report) -> pd.DataFrame:
    """Closure, overhead and stamps of every variant that has them."""
    stamps = tables.stamps(report.data).set_index("variant_id")
    rows = []
    for row in report.steps.dropna(subset="closure").to_dict("records"):
        mine = stamps.loc[row["variant_id"]] if row["variant_id"] in stamps.index else None
        rows.append(
            {
                "variant": label(report.data, row["variant_id"]),
                "closure": interval(row["closure"], row["closure_lo"], row["closure_hi"], digits=3),
                "overhead": percent(row["instrument_overhead"]),
                "stamps a step": number(mine.stamps) if mine is not None else "by phase",
                "a stamp costs": seconds(mine.stamp_cost_s) if mine is not None else "",
                "stamps' cost": f"{100 * mine.share:.2f} %" if mine is not None else "",
            }
        )
    return pd.DataFrame(rows)
