"""The variants table as a terminal shows it."""

from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from bench.analyse import tables
from bench.analyse.load import load
from bench.analyse.words import interval, number, percent, seconds


def show_estimates(folder: Path) -> None:
    """The table of the pilot: one trial a variant, so estimates and no more."""
    data = load(folder)
    table = tables.steps(data)
    _print(table, "First estimates, from the pilot's one trial each", with_ratio=False)


def show(folder: Path, report: Path) -> None:
    """The variants table of a run and the path of its report."""
    _print(tables.steps(load(folder)), "Variants", with_ratio=True)
    Console().print(f"report: {report}", highlight=False, soft_wrap=True)


def _print(table: pd.DataFrame, title: str, *, with_ratio: bool) -> None:
    shown = Table(title=title, title_justify="left")
    shown.add_column("variant", overflow="fold")
    for name in ("images/s", "step", "page faults", "system CPU"):
        shown.add_column(name, justify="right")
    if with_ratio:
        for name in ("times baseline", "verdict", "n"):
            shown.add_column(name, justify="right")
    for row in table.to_dict("records"):
        cells = [
            str(row["variant_id"]),
            number(row["images_per_s"]),
            seconds(row["step_s"]),
            number(row["page_faults"]),
            percent(row["cpu_system_s"] / (row["cpu_system_s"] + row["cpu_user_s"])),
        ]
        if with_ratio:
            ratio = interval(row["ratio"], row["ratio_lo"], row["ratio_hi"])
            cells += [ratio, str(row["verdict"]), str(row["n"])]
        shown.add_row(*cells)
    Console().print(shown)
