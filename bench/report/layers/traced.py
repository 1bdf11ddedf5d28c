"""The section from traces: what worked for which layer and phase, compared with the probe's stamps, and memory."""

import math
from functools import partial

import pandas as pd

from bench.analyse.labels import label, named
from bench.analyse.load import RunData
from bench.analyse.traces.trace import Trace
from bench.core.text import MOST_OF_A_REASON, code, marked
from bench.core.traces import BETWEEN, FOLDER, RAW, SNAPSHOT, file_name
from bench.report import commands
from bench.report.document import Block, Figure, Paragraph, Section, Table
from bench.report.figures import plots_memory
from bench.report.page import Page, Report, TracedPage
from bench.report.words import number, percent, seconds, size

MOST_SHOWN = 15
AGREE = 0.05
"""How far a layer's two times may differ and still count as the same."""
WAYS = {
    "cpu": ("the operators within them", ", so trust neither for these layers"),
    "device": (
        "the kernels launched within them, which leaves out the gaps",
        "; gaps between kernels are part of that, so it settles nothing",
    ),
}
"""What of a trace adds up to a layer's time, and what a difference of more than AGREE then means."""
HEAVY = 0.05
"""A layer of at least this share of the step is compared with the probe in the report; all are in the table."""


def section(page: TracedPage) -> Section | None:
    """What the profiler saw of each traced variant; nothing if none was traced."""
    if not page.traces:
        return None
    where = code(f"{page.data.folder}/{FOLDER}/VARIANT/", MOST_OF_A_REASON)
    words = (
        "Traced in processes of their own, apart from every timed trial: the profiler costs time, so shares are of the "
        "traced step. The traces lie in "
        f"{where}: `{RAW}` opens in Perfetto, and `{commands.bench(page.data.run, 'tensorboard')}` "
        "serves them. Times are an operator's own, without those that it calls, and means over the traced steps."
    )
    parts = [of_trace(page, trace, index) for index, trace in enumerate(page.traces, start=1)]
    return Section("What the profiler saw", [Paragraph(words), *parts])


def of_trace(page: TracedPage, trace: Trace, index: int) -> Section:
    """What the profiler saw of one variant; `index` is the trace's place on the page, from 1."""
    blocks = [
        Paragraph(overview_words(page.data, trace)),
        *work_blocks(trace),
        *layer_blocks(page, trace),
        *memory_blocks(page, trace, "memory-trace" if index == 1 else f"memory-trace-{index}"),
    ]
    return Section(f"{named(page.data, trace.variant_id)}, traced", blocks, level=3)


def overview_words(data: RunData, trace: Trace) -> str:
    """How long the traced step was, how long plain ones of the same process, and how idle the machine was in those."""
    plain = plain_steps(data, trace.variant_id)
    text = f"{trace.steps} steps of {seconds(trace.step_s)} under the profiler"
    if plain.empty:
        return f"{text}."
    plain_s = plain.wall.median()
    text += f", and {seconds(plain_s)} without it in the same process."
    if not math.isnan(trace.device_busy_s):
        idle = percent(max(0.0, 1 - trace.device_busy_s / plain_s))
        text += (
            f" The device worked for {seconds(trace.device_busy_s)} a step, so it is idle for {idle} of a plain one."
        )
    elif {"cpu_user", "cpu_system"} <= set(plain.columns):
        cores = float(data.run.environment.cores or math.nan)
        used = ((plain.cpu_user + plain.cpu_system) / (cores * plain.wall)).median()
        text += f" In the plain steps the {cores:.0f} cores were idle for {percent(max(0.0, 1 - used))} of the time."
    return text


def plain_steps(data: RunData, variant_id: str) -> pd.DataFrame:
    """The plain steps that a variant's process took before its trace: a row a step, a column a metric."""
    samples = data.traced[(data.traced.variant_id == variant_id) & (data.traced.scope == "step")]
    return samples.pivot(index="index", columns="metric", values="value")  # noqa: PD010 - two values are an error


def work_blocks(trace: Trace) -> list[Block]:
    """The heaviest operators, and kernels if there is a device."""
    blocks: list[Block] = []
    for on, title in (("device", "kernel"), ("cpu", "operator")):
        work = trace.work[trace.work.on == on]
        if work.empty:
            continue
        rows = [
            {
                title: row.name_,
                "layer": row.layer,
                "phase": row.phase or "(outside)",
                "self time a step": seconds(row.seconds),
                "share": percent(row.seconds / trace.step_s),
                "calls a step": number(row.calls),
            }
            for row in work.rename(columns={"name": "name_"}).head(MOST_SHOWN).itertuples()
        ]
        shown = work.head(MOST_SHOWN).seconds.sum() / work.seconds.sum()
        words = f"These are {percent(shown)} of what all {title}s took; the rest is in tables/trace.csv."
        blocks += [Table.of(rows), Paragraph(words)]
    return blocks


