"""The figure of the allocator over one traced step."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bench.analyse.traces.trace import Trace
from bench.report.figures.lettering import lettered
from bench.report.figures.plots import COLOURS, DOT, MIB, WIDTH, styled

LEAST_WIDTH = 0.004
"""A phase that takes less of the step is not shaded."""


@styled
def over_a_step(trace: Trace, name: str) -> Figure:
    """Bytes given out over the step that used most: axes for each device, with phases shaded and the peak named."""
    devices = list(trace.memory.groupby("device", sort=False))
    figure = Figure(figsize=(WIDTH, 0.6 + 2.6 * len(devices)), layout="constrained")
    for axes, (device, curve) in zip(figure.subplots(len(devices), 1, squeeze=False)[:, 0], devices, strict=True):
        draw(axes, curve, str(device))
    figure.suptitle(f"{lettered(name)}: memory over a step", x=0.01, ha="left", fontsize=10)
    phases = [phase for phase in COLOURS if (trace.memory.phase == phase).any()]
    handles = [Patch(color=COLOURS[phase], alpha=0.25, label=phase) for phase in phases]
    figure.legend(handles=handles, loc="outside upper right", ncols=len(handles) or 1)
    return figure


def draw(axes: Axes, curve: pd.DataFrame, device: str) -> None:
    """Draw one device's curve, rows of `Trace.memory`."""
    low = curve.bytes.min()
    height = (curve.bytes - low) / MIB
    span = curve.at_s.iloc[-1] - curve.at_s.iloc[0]
    turns = (curve.phase != curve.phase.shift()).cumsum()
    ends = curve.groupby(turns).at_s.first().shift(-1).fillna(curve.at_s.iloc[-1])
    for (_, part), end in zip(curve.groupby(turns), ends, strict=True):
        phase, start = part.phase.iloc[0], part.at_s.iloc[0]
        if phase in COLOURS and end - start > LEAST_WIDTH * span:
            axes.axvspan(start, end, color=COLOURS[phase], alpha=0.25, linewidth=0)
    axes.step(curve.at_s, height, where="post", color="black", linewidth=0.9)
    top = curve.loc[curve.bytes.idxmax()]
    peak = (top.bytes - low) / MIB
    axes.plot([top.at_s], [peak], "o", color=DOT, markersize=5)
    who = " ".join(filter(None, (top.layer, top.phase)))
    axes.annotate(f"{peak:,.0f} MiB in {lettered(who)}", (top.at_s, peak), xytext=(6, 4), textcoords="offset points")
    axes.set_ylim(0, 1.15 * peak or 1)
    axes.grid(visible=True, axis="y")
    axes.set_ylabel(f"MiB above the lowest ({lettered(device)})")
    axes.set_xlabel("seconds into the step")
