"""The figures of how far a step is from its device's limits."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from bench.analyse.roofline import Part, Roofs
from bench.report.figures.lettering import lettered
from bench.report.figures.plots import BACKWARD, DOT, FORWARD, WIDTH, name_rows, rows_figure, styled

COLOURS = {"forward": FORWARD, "backward": BACKWARD}
LABELLED = 5
MOST_AREA = 900.0
"""Of a dot, in square points: the part that takes longest has it."""
GIGA = 1e9


@styled
def roofline(parts: Sequence[Part], roofs: Roofs, types: Sequence[str]) -> Figure:
    """Operations a second over operations a byte, both logarithmic: a dot a layer and direction, under the roofs."""
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    axes = figure.subplots()
    shown = [part for part in parts if part.flops > 0 and part.least_bytes > 0]
    density = np.array([part.flops / part.least_bytes for part in shown])
    speed = np.array([part.flops / part.took_s for part in shown])
    longest = max(part.took_s for part in shown)
    x = np.geomspace(min(0.1, density.min()), 2 * density.max(), 200)
    for name, style in zip(types, ("-", "--"), strict=False):
        if name in roofs.flops:
            axes.plot(
                x, np.minimum(x * roofs.bytes_per_s, roofs.flops[name]) / GIGA, style, color="black",
                linewidth=1.2, label=f"roof, {name}",
            )  # fmt: skip
    for phase, colour in COLOURS.items():
        own = [index for index, part in enumerate(shown) if part.phase == phase]
        areas = [MOST_AREA * shown[index].took_s / longest for index in own]
        axes.scatter(density[own], speed[own] / GIGA, s=areas, color=colour, alpha=0.75, label=phase, zorder=3)
    heaviest = sorted(range(len(shown)), key=lambda index: -shown[index].took_s)[:LABELLED]
    for index in heaviest:
        axes.annotate(
            lettered(f"{shown[index].layer} {shown[index].phase}".strip()), (density[index], speed[index] / GIGA),
            xytext=(9, -11), textcoords="offset points", fontsize=8,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.grid(visible=True, which="major")
    axes.set_xlabel("operations a byte (of the least bytes that must move)")
    axes.set_ylabel("GFLOP/s")
    legend = axes.legend(loc="lower right")
    for handle in legend.legend_handles:
        if handle is not None and hasattr(handle, "set_sizes"):
            handle.set_sizes([40])
    return figure


@styled
def gaps(parts: Sequence[Part]) -> Figure:
    """Milliseconds of each part, with those that it would take at its roof drawn inside."""
    figure, (axes,) = rows_figure(len(parts))
    rows = range(len(parts))
    axes.barh(rows, [1e3 * p.took_s for p in parts], height=0.7, color=[COLOURS.get(p.phase, DOT) for p in parts])
    axes.barh(
        rows, [1e3 * p.at_roof.seconds for p in parts], height=0.28, color="white", edgecolor="black", linewidth=0.6,
        label="at the roof",
    )  # fmt: skip
    name_rows(axes, [f"{p.layer} {p.phase}".strip() for p in parts])
    axes.set_xlabel("ms a step (white: at the roof)")
    return figure
