"""What a verb shows in a terminal at its end."""

import pandas as pd
from rich.console import Console

from bench.analyse import tables
from bench.analyse.labels import label
from bench.analyse.load import RunData
from bench.analyse.tables.columns import Row
from bench.core.exits import called
from bench.core.metrics.metric import MetricTable
from bench.core.metrics.registry import in_table, metric
from bench.core.text import MOST_OF_A_LINE, distinct, escaped, marked, shell_word
from bench.core.traces import FOLDER
from bench.report import cells
from bench.report.answer import answer
from bench.report.answer.headline import headline
from bench.report.document import Block, Bullets, Column, Note, Paragraph, Section, Table, paragraphs
from bench.report.fleet import page as fleet_page
from bench.report.formats import html
from bench.report.kineto import steps, trust
from bench.report.layers import alone
from bench.report.page import (
    AbPage,
    ComparePage,
    FleetPage,
    Folder,
    HistoryPage,
    Report,
    SweepPage,
    TracedPage,
    TracePage,
)
from bench.report.render import console
from bench.report.sides import ab, history_page, sweep_page
from bench.report.trust import effect
from bench.report.words import number, percent, seconds

ESTIMATES = "First estimates, from the pilot's one trial each"
MOST_STEPS = 5
"""Of a trace."""
PLAIN_WIDTH = 130
"""The width of a table, in letters, if the output is not a terminal."""
BAR_WIDTH = 24
FULL, PARTIAL = "\N{FULL BLOCK}", ("", *map(chr, range(0x258F, 0x2588, -1)))
"""Blocks of one letter, and of none to seven eighths."""
MOST_OF_AN_ID = 120
"""The most letters of a variant's id or label. An id is rarely cut, since `--variant` needs the whole."""


def wide_console() -> Console:
    """A console for a table; PLAIN_WIDTH wide if the output is not a terminal."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=PLAIN_WIDTH)


def show_estimates(data: RunData) -> None:
    """Print the table of the pilot: estimates from one trial a variant."""
    show_blocks(Section(ESTIMATES, [estimates_table(tables.steps(data))]))


def show(report: Report) -> None:
    """Print the answer of a run, a bar for each variant, and the path of its report."""
    data, parts = report.data, []
    for rows in answer.groups(data, report.steps).values():
        words = paragraphs(answer.sentences(data, rows, answer.fastest(data, rows)))
        parts += [*words, bars_table(data, rows)]
    in_browser = Paragraph(f"in a browser: {marked(str(report.folder / html.NAME), MOST_OF_A_LINE)}")
    show_blocks(Section(headline(report), parts), in_browser, path_of(report))


def bars_table(data: RunData, steps: pd.DataFrame) -> Table:
    """A row a variant with a bar as long as its rate: the fastest of the rounds first, then those without rounds."""
    rows = tables.ranked(steps)
    most, unit = rows.items_per_s.max(), tables.unit_of(data)
    return Table.of(
        {
            "variant": label(data, row["variant_id"]),
            "rate": bar(row["items_per_s"] / most),
            f"{unit}/s": number(row["items_per_s"]),
            "speedup": cells.with_bounds(metric("ratio"), row),
            "verdict": effect.verdict_words(data, row),
            "rounds": tables.rounds_words(data, row["variant_id"], row["n"]),
        }
        for row in rows.to_dict("records")
    )


def bar(share: float) -> str:
    """A bar of BAR_WIDTH letters for 1, to an eighth of a letter."""
    eighths = round(8 * BAR_WIDTH * share)
    return FULL * (eighths // 8) + PARTIAL[eighths % 8]


def show_blocks(*blocks: Block) -> None:
    """Print blocks."""
    console.show(wide_console(), blocks)


def path_of(page: Folder) -> Paragraph:
    """A line with the path of a page's report."""
    return Paragraph(f"report: {marked(str(page.path), MOST_OF_A_LINE)}")


def estimates_table(steps: pd.DataFrame) -> Table:
    """A row a variant, by its id, without the columns of which nothing is known."""
    rows = [cells_of(row) for row in steps.to_dict("records")]
    names = [name for name in (rows[0] if rows else ()) if any(row[name] for row in rows)]
    ids = distinct(list(map(str, steps.variant_id)), MOST_OF_AN_ID)
    return Table(
        [Column("variant"), *(Column(name, "right") for name in names)],
        [[escaped(text) for text in (i, *(row[name] for name in names))] for i, row in zip(ids, rows, strict=True)],
    )


def cells_of(row: Row) -> dict[str, str]:
    """The cells of a variant by column; empty if a value is not known.

    So a step on a CPU shows what the host does, one on a GPU what the device does.
    """
    system_share = row["cpu_system_s"] / (row["cpu_system_s"] + row["cpu_user_s"])
    return cells.of_terminal(in_table(MetricTable.STEPS), row, row["unit"]) | {"system CPU": percent(system_share)}


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


def show_trace(page: TracePage) -> None:
    """Print the steps of each trace, what of it could not be read, and the path of the page."""
    for name, found in zip(page.names, page.found, strict=True):
        show_blocks(Section(marked(name), [steps.table(found.steps, MOST_STEPS), *map(Note, trust.damage(found))]))
        show_blocks(*(trust.warning(check) for check in found.checks if not check.passed))
    show_blocks(path_of(page))


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


def show_fleet(page: FleetPage) -> None:
    """Print the outliers of a fleet, what could not be judged, and the path of the page."""
    show_blocks(fleet_page.title(page), path_of(page))


def show_sweep(page: SweepPage) -> None:
    """Print the answer of a sweep, and the path of its page."""
    show_blocks(sweep_page.answer(page), path_of(page))
