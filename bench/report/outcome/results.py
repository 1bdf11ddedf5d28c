"""The section with the table of variants: the results of each."""

import math
from functools import partial

import pandas as pd

from bench.analyse import tables
from bench.analyse.decided import is_whole
from bench.analyse.labels import label, named
from bench.analyse.load import RunData
from bench.analyse.stats import Interval
from bench.analyse.tables.columns import Row
from bench.analyse.verdicts import ONCE, UNDECIDED, delta_of, more_rounds, smallest_seen
from bench.core.metrics.metric import MetricTable
from bench.core.metrics.registry import in_table
from bench.core.progress import duration
from bench.core.text import MOST_OF_A_REASON, code
from bench.report import cells
from bench.report.answer import answer, caveats
from bench.report.document import Block, Figure, Fold, Paragraph, Section, Table, explained, paragraphs
from bench.report.figures import plots_steps
from bench.report.outcome import bound
from bench.report.page import Report
from bench.report.trust import effect
from bench.report.words import Number, count_of, percent, seconds

WORDS = (
    "Brackets hold 95 % intervals over rounds{of_looks}. *Speedup* is the baseline's seconds per {item} over "
    "the variant's, so above 1 is faster; it is taken within rounds, against both of the baseline's trials, so it need "
    "not be the quotient of the medians beside it. *CPU* seconds (of all cores together) and minor *page faults* are "
    "per step. {epoch}Variants of the pilot or the race alone were measured once or a few times, and get no verdict."
)
EPOCH_WORDS = "*Epoch* is 60,000 images: measured as a whole if it says so, else projected from the rate. "
OF_LOOKS = (
    ", those of *speedup* {level}: the run looks at them several times, and with several looks at this level "
    "the chance of an error is no larger than with one look at 95 %"
)
LATENCY_WORDS = (
    "*Call p50*, *p90* and *p99* are percentiles of single calls, timed one by one on an idle device after the steps: "
    "from the batch on the host until the work is done. Each is the median over rounds of the trials' own percentiles. "
    "A trial of fewer than 10 calls has no p90, one of fewer than 100 no p99; a cell is empty if any trial has none."
)
DIED_WORDS = "A variant whose trials died in some *rounds* stays UNDECIDED and is never called the fastest."


def variants_section(report: Report) -> Section:
    """The variants table, and what it means."""
    data, steps = report.data, report.steps
    judged = [metric for metric in in_table(MetricTable.STEPS) if metric.better]
    explaining = [metric for metric in in_table(MetricTable.STEPS) if not metric.better]
    rows = [
        {
            "variant": label(data, row["variant_id"]),
            **cells.of_page(judged, row, row["unit"]),
            "verdict": effect.verdict_words(data, row),
            "rounds": tables.rounds_words(data, row["variant_id"], row["n"]),
            **cells.of_page(explaining, row, row["unit"]),
            "epoch": epoch_words(row),
        }
        for row in steps.to_dict("records")
    ]
    blocks: list[Block] = [Table.of(rows)]
    if report.data.run.plan.verdicts:
        blocks.append(Paragraph(verdict_words(report)))
    if any(tables.spoilt(data, v) for v in steps.variant_id):
        blocks.append(Paragraph(DIED_WORDS))
    blocks += paragraphs(in_part_words(data, steps))
    blocks += bound.blocks(data, steps)
    blocks.append(explained(table_words(data), *([LATENCY_WORDS] if "latency_calls" in steps else [])))
    ids = [f"{code(v, MOST_OF_A_REASON)} is {named(data, v)}" for v in steps.variant_id]
    for best in sorted(best_of(report)):
        blocks += caveats.unmeasured(data, best)
    return Section("Variants", [*blocks, Fold("Ids", [Paragraph("; ".join(ids) + ".")])])


def figure_section(report: Report) -> Section:
    """The figure of the single trials; it continues the section before it."""
    draw = partial(plots_steps.throughput, report.data, report.steps, best_of(report))
    return Section("", [Figure("throughput", draw, f"{tables.unit_of(report.data)} a second, one dot a trial")])


def best_of(report: Report) -> set[str]:
    """The variants that the answer names, one for each device and model."""
    groups = answer.groups(report.data, report.steps).values()
    return {best for rows in groups if (best := answer.fastest(report.data, rows))}


def table_words(data: RunData) -> str:
    """What the columns of the table hold, and how sure its intervals are."""
    looks = data.run.plan.looks
    return WORDS.format(
        of_looks=OF_LOOKS.format(level=f"{100 * (1 - 2 * looks.error):.1f} %") if looks else "",
        item=tables.unit_of(data).removesuffix("s"),
        epoch="" if data.run.inputs.task else EPOCH_WORDS,
    )


def in_part_words(data: RunData, steps: pd.DataFrame) -> list[str]:
    """A sentence on what the variants that took effect in part did not do."""
    parts = [f"{named(data, v)} ({words})" for v in steps.variant_id if (words := effect.words(data, v))]
    return [f"*In part*: not all of a variant took effect: {'; '.join(parts)}."] if parts else []


def epoch_words(row: Row) -> str:
    """An epoch's duration, and whether it was measured."""
    if not row["epoch_s"] > 0:
        return ""
    measured = row["epoch_kind"] == "measured"
    return Number(f"{seconds(row['epoch_s'])}, measured" if measured else duration(row["epoch_s"]), row["epoch_s"])


def more_words(data: RunData, ratio: Interval, rounds: int, delta: float) -> str:
    """How many more rounds, and minutes, would probably decide an open verdict; empty if that can't be known."""
    more, round_s = more_rounds(ratio, rounds, delta), round_seconds(data)
    if more is None or math.isnan(round_s):
        return ""
    return f"; about {count_of(more, 'more round')} ({duration(more * round_s)}) may decide it"


def round_seconds(data: RunData) -> float:
    """The median time from the start of a complete round to the start of the next; NaN with fewer than two."""
    starts = data.trials[data.trials["round"].isin(data.rounds)].groupby("round")["started_at"].min()
    return float(pd.to_datetime(starts).sort_values().diff().dt.total_seconds().median())


def delta_words(data: RunData) -> str:
    """The change that matters on each device, and that it was declared."""
    if data.run.plan.delta is not None:
        return f"{100 * data.run.plan.delta:g} %, declared beforehand by `--delta`"
    devices = dict.fromkeys(data.variants[v].device for v in data.runnable)
    return f"{' and '.join(f'{percent(delta_of(d))} on {d}' for d in devices)}, declared beforehand"


def verdict_words(report: Report) -> str:
    """What the verdicts of this run mean, and which change the undecided variants would have shown."""
    text = (
        f"FASTER and SLOWER: the whole interval lies beyond the change that matters ({delta_words(report.data)}); "
        "SAME: it lies within; UNDECIDED: neither."
    )
    looks = report.data.run.plan.looks
    error = looks.error if looks else ONCE
    undecided = report.steps[report.steps.verdict == UNDECIDED]
    for row in undecided.itertuples():
        ratio = Interval(estimate=row.ratio, lo=row.ratio_lo, hi=row.ratio_hi)
        if ratio.known:
            delta = report.data.delta(row.variant_id)
            more = more_words(report.data, ratio, row.n, delta) if is_whole(report.data, row.variant_id) else ""
            text += (
                f" For {named(report.data, row.variant_id)} a change of {percent(smallest_seen(ratio, delta, error))} "
                f"would have been seen in four runs of five{more}."
            )
    return text
