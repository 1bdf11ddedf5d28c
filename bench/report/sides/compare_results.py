"""Sections of `bench compare` with each run's measurements: throughput, phases, layers, memory."""

import math
from functools import partial
from typing import Any

import pandas as pd

from bench.analyse import tables
from bench.analyse.sides import compare
from bench.analyse.sides.compare import Match
from bench.core.text import marked
from bench.report.document import Block, Figure, Paragraph, Section, Table
from bench.report.figures import plots_runs
from bench.report.layers.layers import NEEDS_BOUNDS
from bench.report.page import ComparePage
from bench.report.words import interval, number, percent, seconds, size, spread_seconds

MOST_DRAWN = 30
"""Layers in a figure: the heaviest ones."""


def throughput_section(page: ComparePage) -> Section:
    """Images a second of every shared variant in every run."""
    rows = []
    for match in page.shared:
        of_match = page.steps[page.steps.variant == match.name].set_index("run")
        row: dict[str, str] = {"variant": match.name}
        for run in page.runs:
            if run.name not in of_match.index:
                continue
            cells = of_match.loc[run.name]
            row[f"{run.name}, {tables.unit_of(run.data)}/s"] = rate_words(cells)
            if run is not page.first:
                row[f"{run.name}, times {page.first.name}"] = shown(compare.bounds_of(cells, "ratio"))
                if not math.isnan(cells.ratio_less_drift):
                    row[f"{run.name}, less the canary's"] = number(cells.ratio_less_drift)
                if not math.isnan(cells.ratio_at_equal_share):
                    row[f"{run.name}, at equal share"] = number(cells.ratio_at_equal_share)
        rows.append(row)
    words = (
        f"*Times {marked(page.first.name)}*: its seconds per item over the other run's, so above 1 the other run is "
        "faster; a ratio of geometric means over rounds, with Welch's 95 % interval from the spread within each run. "
        "That interval leaves out what differs between the runs."
    )
    if page.steps.get("ratio_at_equal_share", pd.Series(dtype=float)).notna().any():
        words += (
            f" *At equal share*: the ratio if the other run came as near to its roofs as {marked(page.first.name)} "
            "came to its."
        )
    draw = partial(plots_runs.throughput, page.runs, page.shared)
    figure = Figure("throughput", draw, "images a second by variant and run")
    return Section("Throughput", [Table.of(rows), Paragraph(words), figure])


def rate_words(cells: Any) -> str:  # noqa: ANN401 - a row of the steps table
    """Images a second with the bounds of their median over rounds."""
    if math.isnan(cells.step_s_lo):
        return number(cells.items_per_s)
    lo, hi = (cells.items_per_s * cells.step_s / bound for bound in (cells.step_s_hi, cells.step_s_lo))
    return f"{number(cells.items_per_s)} [{number(lo)}, {number(hi)}]"


def shown(ratio: Any) -> str:  # noqa: ANN401 - an Interval
    """A ratio with its bounds."""
    return interval(ratio.estimate, ratio.lo, ratio.hi)


def shown_in_full(page: ComparePage) -> list[Match]:
    """The variants shown in full: the first that all runs have, and of those the fastest in the first run."""
    whole = [match for match in page.shared if all(match.ids)] or page.shared
    rates = page.first.steps.set_index("variant_id").items_per_s
    best = max(whole, key=lambda match: rates[match.ids[0]])
    return list(dict.fromkeys([whole[0], best]))


