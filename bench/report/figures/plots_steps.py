"""The figures of whole steps: how fast each variant is, where its step goes, and curves over a number such as batch."""

import math
from collections.abc import Callable
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.analyse.labels import label
from bench.analyse.load import RunData, cell
from bench.analyse.tables import items_of, phases_of, ranked, unit_of
from bench.analyse.tables.columns import Row
from bench.core.traces import PHASES
from bench.plan.race import STAGE as RACE
from bench.report.figures.canvas import WIDTH, name_rows, note_row, rows_figure, styled
from bench.report.figures.ink import ACCENT, COLOURS, GREY, INK, MORE_COLOURS, PALE, PAPER, is_dark
from bench.report.figures.lettering import lettered
from bench.report.figures.saving import tip
from bench.report.words import number, percent, seconds

LEAST_SHARE = 0.005
"""A phase that takes less in every variant is drawn with the others like it."""
WRITTEN_SHARE = 0.12
"""A part that takes less of the longest bar has no room for its words."""
WRITTEN = ("forward", "backward")
CUT_AT = 2.0
"""A bar longer than this many times the median bar is cut."""
OTHERS = "others"
MARKERS = "os^Dvx*"


@styled
def throughput(data: RunData, steps: pd.DataFrame, best: set[str]) -> Figure:
    """How many items a second each variant trains, the fastest first, then those that no round measured.

    A dot is a trial, a line the interval, a bar the median; the dashed line is the baseline's. `best` are the variants
    that the answer names.
    """
    steps = ranked(steps)
    figure, (axes,) = rows_figure(len(steps))
    walls = cell(data.values, "wall")
    for row, (known, of_row) in enumerate(zip(steps.counts, steps.to_dict("records"), strict=True)):
        colour = PALE if not known else ACCENT if of_row["variant_id"] in best else GREY
        draw_rates(axes, row, trials_of(data, walls, of_row["variant_id"]), unit_of(data), colour)
        draw_median(axes, row, of_row, known=known)
        words = rate_words(of_row)
        note_row(axes, row, words, color=INK if known else GREY, fontsize=8)
    for base in baselines(data, steps):
        axes.axvline(base, color=INK, linewidth=0.9, linestyle="--", zorder=2)
    name_rows(axes, [label(data, v) for v in steps.variant_id])
    axes.set_xlim(left=0)
    axes.set_xlabel(f"{unit_of(data)}/s (dot: a trial; line: 95 %; bar: median; dashed: baseline; pale: no rounds)")
    return figure


def trials_of(data: RunData, walls: pd.DataFrame, variant_id: str) -> pd.DataFrame:
    """The trials of a variant that count: those of complete rounds, else of the race, else of the pilot."""
    trials = walls[walls.variant_id == variant_id]
    counted = trials[(trials.stage == "measure") & trials["round"].isin(data.rounds)]
    others = [trials[trials.stage == stage] for stage in (RACE, "pilot")]
    shown = next((some for some in (counted, *others) if len(some)), counted)
    return shown.assign(rate=items_of(data, variant_id) / shown["value"])


def draw_rates(axes: Axes, row: int, trials: pd.DataFrame, unit: str, colour: str) -> None:
    """Draw a dot a trial, one above the other."""
    lifts = np.linspace(-0.22, 0.22, len(trials)) if len(trials) > 1 else np.zeros(len(trials))
    dots = axes.scatter(trials.rate, row + lifts, s=16, facecolors=colour, alpha=0.8, linewidths=0, zorder=3)
    tip(dots, *(f"round {r.round}: {number(r.rate)} {unit}/s" for r in trials.itertuples()))


def draw_median(axes: Axes, row: int, step: Row, *, known: bool) -> None:
    """Draw the median, and the interval if the variant has one."""
    median, colour = step["items_per_s"], INK if known else GREY
    bar = axes.vlines(median, row - 0.32, row + 0.32, color=colour, linewidth=1.8, zorder=4)
    tip(bar, f"median: {number(median)} {step['unit']}/s")
    items = median * step["step_s"]  # of one step
    if step["step_s_lo"] > 0:
        axes.hlines(row, items / step["step_s_hi"], items / step["step_s_lo"], color=colour, linewidth=1.1, zorder=4)


