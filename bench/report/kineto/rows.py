"""Tables of the page: a row a row of a data frame, with the columns of which something is known."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from bench.report.document import Block, Paragraph, Table
from bench.report.words import Number, count_of, seconds

MOST_ROWS = 25
MOST_LETTERS = 100
"""Of a name or of shapes."""
Cell = Callable[[Any], object]


def blocks(table: pd.DataFrame, cells: Mapping[str, tuple[str, Cell]], what: str, file: str) -> list[Block]:
    """The first rows of a table, and a sentence about those that are left out.

    `cells` has for each column its heading and its format. A column whose cells are all empty or 0 is left out.
    """
    shown = [column for column in cells if column in table and is_known(table[column])]
    head = table[shown].head(MOST_ROWS)
    rows = [{cells[name][0]: cells[name][1](row[name]) for name in shown} for row in head.to_dict("records")]
    left = len(table) - len(rows)
    rest = [Paragraph(f"{count_of(left, what)} with less time follow in `tables/{file}.csv`.")] if left else []
    return [Table.of(rows, MOST_LETTERS), *rest]


def is_known(column: "pd.Series[Any]") -> bool:
    """Whether a column says anything."""
    return bool((column.notna() & (column != 0) & (column != "")).any())


def share_of(total: float) -> Cell:
    """The format of seconds with their share of a total."""

    def shown(value: float) -> str:
        """Seconds, with their share if there is a total."""
        text = seconds(value)
        return Number(f"{text} ({100 * value / total:.0f} %)", value) if total and value else text

    return shown