def phases_section(page: ComparePage) -> Section | None:
    """Where a step goes in each run, and how many times as fast as in the first."""
    blocks: list[Block] = []
    for match in shown_in_full(page):
        names = dict.fromkeys(phase for run in page.runs for phase in tables.phases_of(run.data))
        columns = [f"{phase}_s" for phase in names]
        runs = page.steps[page.steps.variant == match.name].dropna(subset=columns, how="all").set_index("run")
        phases = [phase for phase in names if runs[f"{phase}_s"].notna().any()]
        rows = []
        for run in runs.index:
            rows.append({"": run} | {phase: seconds(runs.loc[run, f"{phase}_s"]) for phase in phases})
            if run != page.first.name and page.first.name in runs.index:
                ratios = {p: ratio_words(runs.loc[page.first.name, f"{p}_s"], runs.loc[run, f"{p}_s"]) for p in phases}
                rows.append({"": f"{run}, times {page.first.name}"} | ratios)
        if rows:
            blocks += [Paragraph(f"**{marked(match.name)}**"), Table.of(rows)]
    words = Paragraph("Those of every variant are in tables/steps.csv.")
    return Section("Where a step goes", [*blocks, words]) if blocks else None


def ratio_words(first_s: float, other_s: float) -> str:
    """How many times as fast a part is in the other run; empty if it takes no time in one of them."""
    return number(first_s / other_s) if first_s > 0 and other_s > 0 else ""


def layers_section(page: ComparePage) -> Section | None:
    """The layers of each run side by side."""
    blocks: list[Block] = []
    for index, match in enumerate(shown_in_full(page)):
        of_match = page.layers[(page.layers.variant == match.name) & page.layers.forward_s.notna()]
        names = [run.name for run in page.runs if (of_match.run == run.name).any()]
        if page.first.name not in names or len(names) < 2:
            continue
        rows = [
            layer_cells(page.first.name, layer, of_layer.set_index("run"))
            for layer, of_layer in of_match.groupby("layer", sort=False)
        ]
        draw = partial(plots_runs.layers, heaviest(of_match, page.first.name), names)
        name = "layers" if index == 0 else f"layers-{index + 1}"
        blocks += [Paragraph(f"**{marked(match.name)}**"), Table.of(rows), Figure(name, draw, "layers by run")]
    note = f"Bounds are shown from {percent(NEEDS_BOUNDS)} of the step on; every variant is in tables/layers.csv."
    return Section("Layers", [*blocks, Paragraph(note)]) if blocks else None


def heaviest(layers: pd.DataFrame, first: str) -> pd.DataFrame:
    """The layers that take longest in the first run, as many as a figure can show, in their order."""
    in_first = layers[layers.run == first].set_index("layer")
    shown = (in_first.forward_s + in_first.backward_s).nlargest(MOST_DRAWN).index
    return layers[layers.layer.isin(shown)]


def layer_cells(first: str, layer: str, by_run: pd.DataFrame) -> dict[str, str]:
    """A layer's row: its forward and backward in each run, and how many times as fast as in the first."""
    row = {"layer": layer, "type": str(by_run["type"].iloc[0])}
    for phase in ("forward", "backward"):
        for run in by_run.index:
            cells = by_run.loc[run]
            small = not cells.share_of_step >= NEEDS_BOUNDS
            value = cells[f"{phase}_s"]
            row[f"{phase}, {run}"] = (
                seconds(value) if small else spread_seconds(value, cells[f"{phase}_s_lo"], cells[f"{phase}_s_hi"])
            )
            if run != first:
                row[f"{phase}, {run} times"] = number(cells[f"{phase}_s_ratio"])
    return row


def memory_section(page: ComparePage) -> Section | None:
    """What a step holds in each run."""
    measured = page.memory.dropna(subset="parameter_bytes")
    shared = [match for match in page.shared if (measured.variant == match.name).any()]
    if not shared:
        return None
    metrics = {"saved": "saved", "allocator_peak": "allocator peak", "process_peak": "process peak"}
    rows = []
    for match in shared:
        of_match = measured[measured.variant == match.name].set_index("run")
        rows.append(
            {"variant": match.name}
            | {
                f"{name}, {run.name}": size(of_match.loc[run.name, f"{metric}_bytes"])
                for metric, name in metrics.items()
                for run in page.runs
                if run.name in of_match.index
            }
        )
    draw = partial(plots_runs.memory, page.runs, shared, measured)
    return Section("Memory", [Table.of(rows), Figure("memory", draw, "memory by variant and run")])
