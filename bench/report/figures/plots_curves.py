"""The figure of a number over which variants differ, such as batch size or threads."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.report.figures.canvas import WIDTH, styled
from bench.report.figures.ink import COLOURS
from bench.report.figures.lettering import lettered

MARKERS = "os^Dvx*"


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
