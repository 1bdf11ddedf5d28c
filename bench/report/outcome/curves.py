"""Sections on what bounds an epoch, and on throughput by threads and by batch size."""

import math
from functools import partial

from bench.analyse import tables
from bench.analyse.labels import label, named
from bench.core.variants import LARGEST
from bench.report.answer import answer
from bench.report.document import Block, Figure, Fold, Paragraph, Section, Table, explained
from bench.report.figures import plots_steps
from bench.report.page import Report
from bench.report.words import count, interval, number, size

NEAR = 0.8
"""The least share of the slower rate that an epoch reaches if this rate alone bounds it."""


def loaders_section(report: Report) -> Section | None:
    """Items a second of the loader alone, of the step alone, and of both together; nothing if none was measured."""
    data = report.data
    rows = []
    for row in report.steps.to_dict("records"):
        v = row["variant_id"]
        items = tables.items_of(data, v)
        alone = {name: items / data.spread(v, name).estimate for name in ("loader_alone", "compute_alone")}
        if not math.isnan(alone["loader_alone"]):
            rows.append({"variant": label(data, v), "rate": row["items_per_s"], "times": times(row)} | alone)
    if not rows:
        return None
    shown = [
        {
            "variant": row["variant"],
            "loader alone": number(row["loader_alone"]),
            "step alone": number(row["compute_alone"]),
            "end to end": number(row["rate"]),
            "speedup": row["times"],
            "bound by": bound_by(row["loader_alone"], row["compute_alone"], row["rate"]),
        }
        for row in rows
    ]
    bounds = {row["bound by"] for row in shown}
    words = (
        "Images a second: of the loader if nothing trains, of the step if its batch is on the device already (both "
        "measured once, in the pilot, so noise is in them), and of both together. The slower of the two bounds an "
        f"epoch. An epoch below {100 * NEAR:.0f} % of it is bound by both: they take turns, or use the same cores."
    )
    table: list[Block] = [Table.of(shown), explained(words)]
    if bounds == {"step"}:
        least = min(rows, key=lambda row: row["loader_alone"] / row["compute_alone"])
        lead = number(least["loader_alone"] / least["compute_alone"])
        words = f"Loading limits none of these: each loader alone is at least {lead} times as fast as its step"
        table = [Fold(words, table)]
    return Section("What bounds an epoch", table)


def times(row: dict[str, float]) -> str:
    """How many times as fast a variant is as its baseline, in words."""
    return interval(row["ratio"], row["ratio_lo"], row["ratio_hi"])


def bound_by(loader: float, compute: float, together: float) -> str:
    """Which of two rates bounds the third: loader, step, or both; empty if the third is not known."""
    if math.isnan(together):
        return ""
    if together < NEAR * min(loader, compute):
        return "both"
    return "loader" if loader < compute else "step"


def threads_section(report: Report) -> Section | None:
    """Throughput by threads, if a run has several numbers of them."""
    data = report.data
    families = answer.families(data, report.steps, "threads")
    if not families:
        return None
    draw = partial(plots_steps.curves, report.steps, families, lambda v: answer.place(data, v, "threads"), "threads")
    rates = report.steps.set_index("variant_id").items_per_s
    rows = [
        {
            "variant": label(data, v),
            "threads": count(answer.place(data, v, "threads")),
            f"{tables.unit_of(data)}/s": number(rates[v]),
        }
        | {"slow convolutions": slow_words(report, v)}
        for members in families.values()
        for v in members
    ]
    return Section(
        "Threads",
        [
            Table.of(rows),
            Paragraph("*Slow convolutions* are those that did not run in oneDNN."),
            Figure("threads", draw, f"{tables.unit_of(data)} a second by threads"),
        ],
    )


SLOW = (
    "aten::_slow_conv2d",
    "aten::slow_conv",
    "aten::thnn_conv",
    "aten::mm",
    "aten::addmm",
    "aten::col2im",
    "aten::im2col",
)
"""Operators that take most of a convolution on a CPU if oneDNN does not take it."""


def slow_words(report: Report, variant_id: str) -> str:
    """How many convolutions of a variant on the CPU did not run in oneDNN; empty if it is not known."""
    layers = report.data.layers.drop_duplicates(["variant_id", "layer"])
    layers = layers[(layers.variant_id == variant_id) & layers.type.str.startswith("Conv") & (layers.kernel != "")]
    if layers.empty or report.data.variants[variant_id].device != "cpu":
        return ""
    return f"{int(layers.kernel.str.startswith(SLOW).sum())} of {len(layers)}"


def batch_section(report: Report) -> Section | None:
    """Throughput by batch size, if a run has several, and the largest batch that fits, if the run searched for it."""
    data = report.data
    families = answer.families(data, report.steps, "batch_size")
    sentences = (largest_words(report, v) for v in data.variants)
    blocks: list[Block] = [Paragraph(sentence) for sentence in sentences if sentence]
    if families:
        draw = partial(plots_steps.curves, report.steps, families, lambda v: tables.batch_of(data, v), "batch size")
        blocks.append(Figure("batches", draw, f"{tables.unit_of(data)} a second by batch size"))
    return Section("Batch size", blocks) if blocks else None


BY_INDEX = "have more elements than torch's indices of 32 bits count: a limit of the index, not of memory"


def largest_words(report: Report, variant_id: str) -> str:
    """The largest batch of a variant, with what limited it; empty if the run did not search for it."""
    data, learned = report.data, report.data.run.learned
    variant = data.variants[variant_id]
    tried = dict(learned.tried.get(variant_id, []))
    if variant.batch_size != LARGEST or not tried:
        return ""
    limit = data.run.plan.limit_bytes(variant)
    under = f"under a limit of {size(limit)}" if limit else "on this device"
    of = "" if data.run.inputs.task else " images"
    fits = [n for n, peak in tried.items() if peak is not None]
    fails = [n for n, peak in tried.items() if peak is None]
    by_index = bool(fails) and learned.beyond_index.get(variant_id) == min(fails)
    if not fits:
        why = f", which {BY_INDEX}" if by_index else ""
        return f"{named(data, variant_id)}: no batch fits {under}, not even {min(fails):,}{of}{why}."
    peak = f" (the peak was {size(most)})" if (most := tried[max(fits)]) else ""
    more = f"{min(fails):,} did not" if fails else "there are no more train images"
    if by_index:
        more = f"{min(fails):,} {BY_INDEX}"
    return f"**The largest batch of {named(data, variant_id)} {under} is {max(fits):,}{of}**{peak}; {more}."
