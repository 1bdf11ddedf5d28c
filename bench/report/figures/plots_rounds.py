"""Figures with the rounds along an axis: the machine's noise, and the changes between two trees."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.analyse.ab.cells import CONTROLS, Change, Stage
from bench.analyse.ab.deaths import HEAD
from bench.analyse.labels import label
from bench.analyse.load import RunData
from bench.analyse.ratios import itself_by_round
from bench.report.figures.canvas import WIDTH, name_rows, rows_figure, styled
from bench.report.figures.ink import ACCENT, BACKWARD, GREY, GRID, INK
from bench.report.figures.lettering import lettered
from bench.report.figures.saving import tip
from bench.report.words import percent

MOST_ARMS = 3
"""The most variants whose two arms are drawn."""
LEAST_PERCENT = 5.0
"""The least top of a panel of shares: a tenth of a per cent must not look like a storm."""
DRAWN = ("stolen", "pressure", "clock", "temperature")
"""The columns of the machine's state that are drawn, if they were read."""


@styled
def noise(
    data: RunData, control_ids: list[str], state: pd.DataFrame, names: dict[str, str], deltas: dict[str, float]
) -> Figure:
    """How many times as fast identical code was as itself, by round, and below it the machine's state.

    `names` are those of the state's columns, `deltas` the change that matters for each variant: the grey band.
    """
    keys = [key for key in DRAWN if state[key].notna().any()]
    heights = [2.2, *([1.0] * len(keys))]
    figure = Figure(figsize=(WIDTH, 0.4 + sum(heights)), layout="constrained")
    panels = figure.subplots(len(heights), 1, squeeze=False, sharex=True, height_ratios=heights)[:, 0]
    draw_controls(panels[0], data, control_ids, deltas)
    if data.confirm_rounds:
        for axes in panels:
            axes.axvline(data.confirm_rounds[0] - 0.5, color=INK, linewidth=0.8)
        panels[0].annotate(
            " fresh rounds", (data.confirm_rounds[0] - 0.5, 1), xycoords=("data", "axes fraction"), va="top"
        )
    for axes, key in zip(panels[1:], keys, strict=True):
        scale = 100 if key in ("stolen", "pressure") else 1
        axes.scatter(state["round"], scale * state[key], s=10, color=GREY)
        axes.set_ylim(0, max(LEAST_PERCENT, axes.get_ylim()[1]) if scale == 100 else None)
        axes.set_ylabel(names[key] + (" %" if scale == 100 else ""), fontsize=8)
    panels[-1].set_xlabel("round (grey: one dot a trial of any variant)" if keys else "round")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def draw_controls(axes: Axes, data: RunData, control_ids: list[str], deltas: dict[str, float]) -> None:
    """Draw the ratios of the two arms of each variant around 1."""
    for variant_id, marker, colour in zip(control_ids[:MOST_ARMS], "os^", (ACCENT, BACKWARD, GREY), strict=False):
        ratios = itself_by_round(data, variant_id)
        name = lettered(label(data, variant_id))
        line = axes.plot(ratios.index, ratios, "-", color=colour, linewidth=0.6)[0]
        line.set_label("_line")
        dots = axes.scatter(ratios.index, ratios, marker=marker, color=colour, s=22, label=name, zorder=3)
        tip(dots, *(f"round {at}: A' {ratio:.3f} times as fast as A" for at, ratio in ratios.items()))
    delta = max((deltas[v] for v in control_ids[:MOST_ARMS]), default=0)
    axes.axhspan(1 / (1 + delta), 1 + delta, color=GRID, zorder=0, label=f"too small to matter ({percent(delta)})")
    axes.axhline(1, color=INK, linewidth=0.8)
    axes.set_ylabel("A' over A, in speed")
    if len(control_ids) > MOST_ARMS:
        axes.set_title(f"{MOST_ARMS} of {len(control_ids)} variants", loc="right", fontsize=8)
    if control_ids:
        axes.legend(ncols=MOST_ARMS + 1, loc="lower left", bbox_to_anchor=(0, 1), fontsize=8)


@styled
def changes(cells: Sequence[Change], names: Sequence[str], gate: Stage, fresh: Stage, delta: float) -> Figure:
    """A row a cell: by how many per cent the head takes longer, a dot a round, with the interval, and delta in grey."""
    figure, (axes,) = rows_figure(len(cells))
    axes.axvspan(-100 * delta / (1 + delta), 100 * delta, color=GRID, zorder=0)
    axes.axvline(0, color=GREY, linewidth=0.8)
    ends, dots = [-5.0, 5.0], []
    for row, change in enumerate(cells):
        stage = fresh if change.confirmed is not None else gate
        arms = stage.cells[change.key].reindex(columns=[*CONTROLS, HEAD]).dropna()
        logs = np.log(arms)
        percents = 100 * np.expm1((logs[HEAD] - logs[CONTROLS].mean(axis=1)).to_numpy())
        dots.append(percents)
        if change.ratio.known:
            least, most = (100 * (1 / bound - 1) for bound in (change.ratio.hi, change.ratio.lo))
            bar = axes.hlines(row, least, most, color=INK, linewidth=2.2, zorder=4)
            tip(bar, f"{names[row]}: {least:+.1f} % to {most:+.1f} %")
            ends += [least, most]
        ends += np.quantile(percents, (0.1, 0.9)).tolist()
    name_rows(axes, list(names))
    room = 0.08 * (max(ends) - min(ends))
    left, right = min(ends) - room, max(ends) + room
    axes.set_xlim(left, right)
    for row, percents in enumerate(dots):
        heights = row + (np.linspace(-0.22, 0.22, len(percents)) if len(percents) > 1 else np.zeros(1))
        inside = np.clip(percents, left + room / 4, right - room / 4)
        for marker, chosen in (("o", inside == percents), ("<", inside > percents), (">", inside < percents)):
            axes.scatter(
                inside[chosen], heights[chosen], s=12, marker=marker, facecolors="none", edgecolors=ACCENT,
                linewidths=0.8, zorder=3,
            )  # fmt: skip
    axes.set_xlabel(
        "% longer in the head than in the base (dot: a round; bar: 95 % interval; grey: too small to matter)"
    )
    return figure
