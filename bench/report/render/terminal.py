"""What a verb shows in a terminal at its end."""

import pandas as pd
from rich.console import Console

from bench.analyse import tables
from bench.analyse.load import RunData
from bench.analyse.tables.columns import Row
from bench.core.exits import called
from bench.core.metrics.metric import MetricTable
from bench.core.metrics.registry import in_table, metric
from bench.core.text import MOST_OF_A_LINE, distinct, escaped, marked, shell_word
from bench.core.traces import FOLDER
from bench.report import cells
from bench.report.document import Block, Bullets, Column, Paragraph, Section, Table
from bench.report.layers import alone
from bench.report.page import AbPage, ComparePage, Folder, HistoryPage, Report, TracedPage
from bench.report.render import console
from bench.report.sides import ab, history_page
from bench.report.trust import effect
from bench.report.words import number, percent, seconds

ESTIMATES = "First estimates, from the pilot's one trial each"
PLAIN_WIDTH = 130
"""The width of a table, in letters, if the output is not a terminal."""
MOST_OF_AN_ID = 120
"""The most letters of a variant's id or label. An id is rarely cut, since `--variant` needs the whole."""


def wide_console() -> Console:
    """A console for a table; PLAIN_WIDTH wide if the output is not a terminal."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=PLAIN_WIDTH)


def show_estimates(data: RunData) -> None:
    """Print the table of the pilot: estimates from one trial a variant."""
    show_blocks(Section(ESTIMATES, [variants_table(data, tables.steps(data), with_ratio=False)]))


def show(report: Report) -> None:
    """Print the variants table of a run and the path of its report."""
    table = variants_table(report.data, report.steps, with_ratio=True)
    show_blocks(Section("Variants", [table]), path_of(report))


def show_blocks(*blocks: Block) -> None:
    """Print blocks."""
    console.show(wide_console(), blocks)


def path_of(page: Folder) -> Paragraph:
    """A line with the path of a page's report."""
    return Paragraph(f"report: {marked(str(page.path), MOST_OF_A_LINE)}")


def variants_table(data: RunData, steps: pd.DataFrame, *, with_ratio: bool) -> Table:
    """A row a variant, by its id, without the columns of which nothing is known."""
    rows = [cells_of(data, row, with_ratio=with_ratio) for row in steps.to_dict("records")]
    names = [name for name in (rows[0] if rows else ()) if any(row[name] for row in rows)]
    ids = distinct(list(map(str, steps.variant_id)), MOST_OF_AN_ID)
    return Table(
        [Column("variant"), *(Column(name, "left" if name == "verdict" else "right") for name in names)],
        [[escaped(text) for text in (i, *(row[name] for name in names))] for i, row in zip(ids, rows, strict=True)],
    )


def cells_of(data: RunData, row: Row, *, with_ratio: bool) -> dict[str, str]:
    """The cells of a variant by column; empty if a value is not known.

    So a step on a CPU shows what the host does, one on a GPU what the device does.
    """
    system_share = row["cpu_system_s"] / (row["cpu_system_s"] + row["cpu_user_s"])
    texts = cells.of_terminal(in_table(MetricTable.STEPS), row, row["unit"]) | {"system CPU": percent(system_share)}
    if with_ratio:
        texts["times baseline"] = cells.with_bounds(metric("ratio"), row)
        texts["verdict"] = effect.verdict_words(data, row)
        texts["rounds"] = tables.rounds_words(data, row["variant_id"], row["n"])
    return texts


def show_profile(page: TracedPage) -> None:
    """Print how long each traced step was, how to look at the traces, and the path of the report."""
    folder = page.data.folder
    steps = (
        f"{marked(t.variant_id, MOST_OF_A_LINE)}: {t.steps} steps of {seconds(t.step_s)} under the profiler"
        for t in page.traces
    )
    board = f"{called()} tensorboard {shell_word(str(folder))}"
    show_blocks(
        Bullets(
            [
                *steps,
                f"traces: {marked(str(folder / FOLDER), MOST_OF_A_LINE)}",
                f"look at them with: {marked(board, MOST_OF_A_LINE)}",
            ]
        ),
        path_of(page),
    )


def show_micro(report: Report) -> None:
    """Print what each variant's layers alone sum to compared with its step, and the path of the report."""
    sums = (f"{marked(variant_id, MOST_OF_A_LINE)}: {words}" for variant_id, words in alone.sums(report).items())
    show_blocks(Bullets(list(sums)), path_of(report))


def show_ab(page: AbPage) -> None:
    """Print a line a changed cell, what stayed open, and the path of the page."""
    show_blocks(ab.changed(page), path_of(page))


def show_compare(page: ComparePage) -> None:
    """Print the images a second of the variants that the runs share, and the path of the page."""
    names = distinct([run.name for run in page.runs])
    rows = []
    for match, name in zip(page.shared, distinct([match.name for match in page.shared], MOST_OF_AN_ID), strict=True):
        by_run = page.steps[page.steps.variant == match.name].set_index("run").items_per_s
        rates = (number(by_run[run.name]) if run.name in by_run.index else "" for run in page.runs)
        rows.append([escaped(name), *rates])
    table = Table([Column("variant"), *(Column(escaped(name), "right") for name in names)], rows)
    show_blocks(Section("Images/s (measured apart: no verdicts)", [table]), path_of(page))


def show_history(page: HistoryPage) -> None:
    """Print a line a change, and the path of the page."""
    show_blocks(history_page.changed(page), path_of(page))
