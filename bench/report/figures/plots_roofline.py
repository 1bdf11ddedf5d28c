"""The figures of how far a step is from its device's limits."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.analyse.stats import Values
from bench.analyse.tables.roofline import Part, Roofs
from bench.report.figures.canvas import WIDTH, name_rows, note_row, rows_figure, styled
from bench.report.figures.ink import ACCENT, BACKWARD, FORWARD, INK, PAPER
from bench.report.figures.lettering import lettered
from bench.report.figures.saving import tip
from bench.report.words import percent, seconds

Box = tuple[float, float, float, float]
LETTER = (4.6, 10.0)
"""Width and height of a letter of a name, in points."""
OFFSETS = ((14, -4), (14, -18), (-60, -24), (-40, -34), (14, 10), (-80, 16), (0, -46), (-120, -4), (-120, -18))
"""Where a name may begin, from its dot, in points; the first that is free is taken."""
COLOURS = {"forward": FORWARD, "backward": BACKWARD}
LABELLED = 5
MOST_AREA = 900.0
"""Of a dot, in square points: the part that takes longest has it."""
GIGA = 1e9


def is_drawn(part: Part) -> bool:
    """Whether a part has a dot: it is forward or backward, and has operations and bytes."""
    return part.phase in COLOURS and part.flops > 0 and part.least_bytes > 0


@styled
def roofline(parts: Sequence[Part], roofs: Roofs, types: Sequence[str]) -> Figure:
    """Operations a second over operations a byte, both logarithmic: a dot a layer and direction, under the roofs."""
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    axes = figure.subplots()
    shown = [part for part in parts if is_drawn(part)]
    density = np.array([part.flops / part.least_bytes for part in shown])
    speed = np.array([part.flops / part.took_s for part in shown])
    longest = max(part.took_s for part in shown)
    x = np.geomspace(density.min() / 2, 2 * density.max(), 200)
    for name, style in zip(types, ("-", "--"), strict=False):
        if name in roofs.flops:
            axes.plot(
                x, np.minimum(x * roofs.bytes_per_s, roofs.flops[name]) / GIGA, style, color=INK,
                linewidth=1.2, label=f"roof, {name}",
            )  # fmt: skip
    for phase, colour in COLOURS.items():
        own = [index for index, part in enumerate(shown) if part.phase == phase]
        areas = [MOST_AREA * shown[index].took_s / longest for index in own]
        dots = axes.scatter(density[own], speed[own] / GIGA, s=areas, color=colour, alpha=0.75, label=phase, zorder=3)
        tip(dots, *(dot_words(shown[index]) for index in own))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.grid(visible=True, which="major")
    axes.set_xlabel("operations a byte (of the least bytes that must move)")
    axes.set_ylabel("GFLOP/s")
    legend = axes.legend(loc="lower right")
    for handle in legend.legend_handles:
        if handle is not None and hasattr(handle, "set_sizes"):
            handle.set_sizes([40])
    name_heaviest(figure, axes, shown, density, speed / GIGA)
    return figure


def dot_words(part: Part) -> str:
    """A part's name, its time and its share of the roof."""
    return f"{part.layer} {part.phase}: {seconds(part.took_s)}, {percent(part.share)} of the roof".strip()


def name_heaviest(figure: Figure, axes: Axes, parts: Sequence[Part], x: Values, y: Values) -> None:
    """Name the parts that take longest beside their dots, where no name covers another or leaves the figure."""
    figure.draw_without_rendering()  # only now the axes have a size
    points = axes.transData.transform(np.column_stack([x, y])) * 72 / figure.dpi
    frame: Values = np.asarray(axes.bbox.extents) * 72 / figure.dpi
    taken: list[Box] = []
    for index in sorted(range(len(parts)), key=lambda index: -parts[index].took_s)[:LABELLED]:
        text = lettered(f"{parts[index].layer} {parts[index].phase}".strip())
        boxes = [box_of(points[index], offset, text) for offset in OFFSETS]
        free = (i for i, box in enumerate(boxes) if is_within(box, frame) and not any(meet(box, b) for b in taken))
        place = next(free, None)
        if place is not None:
            taken.append(boxes[place])
            axes.annotate(text, (x[index], y[index]), xytext=OFFSETS[place], textcoords="offset points", fontsize=8)


def box_of(point: Values, offset: tuple[float, float], text: str) -> Box:
    """The left, lower, right and upper end of a text beside a point, in points."""
    left, low = float(point[0] + offset[0]), float(point[1] + offset[1])
    return left, low, left + LETTER[0] * len(text), low + LETTER[1]


def is_within(box: Box, frame: Values) -> bool:
    """Whether a box lies within the figure's frame."""
    return bool(box[0] > frame[0] and box[1] > frame[1] and box[2] < frame[2] and box[3] < frame[3])


def meet(one: Box, other: Box) -> bool:
    """Whether two boxes cover each other."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@styled
def gaps(parts: Sequence[Part]) -> Figure:
    """Milliseconds of each part, with those that it would take at its roof drawn inside."""
    figure, (axes,) = rows_figure(len(parts))
    rows = range(len(parts))
    colours = [COLOURS.get(part.phase, ACCENT) for part in parts]
    bars = axes.barh(rows, [1e3 * part.took_s for part in parts], height=0.7, color=colours)
    for row, (bar, part) in enumerate(zip(bars, parts, strict=True)):
        tip(bar, f"{seconds(part.took_s)}, at the roof {seconds(part.at_roof.seconds)}")
        note_row(axes, row, percent(part.share), fontsize=8)
    axes.barh(
        rows, [1e3 * p.at_roof.seconds for p in parts], height=0.28, color=PAPER, edgecolor=INK, linewidth=0.6,
        label="at the roof",
    )  # fmt: skip
    name_rows(axes, [f"{p.layer} {p.phase}".strip() for p in parts])
    axes.set_xlabel("ms a step (white: at the roof; right: share of the roof)")
    return figure
