"""The variants table as a terminal shows it."""

from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.analyse import tables
from bench.analyse.load import RunData
from bench.core.metrics.metric import MetricTable
from bench.core.metrics.registry import in_table, metric
from bench.core.progress import say
from bench.core.text import distinct, shell_word, shortened
from bench.core.traces import FOLDER
from bench.report import cells
from bench.report.layers import alone
from bench.report.page import AbPage, ComparePage, Report, TracedPage
from bench.report.sides import ab
from bench.report.trust import effect
from bench.report.words import number, percent, seconds

PLAIN_WIDTH = 130
"""Columns of a table that no terminal shows."""
MOST_OF_AN_ID = 120
"""Letters of a variant's id or label: `--variant` takes an id whole."""


def wide_console() -> Console:
    """A console for a table, wide where no terminal says how wide."""
    console = Console()
    return console if console.is_terminal else Console(width=PLAIN_WIDTH)


def show_estimates(data: RunData) -> None:
    """The table of the pilot: one trial a variant, so estimates and no more."""
    _print(data, tables.steps(data), "First estimates, from the pilot's one trial each", with_ratio=False)


def show(report: Report) -> None:
    """The variants table of a run and the path of its report."""
    _print(report.data, report.steps, "Variants", with_ratio=True)
    say(Console(), f"report: {report.path}")


def _print(data: RunData, steps: pd.DataFrame, title: str, *, with_ratio: bool) -> None:
    console = wide_console()
    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    shown.add_column("variant", overflow="fold")
    rows = [cells_of(data, row, with_ratio=with_ratio) for row in steps.to_dict("records")]
    # A column that nothing is known of is left out.
    names = [name for name in (rows[0] if rows else ()) if any(row[name] for row in rows)]
    for name in names:
        shown.add_column(name, justify="left" if name == "verdict" else "right")
    whole = list(map(str, steps.variant_id))
    ids = dict(zip(whole, distinct(whole, MOST_OF_AN_ID), strict=True))
    for variant_id, row in zip(whole, rows, strict=True):
        shown.add_row(*map(Text, [ids[variant_id], *(row[name] for name in names)]))
    console.print(shown)


def cells_of(data: RunData, row: dict[str, Any], *, with_ratio: bool) -> dict[str, str]:
    """The cells of a variant by their columns' names, empty where something is not known.

    What the host does for a step stands where it was measured on a CPU, what the device does where on a GPU.
    """
    system_share = row["cpu_system_s"] / (row["cpu_system_s"] + row["cpu_user_s"])
    found = cells.of_terminal(in_table(MetricTable.STEPS), row) | {"system CPU": percent(system_share)}
    if with_ratio:
        found["times baseline"] = cells.with_bounds(metric("ratio"), row)
        found["verdict"] = effect.verdict_words(data, row)
        found["rounds"] = tables.rounds_words(data, row["n"])
    return found


def show_profile(page: TracedPage) -> None:
    """How long each traced step was, the path of the report, and how to look at the traces."""
    console = Console()
    for trace in page.traces:
        say(console, f"{trace.variant_id}: {trace.steps} steps of {seconds(trace.step_s)} under the profiler")
    say(console, f"traces: {page.data.folder / FOLDER}")
    say(console, f"look at them with: python -m bench tensorboard {shell_word(str(page.data.folder))}")
    say(console, f"report: {page.path}")


def show_micro(report: Report) -> None:
    """What the layers alone sum to against the step, of each variant, and the path of the report."""
    console = Console()
    for variant_id, told in alone.told(report).items():
        say(console, f"{variant_id}: {told}")
    say(console, f"report: {report.path}")


def show_ab(page: AbPage) -> None:
    """A line a changed cell, what stayed open, and the path of the page."""
    console = Console()
    for line in ab.changed_lines(page, shortened):
        say(console, line.removeprefix("- ").replace("**", ""))
    say(console, f"report: {page.path}")


def show_compare(page: ComparePage) -> None:
    """Images a second of the variants that runs share, and the path of the page."""
    console = wide_console()
    shown = Table(title="Images/s (measured apart: no verdicts)", title_justify="left", box=box.SIMPLE_HEAD)
    shown.add_column("variant", overflow="fold")
    for name in distinct([run.name for run in page.runs]):
        shown.add_column(Text(name), justify="right", overflow="fold")
    for match, name in zip(page.shared, distinct([match.name for match in page.shared], MOST_OF_AN_ID), strict=True):
        mine = page.steps[page.steps.variant == match.name].set_index("run").images_per_s
        rates = (number(mine[run.name]) if run.name in mine.index else "" for run in page.runs)
        shown.add_row(Text(name), *map(Text, rates))
    console.print(shown)
    say(console, f"report: {page.path}")
