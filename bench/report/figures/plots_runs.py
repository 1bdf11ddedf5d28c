"""Figures that hold several runs: throughput, layers and memory."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.analyse.sides.compare import Match, Side, log_rounds
from bench.analyse.sweep.found import Over
from bench.report.figures.canvas import MIB, WIDTH, name_rows, styled
from bench.report.figures.ink import BACKWARD, FORWARD, INK
from bench.report.figures.lettering import lettered
from bench.report.figures.saving import tip

RUN_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", INK)
WIDE_RANGE = 12.0
"""The quotient of largest and smallest beyond which a scale is logarithmic, or each panel has its own."""


def colour_of(index: int) -> str:
    """A run's colour."""
    return RUN_COLOURS[index % len(RUN_COLOURS)]


def grouped(matches: Sequence[Match], runs: int) -> tuple[Figure, Axes]:
    """A figure and its axes, with a labelled row a variant that is high enough for every run."""
    figure = Figure(figsize=(WIDTH, 1.0 + len(matches) * (0.16 + 0.14 * runs)), layout="constrained")
    axes = figure.subplots()
    name_rows(axes, [match.name for match in matches])
    return figure, axes


def lift(run: int, runs: int) -> float:
    """A run's offset within its row, in rows."""
    return 0.7 * ((run + 0.5) / runs - 0.5)


@styled
def throughput(runs: Sequence[Side], matches: Sequence[Match]) -> Figure:
    """Images a second: one dot a round, a bar at the median, a colour a run."""
    figure, axes = grouped(matches, len(runs))
    rates: list[float] = []
    for index, run in enumerate(runs):
        medians = run.steps.set_index("variant_id").items_per_s
        for row, match in enumerate(matches):
            variant_id = match.ids[index]
            if variant_id is None:
                continue
            y = row + lift(index, len(runs))
            dots = 1 / np.exp(log_rounds(run, variant_id))
            axes.scatter(dots, np.full(len(dots), y), s=9, color=colour_of(index), alpha=0.5, linewidths=0, zorder=3)
            axes.vlines(medians[variant_id], y - 0.12, y + 0.12, color=colour_of(index), linewidth=2, zorder=4)
            rates.append(float(medians[variant_id]))
        axes.plot([], [], "|", markersize=9, markeredgewidth=2, color=colour_of(index), label=lettered(run.name))
    if rates and max(rates) > WIDE_RANGE * min(rates):
        axes.set_xscale("log")
    else:
        axes.set_xlim(left=0)
    axes.set_xlabel("images/s (dot: a round; bar: median)")
    axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1), fontsize=8)
    return figure


@styled
def layers(table: pd.DataFrame, names: Sequence[str]) -> Figure:
    """Forward and backward milliseconds of each layer of one variant, a panel a run.

    The panels share a scale, unless the runs lie so far apart that the faster one could not be read on it.
    """
    first = table[table.run == names[0]]
    totals = [table.loc[table.run == name, ["forward_s", "backward_s"]].sum(axis=1).max() for name in names]
    one_scale = max(totals) <= WIDE_RANGE * min(totals)
    figure = Figure(figsize=(WIDTH, 0.9 + 0.32 * len(first)), layout="constrained")
    panels = figure.subplots(1, len(names), squeeze=False, sharey=True, sharex=one_scale)[0]
    for axes, name in zip(panels, names, strict=True):
        of_run = table[table.run == name].set_index("layer").reindex(first.layer)
        forward, backward = (1e3 * of_run[f"{phase}_s"].fillna(0) for phase in ("forward", "backward"))
        axes.barh(range(len(first)), forward, height=0.7, color=FORWARD, label="forward")
        axes.barh(range(len(first)), backward, left=forward, height=0.7, color=BACKWARD, label="backward")
        axes.set_title(lettered(name), fontsize=9, loc="left")
        axes.set_xlabel("ms a step" if one_scale else "ms a step (own scale)")
        axes.tick_params(axis="y", length=0)
    name_rows(panels[0], list(first.layer))
    panels[-1].legend(loc="lower right")
    return figure


@styled
def memory(runs: Sequence[Side], matches: Sequence[Match], table: pd.DataFrame) -> Figure:
    """The allocator's peak as a bar and the process's as a mark, a colour a run."""
    figure, axes = grouped(matches, len(runs))
    for index, run in enumerate(runs):
        of_run = table[table.run == run.name].set_index("variant")
        for row, match in enumerate(matches):
            if match.ids[index] is None or match.name not in of_run.index:
                continue
            peaks = of_run.loc[match.name]
            y = row + lift(index, len(runs))
            axes.barh(y, peaks.allocator_peak_bytes / MIB, height=0.6 / len(runs), color=colour_of(index))
            axes.scatter(peaks.process_peak_bytes / MIB, y, marker="D", s=16, color=INK, zorder=3)
        axes.barh([0], [0], color=colour_of(index), label=lettered(run.name))
    axes.scatter([], [], marker="D", s=16, color=INK, label="process's peak")
    axes.set_xlim(left=0)
    axes.set_xlabel("MiB: the allocator's peak")
    axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1), fontsize=8)
    return figure


@styled
def over_blocks(variants: Sequence[Over], blocks: str) -> Figure:
    """How many times as fast as the baseline each variant is: a dot a block, a bar over the interval of their mean."""
    shown = [over for over in variants if over.log_gain.blocks]
    figure = Figure(figsize=(WIDTH, 1.0 + 0.34 * len(shown)), layout="constrained")
    axes = figure.subplots()
    name_rows(axes, [over.name for over in shown])
    for row, over in enumerate(shown):
        on_blocks = [on for on in over.by_block if np.isfinite(on.log_gain)]
        dots = axes.scatter(
            np.exp([on.log_gain for on in on_blocks]), np.full(len(on_blocks), row), s=14, color=BACKWARD, alpha=0.7,
            linewidths=0, zorder=3,
        )  # fmt: skip
        tip(dots, *(f"{on.block}: {np.exp(on.log_gain):.3f}" for on in on_blocks))
        if over.gain.known:
            axes.hlines(row + 0.22, over.gain.lo, over.gain.hi, color=INK, linewidth=1.6, zorder=4)
        axes.vlines(over.gain.estimate, row + 0.1, row + 0.34, color=INK, linewidth=2, zorder=4)
    gains = [on.log_gain for over in shown for on in over.by_block if np.isfinite(on.log_gain)]
    if np.ptp(gains) > np.log(WIDE_RANGE):
        axes.set_xscale("log")
    axes.axvline(1, color=FORWARD, linewidth=1, linestyle="--", zorder=1)
    axes.set_xlabel(f"times as fast as the baseline (dot: one of the {blocks}; bar: interval of their mean)")
    return figure
