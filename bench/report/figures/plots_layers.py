"""The figure of a model's layers: what the fastest variant saves in each."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.report.figures.canvas import name_rows, note_row, rows_figure, styled
from bench.report.figures.ink import ACCENT, BACKWARD, FORWARD, INK
from bench.report.figures.saving import tip
from bench.report.words import seconds


@styled
def saved(rows: pd.DataFrame, first: str, second: str) -> Figure:
    """Milliseconds of each layer in two variants: the first as an outline behind the second, with what it saves.

    `rows` has layer, type, first_s and second_s.
    """
    figure, (axes,) = rows_figure(len(rows))
    at = np.arange(len(rows))
    behind = axes.barh(at, 1e3 * rows.first_s, height=0.74, facecolor="none", edgecolor=INK, linewidth=0.9, label=first)
    front = axes.barh(at, 1e3 * rows.second_s, height=0.5, color=ACCENT, label=second)
    for row, layer in enumerate(rows.itertuples()):
        words = f"{layer.layer}: {seconds(layer.first_s)}, then {seconds(layer.second_s)}"
        tip(behind[row], words)
        tip(front[row], words)
        change = layer.second_s - layer.first_s
        sign = "+" if change > 0 else "\N{MINUS SIGN}"
        note_row(axes, row, f"{sign}{seconds(abs(change))}", fontsize=8)
    return finished(figure, rows)


@styled
def heaviest(rows: pd.DataFrame) -> Figure:
    """Milliseconds of each layer of one variant, forward and backward. `rows` has layer, type and both in seconds."""
    figure, (axes,) = rows_figure(len(rows))
    left = np.zeros(len(rows))
    for phase, colour in (("forward", FORWARD), ("backward", BACKWARD)):
        lasts = rows[f"{phase}_s"].fillna(0).to_numpy()
        bars = axes.barh(np.arange(len(rows)), 1e3 * lasts, left=1e3 * left, height=0.7, color=colour, label=phase)
        for bar, layer, length in zip(bars, rows.layer, lasts, strict=True):
            tip(bar, f"{layer}, {phase}: {seconds(length)}")
        left += lasts
    for row, total in enumerate(left):
        note_row(axes, row, seconds(total), fontsize=8)
    return finished(figure, rows)


def finished(figure: Figure, rows: pd.DataFrame) -> Figure:
    """The figure with its rows named."""
    (axes,) = figure.axes
    name_rows(axes, [f"{row.layer} {row.type}".strip() for row in rows.itertuples()])
    axes.set_xlim(left=0)
    axes.set_xlabel("ms a step, forward and backward")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=8)
    return figure
