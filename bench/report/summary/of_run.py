"""The summary of `bench run`: the answer, the variants, and how sure that is."""

from bench.analyse import tables
from bench.analyse.labels import label
from bench.core.metrics.registry import metric
from bench.core.text import marked
from bench.report import cells
from bench.report.answer.headline import headline
from bench.report.document import Block, Note, Paragraph, Section, Table
from bench.report.outcome.results import delta_words
from bench.report.outcome.title import measured_on
from bench.report.page import Report
from bench.report.summary.parts import LEVEL, MOST_ROWS, again, more, noise
from bench.report.trust import effect, machine

SHOWN = ("items_per_s", "wall", "ratio")
"""The metrics of the table."""


def summary(report: Report) -> Section:
    """The answer in the title, the fastest variants, noise, and what to type."""
    data = report.data
    verdicts = f" The change that matters: {delta_words(data)}." if data.run.plan.verdicts else ""
    doubts = [Note(sentence) for sentence in (*machine.quota_words(data), *machine.busy_words(data))]
    blocks: list[Block] = [
        Paragraph(f"Run {marked(data.run.run_id)} on {measured_on(data.run)}{verdicts}"),
        Table.of(rows(report)),
        *map(Paragraph, more(len(report.steps) - MOST_ROWS, "variant")),
        *doubts,
        *noise(data),
        *again(report),
    ]
    return Section(f"nin-bench: {headline(report)}", blocks, LEVEL)


def rows(report: Report) -> list[dict[str, str]]:
    """A row a variant, the fastest first; those without a rate come last."""
    if report.steps.empty:
        return []
    fastest = report.steps.sort_values("items_per_s", ascending=False, na_position="last", kind="stable")
    return [
        {
            "variant": label(report.data, row["variant_id"]),
            **cells.of_page([metric(name) for name in SHOWN], row, row["unit"]),
            "verdict": effect.verdict_words(report.data, row),
            "rounds": tables.rounds_words(report.data, row["variant_id"], row["n"]),
        }
        for row in fastest.head(MOST_ROWS).to_dict("records")
    ]
