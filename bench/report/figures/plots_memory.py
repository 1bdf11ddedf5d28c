"""The figures of memory: of each variant, and of the allocator over one traced step."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bench.analyse.labels import label
from bench.analyse.load import RunData
from bench.analyse.traces.trace import Trace
from bench.report.figures.canvas import MIB, WIDTH, name_rows, note_row, rows_figure, styled
from bench.report.figures.ink import ACCENT, COLOURS, GREY, INK, is_dark
from bench.report.figures.lettering import lettered
from bench.report.figures.saving import tip
from bench.report.words import size

PARTS = {
    "parameter_bytes": ("parameters", "#0072B2"),
    "gradient_bytes": ("gradients", "#56B4E9"),
    "optimizer_bytes": ("optimizer state", "#009E73"),
    "saved_bytes": ("saved for backward", "#E69F00"),
}
WRITTEN_SHARE = 0.12
"""A part that takes less of the longest bar has no room for its size."""
LEAST_WIDTH = 0.004
"""A phase that takes less of the step is not shaded."""


@styled
def memory(data: RunData, table: pd.DataFrame) -> Figure:
    """What a step holds, stacked, with the allocator's peak as a mark; the whole process's peak in a panel of its own.

    They have a scale each: a process holds far more than a step does.
    """
    figure, (held, process) = rows_figure(len(table), 2)
    longest = max(table[list(PARTS)].sum(axis=1).max(), table.allocator_peak_bytes.max()) / MIB
    left = np.zeros(len(table))
    for column, (name, colour) in PARTS.items():
        known = table[column].to_numpy()
        mib = np.nan_to_num(known) / MIB
        bars = held.barh(range(len(table)), mib, left=left, height=0.6, color=colour, label=name)
        for row, bar in enumerate(bars):
            tip(bar, f"{name}: {size(known[row])}")
            if mib[row] > WRITTEN_SHARE * longest:
                ink = "white" if is_dark(colour) else "black"
                middle = left[row] + mib[row] / 2
                held.text(middle, row, size(known[row]), ha="center", va="center", fontsize=8, color=ink)
        left += mib
    peaks = table.allocator_peak_bytes / MIB
    held.scatter(peaks, range(len(table)), marker="|", s=140, color=INK, label="allocator peak", zorder=3)
    for unknown in np.flatnonzero(table.saved_bytes.isna() & (not data.infers)):
        held.text(left[unknown], int(unknown), " saved: ?", va="center", fontsize=8, color=GREY)
    bars = process.barh(range(len(table)), table.process_peak_bytes.fillna(0) / MIB, height=0.6, color=GREY)
    for row, (bar, peak) in enumerate(zip(bars, table.process_peak_bytes, strict=True)):
        tip(bar, f"process peak: {size(peak)}")
        note_row(process, row, size(peak), fontsize=8)
    name_rows(held, [label(data, v) for v in table.variant_id])
    process.tick_params(axis="y", length=0)
    for axes, words in ((held, "MiB that a step holds"), (process, "MiB, peak of the process")):
        axes.set_xlim(left=0)
        axes.set_xlabel(words)
    held.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1), fontsize=8)
    return figure


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
    axes.step(curve.at_s, height, where="post", color=INK, linewidth=0.9)
    top = curve.loc[curve.bytes.idxmax()]
    peak = (top.bytes - low) / MIB
    axes.plot([top.at_s], [peak], "o", color=ACCENT, markersize=5)
    who = " ".join(filter(None, (top.layer, top.phase)))
    axes.annotate(f"{peak:,.0f} MiB in {lettered(who)}", (top.at_s, peak), xytext=(6, 4), textcoords="offset points")
    axes.set_ylim(0, 1.15 * peak or 1)
    axes.grid(visible=True, axis="y")
    axes.set_ylabel(f"MiB above the lowest ({lettered(device)})")
    axes.set_xlabel("seconds into the step")