def rate_words(step: Row) -> str:
    """A variant's ratio and verdict, or else its rate."""
    if math.isnan(step["ratio"]):
        return number(step["items_per_s"])
    bounds = "" if math.isnan(step["ratio_lo"]) else f" [{step['ratio_lo']:.2f}, {step['ratio_hi']:.2f}]"
    return f"{step['ratio']:.2f}\N{MULTIPLICATION SIGN}{bounds} {step['verdict']}".rstrip()


def baselines(data: RunData, steps: pd.DataFrame) -> list[float]:
    """The median rates of the baselines that rounds measured."""
    found = [row for row in steps.itertuples() if row.counts and data.variants[row.variant_id].is_baseline]
    return [row.items_per_s for row in found]


@styled
def phases(data: RunData, steps: pd.DataFrame) -> Figure:
    """Where a step goes: seconds by phase, stacked, a bar a variant, with the whole at its end.

    A bar that is far longer than the others is cut.
    """
    names = phases_of(data)
    table = steps.dropna(subset=[f"{phase}_s" for phase in names], how="all").set_index("variant_id")
    parts = parts_of(table, names)
    colours = dict(zip(names[len(PHASES) :], cycle(MORE_COLOURS), strict=False)) | COLOURS | {OTHERS: GREY}
    figure, (axes,) = rows_figure(len(table))
    totals = parts.sum(axis=1)
    longest = min(totals.max(), CUT_AT * totals.median())
    left = parts.cumsum(axis=1) - parts
    for phase in parts:
        colour = colours.get(phase, PAPER)
        draw_part(axes, phase, parts[phase], left[phase], colour)
        if phase in WRITTEN:
            write_shares(axes, phase, parts[phase] / totals, left[phase], totals.clip(upper=longest), colour)
    for row, total in enumerate(totals):
        cut = " \N{RIGHTWARDS ARROW}" if total > longest else ""
        note_row(axes, row, f"{seconds(total)}{cut}", fontsize=8)
    name_rows(axes, [label(data, v) for v in table.index])
    axes.set_xlim(0, longest)
    axes.set_xlabel("seconds a step, by phase (instrumented steps)")
    axes.legend(ncols=len(parts.columns), loc="lower left", bbox_to_anchor=(0, 1), fontsize=8)
    return figure


def draw_part(axes: Axes, phase: str, lasts: pd.Series, left: pd.Series, colour: str) -> None:
    """Draw one phase of every variant; one without a colour is hatched."""
    hatched: dict[str, Any] = {"edgecolor": INK, "hatch": "///"} if colour == PAPER else {}
    bars = axes.barh(range(len(lasts)), lasts, left=left, height=0.7, facecolor=colour, label=phase, **hatched)
    for bar, length in zip(bars, lasts, strict=True):
        tip(bar, f"{phase}: {seconds(length)}")


def write_shares(axes: Axes, phase: str, shares: pd.Series, left: pd.Series, totals: pd.Series, colour: str) -> None:
    """Write a phase and its share into those of its bars that have room for it."""
    room = (left + shares * totals).clip(upper=totals) - left
    for row, (share, begin, width) in enumerate(zip(shares, left, room, strict=True)):
        if width > WRITTEN_SHARE * totals.max():
            ink = "white" if is_dark(colour) else "black"
            words = f"{phase} {percent(share)}"
            axes.text(begin + width / 2, row, words, ha="center", va="center", fontsize=8, color=ink)


def parts_of(steps: pd.DataFrame, names: tuple[str, ...] | list[str]) -> pd.DataFrame:
    """The seconds of each phase worth a colour, of all others together, and of the launch gaps if they are known."""
    table = steps[[f"{name}_s" for name in names]].fillna(0)
    table.columns = pd.Index(names)
    heavy = table.div(table.sum(axis=1), axis=0).max() >= LEAST_SHARE
    parts, others = table.loc[:, heavy], table.loc[:, ~heavy].sum(axis=1)
    if others.any():
        parts = parts.assign(**{OTHERS: others})
    if steps.launch_gaps_s.notna().any():
        parts = parts.assign(**{"launch gaps": steps.launch_gaps_s.fillna(0)})
    return parts


@styled
def curves(steps: pd.DataFrame, families: dict[str, list[str]], at: Callable[[str], float], axis: str) -> Figure:
    """Images a second over the number in which variants differ, a line a family, with intervals if there are any."""
    figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
    axes = figure.subplots()
    rows = steps.set_index("variant_id")
    for (name, members), colour, marker in zip(
        families.items(), [*COLOURS.values()] * len(families), MARKERS * len(families), strict=False
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
