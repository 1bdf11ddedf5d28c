"""The figure of a fleet: a dot a machine beside the median of its group, with the outliers marked and named."""

import math
from collections.abc import Sequence

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

COLOURS = {SLOWER: ACCENT}
FASTER_COLOUR = "#009E73"
FARTHEST = 0.35
"""A machine whose speed differs by more than this share is drawn at the edge."""
MOST_NAMES = 6
"""Outliers of a group that are named in the figure; all are in the table."""
LEVELS = 3
"""The heights over which names are spread."""


@styled
def strips(rows: Sequence[Sequence[Judged]], titles: Sequence[str], delta: float) -> Figure:
    """A strip a group: a dot a machine at its speed beside the median; a band in which machines never are outliers."""
    figure = Figure(figsize=(WIDTH, 0.7 + 1.05 * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), 1, squeeze=False, sharex=True)[:, 0]
    shares = np.array([one.ratio.estimate - 1 for row in rows for one in row])
    low, high = (float(np.clip(end, -FARTHEST, FARTHEST)) for end in (shares.min(), shares.max()))
    low, high = min(low, -2 * delta), max(high, 2 * delta)
    margin = 0.04 * (high - low)
    for axes, row, title in zip(panels, rows, titles, strict=True):
        axes.set_xlim(low - margin, high + margin)
        axes.axvspan(1 / (1 + delta) - 1, delta, color=GREY, alpha=0.15, linewidth=0, zorder=0)
        axes.axvline(0, color=INK, linewidth=0.8, zorder=1)
        draw(axes, row, low, high)
        axes.set_title(lettered(title), loc="left", fontsize=9)
        axes.set_ylim(-1.15, 1.15)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
    panels[-1].xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:+.0f} %"))
    panels[-1].set_xlabel("speed beside the median of its kind (grey: too small a difference to matter)")
    return figure


def draw(axes: Axes, row: Sequence[Judged], low: float, high: float) -> None:
    """Draw the machines of a group, and name its outliers."""
    ordered = sorted(row, key=lambda one: one.ratio.estimate)
    shares = np.array([one.ratio.estimate - 1 for one in ordered])
    heights = spread(len(ordered))
    is_marked = np.array([one.why is Why.MARKED for one in ordered])
    shown = np.clip(shares, low, high)
    size = 20 if len(ordered) <= 60 else 9
    dots = axes.scatter(
        shown[~is_marked], heights[~is_marked], s=size, color=BACKWARD, alpha=0.6, linewidths=0, zorder=3
    )
    if not is_marked.all():
        tip(dots, *(words(one) for one in ordered if one.why is not Why.MARKED))
    for place in np.flatnonzero(is_marked):
        one = ordered[place]
        marker = "D" if shares[place] == shown[place] else "<" if shares[place] < 0 else ">"
        colour = COLOURS.get(one.verdict, FASTER_COLOUR)
        tip(axes.scatter([shown[place]], [0], s=30, marker=marker, color=colour, zorder=4, clip_on=False), words(one))
    name_outliers(axes, [ordered[place] for place in np.flatnonzero(is_marked)], low, high)


def spread(count: int) -> np.ndarray:
    """Heights between -1 and 1, less if there are few, that keep neighbouring dots apart (van der Corput's sequence).

    The same for the same number of machines: a page that is written again looks the same.
    """
    room = min(0.9, 0.1 + count / 100)
    reversed_bits = [int(f"{place:016b}"[::-1], 2) / 2**16 for place in range(count)]
    return room * (2 * np.array(reversed_bits) - 1)


def name_outliers(axes: Axes, outliers: Sequence[Judged], low: float, high: float) -> None:
    """Name the outliers that are farthest, at heights that take turns."""
    farthest = sorted(outliers, key=lambda one: -abs(math.log(one.ratio.estimate)))[:MOST_NAMES]
    for place, one in enumerate(sorted(farthest, key=lambda one: one.ratio.estimate)):
        share = min(max(one.ratio.estimate - 1, low), high)
        height = (0.75, -0.75, 0.3)[place % LEVELS]
        on_right = share > (low + high) / 2
        label = lettered(f"{one.member.machine} {100 * (one.ratio.estimate - 1):+.1f} %")
        arrow = {"arrowstyle": "-", "color": GREY, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 2}
        colour, side = COLOURS.get(one.verdict, FASTER_COLOUR), "right" if on_right else "left"
        axes.annotate(
            label, (share, 0), xytext=(share, height), fontsize=8, color=colour, va="center", ha=side, zorder=5,
            arrowprops=arrow,
        )  # fmt: skip


def words(one: Judged) -> str:
    """What a reader sees who points at a machine."""
    return f"{one.member.machine}: {interval(one.ratio.estimate, one.ratio.lo, one.ratio.hi, digits=3)} times as fast"
