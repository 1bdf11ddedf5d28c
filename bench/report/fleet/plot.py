"""The figure of a fleet: a dot a machine beside the median of its group, with the outliers marked and named."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bench.analyse.fleet.verdicts import Judged, Why
from bench.analyse.verdicts import SLOWER
from bench.report.figures.canvas import WIDTH, styled
from bench.report.figures.ink import ACCENT, BACKWARD, GREY, INK
from bench.report.figures.lettering import lettered
from bench.report.figures.saving import tip
from bench.report.words import interval

FASTER_COLOUR = "#009E73"
FARTHEST = 0.5
"""A machine whose speed differs by more than this share is drawn at the edge."""
MOST_NAMES = 6
"""Outliers of a group that are named in the figure; all are in the table."""
HEIGHTS = (0.55, -0.55, 1.0, -1.0)
"""Of the names, one after the other."""
EDGE = 0.08
"""A name this near to the figure's edge begins or ends at its dot."""
MOST_LARGE = 60
"""A group of more machines has smaller dots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A group as the figure shows it."""

    title: str
    machines: Sequence[Judged]
    delta: float
    limit: float
    """How many times as fast as the median the slowest machine is that is not marked; NaN if none can be."""


@styled
def strips(rows: Sequence[Strip]) -> Figure:
    """A strip a group: a dot a machine at its speed beside the median; a band in which machines never are outliers."""
    figure = Figure(figsize=(WIDTH, 0.7 + 1.05 * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), 1, squeeze=False, sharex=True)[:, 0]
    shares = [one.ratio.estimate - 1 for row in rows for one in row.machines]
    room = 2 * max(row.delta for row in rows)
    low, high = max(min(*shares, -room), -FARTHEST), min(max(*shares, room), FARTHEST)
    margin = 0.04 * (high - low)
    for axes, row in zip(panels, rows, strict=True):
        axes.set_xlim(low - margin, high + margin)
        axes.axvspan(1 / (1 + row.delta) - 1, row.delta, color=GREY, alpha=0.15, linewidth=0, zorder=0)
        axes.axvline(0, color=INK, linewidth=0.8, zorder=1)
        for limit in (row.limit - 1, 1 / row.limit - 1):
            if low < limit < high:
                axes.axvline(limit, color=GREY, linewidth=0.9, linestyle="--", zorder=1)
        draw(axes, row.machines, low, high)
        axes.set_title(lettered(row.title), loc="left", fontsize=9)
        axes.set_ylim(-1.25, 1.25)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
    panels[-1].xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:+.0f} %" if share else "0"))
    panels[-1].set_xlabel("speed beside the median of its kind (grey: too small to matter; dashed: marked beyond)")
    return figure


def draw(axes: Axes, machines: Sequence[Judged], low: float, high: float) -> None:
    """Draw the machines of a group, and name its outliers."""
    ordered = sorted(machines, key=lambda one: one.ratio.estimate)
    shares = np.array([one.ratio.estimate - 1 for one in ordered])
    heights, shown = spread(len(ordered)), np.clip(shares, low, high)
    size = 20 if len(ordered) <= MOST_LARGE else 9
    plain, open_, marked = (np.flatnonzero([kind_of(one) == kind for one in ordered]) for kind in range(3))
    dots = axes.scatter(shown[plain], heights[plain], s=size, color=BACKWARD, alpha=0.6, linewidths=0, zorder=3)
    rings = axes.scatter(shown[open_], heights[open_], s=22, facecolors="none", edgecolors=ACCENT, zorder=4)
    for marks, places in ((dots, plain), (rings, open_)):
        tip(marks, *(words(ordered[place]) for place in places))
    for place in marked:
        one = ordered[place]
        marker = "D" if shares[place] == shown[place] else "<" if shares[place] < 0 else ">"
        dot = axes.scatter([shown[place]], [0], s=30, marker=marker, color=colour_of(one), zorder=4, clip_on=False)
        tip(dot, words(one))
    name_outliers(axes, [ordered[place] for place in marked], low, high)


def kind_of(one: Judged) -> int:
    """How a machine is drawn: 0 as a dot, 1 as a ring if it is undecided, 2 as an outlier."""
    return 2 if one.why is Why.MARKED else int(one.why is Why.SMALL)


def spread(count: int) -> np.ndarray:
    """Heights between -1 and 1, less if there are few, that keep neighbouring dots apart (van der Corput's sequence).

    The same for the same number of machines: a page that is written again looks the same.
    """
    room = min(0.9, 0.1 + count / 100)
    reversed_bits = [int(f"{place:016b}"[::-1], 2) / 2**16 for place in range(count)]
    return room * (2 * np.array(reversed_bits) - 1)


def name_outliers(axes: Axes, outliers: Sequence[Judged], low: float, high: float) -> None:
    """Name the outliers that are farthest, above and below them in turn."""
    farthest = sorted(outliers, key=lambda one: -abs(math.log(one.ratio.estimate)))[:MOST_NAMES]
    for place, one in enumerate(sorted(farthest, key=lambda one: one.ratio.estimate)):
        share = min(max(one.ratio.estimate - 1, low), high)
        at = (share - low) / (high - low)
        side = "left" if at < EDGE else "right" if at > 1 - EDGE else "center"
        label = lettered(f"{one.member.machine} {100 * (one.ratio.estimate - 1):+.1f} %")
        axes.text(
            share, HEIGHTS[place % len(HEIGHTS)], label, fontsize=8, color=colour_of(one), va="center", ha=side,
            zorder=5,
        )  # fmt: skip


def colour_of(one: Judged) -> str:
    """The colour of an outlier."""
    return ACCENT if one.verdict == SLOWER else FASTER_COLOUR


def words(one: Judged) -> str:
    """What a reader sees who points at a machine."""
    return f"{one.member.machine}: {interval(one.ratio.estimate, one.ratio.lo, one.ratio.hi, digits=3)} times as fast"
