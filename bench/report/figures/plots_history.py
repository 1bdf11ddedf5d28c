"""The figure of a history: the speed of its series over runs, with the changes."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.analyse.history.changes import Change
from bench.analyse.history.series import Series
from bench.analyse.history.sizes import scatter
from bench.analyse.verdicts import FASTER, SLOWER
from bench.report.figures.canvas import WIDTH, styled
from bench.report.figures.ink import ACCENT, BACKWARD, GREY, INK
from bench.report.figures.lettering import lettered
from bench.report.figures.saving import tip
from bench.report.words import number

COLOURS = {SLOWER: ACCENT, FASTER: "#009E73"}
MOST_TICKS = 12
FAR = 8.0
"""A point farther from the median than this many times the scatter is drawn at the edge."""
ROWS = 3
"""The heights over which the labels of neighbouring changes are spread."""


@styled
def speeds(
    series: Sequence[Series], changes: Mapping[int, Sequence[Change]], runs: Sequence[str], titles: Sequence[str]
) -> Figure:
    """A panel a series: a dot a run with its interval, the level between changes, and a line at each change.

    `changes` are those of a series by its place, `runs` the short names of all runs in order.
    """
    figure = Figure(figsize=(WIDTH, 0.7 + 2.1 * len(series)), layout="constrained")
    panels = figure.subplots(len(series), 1, squeeze=False, sharex=True)[:, 0]
    for place, (axes, one, title) in enumerate(zip(panels, series, titles, strict=True)):
        draw_points(axes, one)
        draw_changes(axes, one, changes.get(place, ()))
        axes.set_title(lettered(title), loc="left", fontsize=9)
        axes.set_ylabel("times the base" if one.unit == "base" else f"{lettered(one.unit)}/s", fontsize=8)
        axes.grid(visible=True, axis="y")
    every = max(1, math.ceil(len(runs) / MOST_TICKS))
    panels[-1].set_xticks(
        range(0, len(runs), every), [lettered(name) for name in runs[::every]], rotation=30, ha="right"
    )
    panels[-1].set_xlim(-0.7, len(runs) - 0.3)
    panels[-1].set_xlabel("run (dot; bar: interval within the run; line: level between changes)")
    return figure


def draw_points(axes: Axes, one: Series) -> None:
    """Draw the points of a series; those far off are triangles at the edge."""
    places = np.array([point.place for point in one.points])
    speeds_ = np.array([point.speed.estimate for point in one.points])
    centre, spread = float(np.median(speeds_)), scatter(one.logs)
    room = max(FAR * (spread if math.isfinite(spread) else 0.0), 0.05) * centre
    inside = np.abs(speeds_ - centre) <= room
    low, high = float(speeds_[inside].min()), float(speeds_[inside].max())
    margin = 0.12 * (high - low) + 0.01 * centre
    axes.set_ylim(low - margin, high + 4 * margin)  # room for the labels
    dots = axes.scatter(places[inside], speeds_[inside], s=14, color=BACKWARD, zorder=3, linewidths=0)
    shown = [point for point, is_in in zip(one.points, inside, strict=True) if is_in]
    tip(dots, *(f"{point.run.name}: {number(point.speed.estimate)}" for point in shown))
    for point in (p for p in shown if p.speed.known):
        axes.vlines(point.place, point.speed.lo, point.speed.hi, color=BACKWARD, linewidth=1.0, alpha=0.5)
    for marker, off, edge in (("v", speeds_ < centre - room, low - margin), ("^", speeds_ > centre + room, high)):
        axes.scatter(
            places[off], np.full(int(off.sum()), edge), s=22, marker=marker, color=GREY, zorder=4, clip_on=False
        )


def draw_changes(axes: Axes, one: Series, changes: Sequence[Change]) -> None:
    """Draw the levels, and a line with a label at each change: grey and dashed if it is not called."""
    edges = [0, *(change.mark.at for change in changes), len(one.points)]
    for start, end in pairwise(edges):
        part = one.points[start:end]
        level = math.exp(-float(np.median([point.value for point in part])))
        axes.hlines(level, part[0].place - 0.4, part[-1].place + 0.4, color=INK, linewidth=1.3, zorder=2)
    for index, change in enumerate(changes):
        colour = COLOURS.get(change.verdict, GREY)
        place = (change.before.place + change.after.place) / 2
        axes.axvline(place, color=colour, linewidth=1.4, linestyle="-" if change.verdict in COLOURS else "--")
        label = f"{short(change)} {100 * (change.ratio.estimate - 1):+.1f} %"
        right = place > 0.8 * one.points[-1].place
        axes.annotate(
            lettered(label), (place, 0.99 - 0.13 * (index % ROWS)), xycoords=("data", "axes fraction"),
            xytext=(-3 if right else 3, 0), textcoords="offset points", fontsize=8, color=colour, va="top",
            ha="right" if right else "left",
        )  # fmt: skip


def short(change: Change) -> str:
    """The commit after a change, or else its run."""
    return change.after.run.commit[:8] or change.after.run.name[-24:]
