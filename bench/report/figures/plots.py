"""The figures of a report. Colours are Okabe and Ito's, distinct to any eye."""

from collections.abc import Callable
from functools import wraps
from itertools import cycle
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.analyse.labels import label
from bench.analyse.load import RunData, cell
from bench.analyse.tables import heaviest, items_of, phases_of, unit_of
from bench.core.traces import PHASES
from bench.plan.race import STAGE as RACE
from bench.report.figures.lettering import lettered

P = ParamSpec("P")

COLOURS = {
    "data": "#E69F00", "h2d": "#F0E442", "forward": "#56B4E9", "loss": "#009E73",
    "backward": "#0072B2", "scaler": "#000000", "clip": "#882255", "optimizer": "#D55E00", "after_step": "#999933",
    "read": "#CC79A7",
}  # fmt: skip
FORWARD, BACKWARD, GREY, DOT = "#56B4E9", "#0072B2", "#999999", "#D55E00"
MORE_COLOURS = ("#117733", "#44AA99", "#AA4499", "#DDCC77", "#661100")
"""For phases that only a task has."""
MEMORY_PARTS = {
    "parameter_bytes": ("parameters", "#0072B2"),
    "gradient_bytes": ("gradients", "#56B4E9"),
    "optimizer_bytes": ("optimizer state", "#009E73"),
    "saved_bytes": ("saved for backward", "#E69F00"),
}
WIDTH = 9.0
CUT_AT = 2.0
"""A bar longer than this many times the median bar is cut."""
MIB = 2.0**20

STYLE: dict[Any, object] = {
    "figure.dpi": 110,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "grid.color": "#dddddd",
    "axes.axisbelow": True,
    "legend.frameon": False,
}


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """A drawing function that draws in STYLE and leaves matplotlib's own settings unchanged."""

    @wraps(draw)
    def wrapped(*arguments: P.args, **named: P.kwargs) -> Figure:
        with mpl.rc_context(STYLE):
            return draw(*arguments, **named)

    return wrapped


