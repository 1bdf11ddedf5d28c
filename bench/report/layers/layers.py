"""The section of layers: what each costs forward and backward, and whether the parts add up."""

import pandas as pd

from bench.analyse.labels import named
from bench.analyse.tables import heaviest, repeated
from bench.analyse.tables.columns import Row
from bench.core.text import code, marked
from bench.report.answer import answer
from bench.report.document import Block, Fold, Paragraph, Section, Table, explained, paragraphs
from bench.report.layers import breakdown, closure, gains, unlayered
from bench.report.page import Report
from bench.report.words import percent, seconds, size, spread_seconds

NEEDS_BOUNDS = 0.005
WORTH_NAMING = 0.01
MOST_NAMED = 3
LAYER_WORDS = (
    "*Forward* and *backward* are medians over rounds with 95 % intervals; a layer's backward includes the "
    "gradients of its parameters, and what a checkpoint computes again. A module that holds others has a row for its "
    "own code. `between` is what runs outside of every layer, and in backward the loss. *Share* is of the stamped "
    "step. *Saved for backward* are bytes; a shared storage counts once, for the layer that saved it first. "
    "*Kernel* took most of a layer's forward, in one step of the pilot: the operator on a CPU, the device's kernel on "
    "CUDA. Bounds are shown for layers of 0.5 % or more."
)


def section(report: Report) -> Section | None:
    """The layers of the baseline and of the fastest eager variant, with closure and overhead."""
    data, table = report.data, report.layers
    blocks: list[Block] = []
    for index, group in enumerate(answer.groups(data, report.steps).values(), start=1):
        blocks += unlayered.blocks(data, group, set(table.variant_id))
        if chosen := answer.layered_variants(data, group, set(table.variant_id)):
            name = "layers" if index == 1 else f"layers-{index}"
            blocks += [
                *paragraphs(difference_words(report, chosen)),
                *gains.blocks(report, chosen, name),
                *paragraphs(closure.sum_words(report, chosen[0])),
                *breakdown.blocks(report, chosen),
                Fold("Every row", [of_variant(report, variant_id) for variant_id in chosen]),
            ]
    if not table.empty:
        blocks += [explained(LAYER_WORDS), *closure.blocks(report)]
    return Section("Layers", blocks) if blocks else None


def of_variant(report: Report, variant_id: str) -> Section:
    """The layers of one variant, with a sentence on the heaviest."""
    rows = report.layers[report.layers.variant_id == variant_id]
    folded = rows if report.every_layer else repeated.folded(rows)
    top = folded.dropna(subset="share_of_step").nlargest(3, "share_of_step")
    top_words = ", ".join(f"{code(r.layer)} {marked(r.type)} {percent(r.share_of_step)}" for r in top.itertuples())
    if len(folded) < len(rows):
        return of_blocks(report, variant_id, folded, top_words)
    shown = rows if report.every_layer else heaviest.limited(rows, heaviest.layers_of(rows, [variant_id]))
    left_out = len(rows) - len(shown) + 1 if len(shown) < len(rows) else 0
    more = f" This table and the figure leave out {left_out:,}, summed in the row `(others)`." if left_out else ""
    cells = [layer_cells(row) | more for row, more in zip(shown.to_dict("records"), calls(shown), strict=True)]
    words = f"The heaviest: {top_words}. Every layer of every eager variant is in tables/layers.csv.{more}"
    table = Table.of(cells)
    return Section(named(report.data, variant_id), [Paragraph(words), table], level=3)


def of_blocks(report: Report, variant_id: str, folded: pd.DataFrame, top_words: str) -> Section:
    """The layers of a variant whose model repeats blocks: a row for each layer of such a block."""
    shown = heaviest.limited(folded, heaviest.layers_of(folded, [variant_id]))
    cells = [layer_cells(row) | block_cells(row) for row in shown.to_dict("records")]
    words = (
        f"The heaviest: {top_words}. A row with `*` sums up the same layer of several blocks; *each* is the median of "
        "one of them, forward and backward together, with the least and the most. Each layer of every eager variant is "
        "in tables/layers.csv; `report --every-layer` shows each here."
    )
    return Section(named(report.data, variant_id), [Paragraph(words), Table.of(cells)], level=3)


def block_cells(row: Row) -> dict[str, object]:
    """How many blocks a row sums up, and what one of them takes; empty for a layer that is alone."""
    blocks = row.get("blocks")
    if not blocks or not blocks > 1:
        return {"blocks": "", "each": ""}
    return {"blocks": f"{blocks:.0f}", "each": spread_seconds(row["each_s"], row["each_lo"], row["each_hi"])}


def difference_words(report: Report, chosen: list[str]) -> list[str]:
    """A sentence on the layers in which the second variant is faster or slower than the first by 1 % of the step."""
    if len(chosen) < 2:
        return []
    first, second = (
        repeated.folded(report.layers[report.layers.variant_id == v])
        .set_index("layer")[["forward_s", "backward_s"]]
        .sum(axis=1)
        for v in chosen
    )
    step_s = report.data.spread(chosen[0], "stamped_wall").estimate
    saved = (first - second).sort_values(key=abs, ascending=False)
    saved = saved[saved.abs() >= WORTH_NAMING * step_s]
    parts = []
    for verb, side in (("saves", saved[saved > 0]), ("loses", -saved[saved < 0])):
        if len(side):
            most = ", ".join(
                f"{seconds(value)} in {code(str(layer))}" for layer, value in side.head(MOST_NAMED).items()
            )
            parts.append(f"{verb} {most}")
    if not parts:
        return []
    names = [named(report.data, v) for v in chosen]
    return [f"Compared with the {names[0]}, {names[1]} {' and '.join(parts)}, forward and backward together."]


def layer_cells(row: Row) -> dict[str, object]:
    """A layer's row as the page shows it, with bounds only if they matter."""
    small = not row["share_of_step"] >= NEEDS_BOUNDS
    forward, backward = (
        seconds(row[f"{p}_s"]) if small else spread_seconds(row[f"{p}_s"], row[f"{p}_s_lo"], row[f"{p}_s_hi"])
        for p in ("forward", "backward")
    )
    return {
        "layer": row["layer"],
        "type": row["type"],
        "output": row["output_shape"],
        "parameters": f"{row['parameters']:,}",
        "forward": forward,
        "backward": backward,
        "share": percent(row["share_of_step"]),
        "kernel": kernel_words(row["kernel"]),
        "saved for backward": size(row["saved_bytes"]),
    }


def calls(rows: pd.DataFrame) -> list[dict[str, object]]:
    """How often a step calls each layer of one variant, and on which paths; only the columns that say anything."""
    shown = {
        name: rows[name].astype(object).fillna("").astype(str)
        for name, plain in (("calls", 1), ("paths", ""))
        if name in rows and rows[name].dropna().ne(plain).any()
    }
    return [dict(zip(shown, row, strict=True)) for row in pd.DataFrame(shown, index=rows.index).itertuples(index=False)]


def kernel_words(name: str) -> str:
    """An operator's or kernel's name, without its namespace."""
    return name.removeprefix("aten::").removeprefix("void ").partition("<")[0].partition("(")[0]
