"""What all figures share: their style, and axes with a labelled row for each thing that they compare."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.report.figures.ink import GRID, INK
from bench.report.figures.lettering import lettered

P = ParamSpec("P")

WIDTH = 9.0
MIB = 2.0**20

STYLE: dict[Any, object] = {
    "figure.dpi": 110,
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "grid.color": GRID,
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


def note_row(axes: Axes, row: int, words: str, **style: Any) -> None:  # noqa: ANN401 - matplotlib's
    """Write words at the right of a row, outside the axes."""
    axes.annotate(
        words, (1, row), xycoords=axes.get_yaxis_transform(), xytext=(6, 0), textcoords="offset points", va="center",
        annotation_clip=False, **style,
    )  # fmt: skip