def rows_figure(rows: int, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure with a row of axes that are high enough for this number of labelled rows."""
    figure = Figure(figsize=(WIDTH, 0.9 + 0.32 * rows), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False, sharey=True)
    return figure, list(axes[0])


def name_rows(axes: Axes, names: list[str]) -> None:
    """Label the rows from the top; names are shown as plain text."""
    axes.set_yticks(range(len(names)), [lettered(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)


@styled
def throughput(data: RunData, steps: pd.DataFrame) -> Figure:
    """Images a second of each variant: one dot a round, hollow if it has none that counts; and a bar at the median."""
    steps = steps.dropna(subset="items_per_s")
    figure, (axes,) = rows_figure(len(steps))
    walls = cell(data.values, "wall")
    for row, (variant_id, median) in enumerate(zip(steps.variant_id, steps.items_per_s, strict=True)):
        trials = walls[walls.variant_id == variant_id]
        counted = trials[(trials.stage == "measure") & trials["round"].isin(data.rounds)]
        others = [trials[trials.stage == stage] for stage in (RACE, "pilot")]
        shown = next((some for some in (counted, *others) if len(some)), counted)
        rates = items_of(data, variant_id) / shown["value"].to_numpy()
        lifts = np.linspace(-0.22, 0.22, len(rates)) if len(rates) > 1 else np.zeros(1)
        face = DOT if len(counted) else "none"
        axes.scatter(rates, row + lifts, s=14, facecolors=face, edgecolors=DOT, linewidths=0.8, zorder=3)
        axes.vlines(median, row - 0.32, row + 0.32, color="black", linewidth=1.6, zorder=4)
    name_rows(axes, [label(data, v) for v in steps.variant_id])
    axes.set_xlim(left=0)
    unit = unit_of(data)
    axes.set_xlabel(f"{unit}/s (dot: one trial of a round; hollow: one of the race, or the pilot's; bar: median)")
    return figure


@styled
def phases(data: RunData, steps: pd.DataFrame) -> Figure:
    """Where a step goes: seconds by phase, stacked, a bar a variant.

    A bar that is far longer than the others is cut, with its seconds at the edge.
    """
    names = phases_of(data)
    steps = steps.dropna(subset=[f"{phase}_s" for phase in names], how="all")
    figure, (axes,) = rows_figure(len(steps))
    left = np.zeros(len(steps))
    colours = dict(zip(names[len(PHASES) :], cycle([FORWARD, BACKWARD, *MORE_COLOURS]), strict=False)) | COLOURS
    parts = [phase for phase in names if steps[f"{phase}_s"].notna().any()]
    for phase in parts:
        seconds = steps[f"{phase}_s"].fillna(0).to_numpy()
        axes.barh(range(len(steps)), seconds, left=left, height=0.7, color=colours[phase], label=phase)
        left += seconds
    if steps.launch_gaps_s.notna().any():
        gaps = steps.launch_gaps_s.fillna(0).to_numpy()
        axes.barh(
            range(len(steps)), gaps, left=left, height=0.7, facecolor="white", edgecolor="black", hatch="///",
            label="launch gaps",
        )  # fmt: skip
        left += gaps
        parts.append("launch gaps")
    name_rows(axes, [label(data, v) for v in steps.variant_id])
    longest = min(left.max(), CUT_AT * float(np.median(left)))
    axes.set_xlim(0, 1.05 * longest)
    for row in np.flatnonzero(left > longest):
        axes.text(
            longest, int(row), f"{left[row]:.3g} s \N{RIGHTWARDS ARROW}", ha="right", va="center", color="white",
            fontweight="bold",
        )  # fmt: skip
    axes.set_xlabel("seconds a step, by phase (stamped steps)")
    axes.legend(ncols=len(parts), loc="lower left", bbox_to_anchor=(0, 1), fontsize=8)
    return figure


@styled
def layers(data: RunData, table: pd.DataFrame, variant_ids: list[str]) -> Figure:
    """Forward and backward milliseconds of each layer, a panel a variant, on one scale; of many layers the heaviest."""
    shown = heaviest.layers_of(table, variant_ids)
    first = heaviest.limited(table[table.variant_id == variant_ids[0]], shown)
    names = [f"{r.layer} {r.type}".strip() for r in first.itertuples()]
    figure, panels = rows_figure(len(names), len(variant_ids))
    for axes, variant_id in zip(panels, variant_ids, strict=True):
        rows = heaviest.limited(table[table.variant_id == variant_id], shown).drop_duplicates("layer", keep="last")
        rows = rows.set_index("layer").reindex(first.layer)
        forward, backward = (1e3 * rows[f"{p}_s"].fillna(0) for p in ("forward", "backward"))
        axes.barh(range(len(names)), forward, height=0.7, color=FORWARD, label="forward")
        axes.barh(range(len(names)), backward, left=forward, height=0.7, color=BACKWARD, label="backward")
        axes.set_title(lettered(label(data, variant_id)), fontsize=9, loc="left")
        axes.set_xlabel("ms a step")
    widest = max(axes.get_xlim()[1] for axes in panels)
    for axes in panels:
        axes.set_xlim(0, widest)
        axes.tick_params(axis="y", length=0)
    name_rows(panels[0], names)
    # The row of the others is the last, and long: a legend in that corner would cover it.
    panels[-1].legend(loc="best" if heaviest.OTHERS in set(first.layer) else "lower right")
    return figure


@styled
def memory(data: RunData, table: pd.DataFrame) -> Figure:
    """What a step holds, stacked, with the allocator's and the process's peaks as marks."""
    figure, (axes,) = rows_figure(len(table))
    left = np.zeros(len(table))
    for column, (name, colour) in MEMORY_PARTS.items():
        mib = table[column].fillna(0).to_numpy() / MIB
        axes.barh(range(len(table)), mib, left=left, height=0.6, color=colour, label=name)
        left += mib
    for column, marker, name in (
        ("allocator_peak_bytes", "|", "allocator's peak"),
        ("process_peak_bytes", "D", "process's peak"),
    ):
        axes.scatter(
            table[column] / MIB, range(len(table)), marker=marker, s=60 if marker == "|" else 20,
            color="black", label=name, zorder=3,
        )  # fmt: skip
    for row in np.flatnonzero(table.saved_bytes.isna() & (not data.infers)):
        axes.text(left[row], int(row), " saved: ?", va="center", fontsize=8, color=GREY)
    name_rows(axes, [label(data, v) for v in table.variant_id])
    axes.set_xlim(left=0)
    axes.set_xlabel("MiB")
    axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1), fontsize=8)
    return figure


@styled
def curves(steps: pd.DataFrame, families: dict[str, list[str]], at: Callable[[str], float], axis: str) -> Figure:
    """Images a second over the number in which variants differ, a line a family, with intervals if there are any."""
    figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
    axes = figure.subplots()
    rows = steps.set_index("variant_id")
    markers = "os^Dvx*"
    for (name, members), colour, marker in zip(
        families.items(), [*COLOURS.values()] * len(families), markers * len(families), strict=False
    ):
        family = rows.loc[members]
        sizes = [at(v) for v in members]
        images = family.items_per_s * family.step_s  # of one step
        bounds = [family.items_per_s - images / family.step_s_hi, images / family.step_s_lo - family.items_per_s]
        axes.errorbar(
            sizes, family.items_per_s, yerr=np.nan_to_num(np.array(bounds)).clip(min=0), marker=marker, color=colour,
            linewidth=1.2, elinewidth=0.8, capsize=2, label=lettered(name),
        )  # fmt: skip
    ticks = sorted({at(v) for members in families.values() for v in members})
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{tick:.0f}" for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_xlabel(axis)
    axes.set_ylabel(f"{steps.unit.iloc[0]}/s (bars: 95 %)")
    axes.legend()
    return figure
