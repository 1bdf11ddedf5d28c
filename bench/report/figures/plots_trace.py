"""The figure of allocated memory over a whole trace."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from bench.analyse.kineto.memory import Curve, thinned
from bench.report.figures.canvas import MIB, WIDTH, styled
from bench.report.figures.ink import ACCENT, GREY, INK
from bench.report.figures.lettering import lettered
from bench.report.words import size


@styled
def memory(curves: Sequence[Curve]) -> Figure:
    """Bytes over time: axes for each device, with the peak named, and what the allocator reserved if recorded."""
    figure = Figure(figsize=(WIDTH, 0.4 + 2.2 * len(curves)), layout="constrained")
    for axes, curve in zip(figure.subplots(len(curves), 1, squeeze=False)[:, 0], curves, strict=True):
        moments = thinned(curve.moments)
        axes.step(moments.at_s, moments.allocated_bytes / MIB, where="post", color=INK, linewidth=0.9)
        if moments.reserved_bytes.notna().any():
            axes.step(moments.at_s, moments.reserved_bytes / MIB, where="post", color=GREY, linewidth=0.9)
            axes.text(
                moments.at_s.iloc[-1], moments.reserved_bytes.iloc[-1] / MIB, " reserved", va="center", color=GREY
            )
        axes.plot([curve.peak_at_s], [curve.peak_bytes / MIB], "o", color=ACCENT, markersize=5)
        words = size(curve.peak_bytes)
        axes.annotate(words, (curve.peak_at_s, curve.peak_bytes / MIB), xytext=(6, 4), textcoords="offset points")
        axes.grid(visible=True, axis="y")
        axes.set_ylabel(f"MiB allocated ({lettered(curve.device)})")
        axes.set_xlabel("seconds into the trace")
    return figure