def layer_blocks(page: TracedPage, trace: Trace) -> list[Block]:
    """The heavy layers by the trace and by the stamps of the same steps, and in the rounds if there are any."""
    both = probe_and_trace(page.data, trace)
    if both.empty:
        return []
    whole = both.groupby("layer", sort=False)[["probe_s", "trace_s"]].sum()
    heavy = whole[(whole.probe_s > HEAVY * trace.step_s) & (whole.index != BETWEEN)]
    if heavy.empty:
        return []
    untraced = in_rounds(page, trace.variant_id)
    rows = [
        {
            "layer": layer,
            "stamps": seconds(row.probe_s),
            "trace": seconds(row.trace_s),
            "difference": f"{100 * (row.trace_s / row.probe_s - 1):+.1f} %",
        }
        | ({"untraced, in rounds": seconds(untraced.get(str(layer), math.nan))} if untraced else {})
        for layer, row in heavy.iterrows()
    ]
    farthest = (heavy.trace_s / heavy.probe_s - 1).abs().max()
    summed, doubt = WAYS[on_of(page.data, trace)]
    meaning = ": work is counted for the right layer" if farthest <= AGREE else doubt
    words = (
        "Forward and backward of the layers that take more than 5 % of the traced step, in the same steps by two ways: "
        f"by time stamps at the layer's borders, and by adding up {summed}. They differ by {percent(farthest)} at most"
        f"{meaning}. The untraced rounds show how far the profiler itself slowed a layer."
    )
    return [Table.of(rows), Paragraph(words)]


def in_rounds(page: TracedPage, variant_id: str) -> dict[str, float]:
    """Seconds of each layer, forward and backward together, in the rounds; empty if the page has no rounds."""
    if not isinstance(page, Report):
        return {}
    rows = page.layers[page.layers.variant_id == variant_id]
    return dict(zip(rows.layer, rows.forward_s + rows.backward_s, strict=True))


def on_of(data: RunData, trace: Trace) -> str:
    """On what a variant's work is done: cpu or device."""
    kind = data.variants[trace.variant_id].kind
    return "device" if kind.accelerates and kind.profiled else "cpu"


def probe_and_trace(data: RunData, trace: Trace) -> pd.DataFrame:
    """Seconds of each layer and phase by the probe's stamps and by the trace: means over the same steps."""
    samples = data.traced[(data.traced.variant_id == trace.variant_id) & (data.traced.metric == "traced_wall")]
    probe = samples[samples.scope == "layer"].groupby(["layer", "phase"], observed=True, sort=False)["value"].mean()
    traced = trace.work[trace.work.on == on_of(data, trace)].groupby(["layer", "phase"])["seconds"].sum()
    rows = [
        {"variant_id": trace.variant_id, "layer": layer, "phase": phase, "probe_s": value}
        | {"trace_s": float(traced.get((layer, phase), 0.0))}
        for (layer, phase), value in probe.items()
    ]
    return pd.DataFrame(rows, columns=["variant_id", "layer", "phase", "probe_s", "trace_s"])


def memory_blocks(page: Page, trace: Trace, name: str) -> list[Block]:
    """The allocator over one step, with the layer and phase in which it had given out most."""
    blocks: list[Block] = []
    for device, curve in trace.memory.groupby("device", sort=False):
        top = curve.loc[curve.bytes.idxmax()]
        who = (
            f"layer {code(top.layer)}, {marked(top.phase)}"
            if top.layer
            else marked(top.phase) or "outside of every phase"
        )
        low = curve.bytes.min()
        words = (
            f"Memory over the traced step that used most ({device}): at its peak, {seconds(top.at_s)} into the step in "
            f"{who}, the allocator had given out {size(top.bytes - low)} more than at the step's lowest point."
        )
        blocks.append(Paragraph(words))
    if not blocks:
        return []
    draw = partial(plots_memory.over_a_step, trace, label(page.data, trace.variant_id))
    blocks.append(Figure(name, draw, "bytes that the allocator has given out over one step"))
    where = f"{FOLDER}/{file_name(trace.variant_id)}/{SNAPSHOT}"
    if (page.data.folder / where).is_file():
        blocks.append(Paragraph(f"{code(where, MOST_OF_A_REASON)} is the allocator's own history of a step."))
    return blocks


def write_tables(page: TracedPage) -> None:
    """Write trace.csv and trace_layers.csv, if a variant was traced."""
    if page.traces:
        page.table("trace", work_table(page.traces))
        page.table("trace_layers", pd.concat([probe_and_trace(page.data, t) for t in page.traces], ignore_index=True))


def work_table(traces: list[Trace]) -> pd.DataFrame:
    """trace.csv: what worked for which layer and phase, in every trace."""
    parts = [
        trace.work.assign(variant_id=trace.variant_id, share_of_step=trace.work.seconds / trace.step_s)
        for trace in traces
    ]
    columns = ["variant_id", "on", "name", "layer", "phase", "seconds", "share_of_step", "calls"]
    return pd.concat(parts, ignore_index=True)[columns]
