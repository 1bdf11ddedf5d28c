"""The modules as a tree."""

from typing import Any

from bench.analyse.kineto.found import Found
from bench.core.text import MOST_OF_A_REASON, marked
from bench.report.document import Branch, Column, Fold, Paragraph, Section, Table, Tree, explained
from bench.report.kineto.rows import is_known
from bench.report.words import count, count_of, seconds

MOST_ROWS = 60
CELLS = {
    "calls": ("calls", count),
    "host_s": ("total host time", seconds),
    "host_self_s": ("self host time", seconds),
    "device_s": ("total device time", seconds),
    "device_self_s": ("self device time", seconds),
}
Row = dict[str, Any]


def section(found: Found, _: str) -> Section | None:
    """The modules; nothing if none are recorded."""
    table = found.modules
    if table.empty:
        return None
    shown = [name for name in CELLS if is_known(table[name])]
    rows: list[Row] = table.to_dict("records")
    tree = Tree(
        [Column("module"), *(Column(CELLS[name][0], "right") for name in shown)],
        branches(rows[:MOST_ROWS], shown),
        "The modules, each within the one that called it",
    )
    flat = [
        {"module": f"{'· ' * row['depth']}{row['module']}"}
        | {CELLS[name][0]: CELLS[name][1](row[name]) for name in shown}
        for row in rows[:MOST_ROWS]
    ]
    left = len(rows) - len(flat)
    rest = [Paragraph(f"{count_of(left, 'more module')} in `tables/modules.csv`.")] if left else []
    words = (
        "Each stands below the module that called it, in the order of the first calls. Total time has the modules "
        "within it, self time does not. It is the time of the forward pass: a trace does not say for which module "
        "autograd works."
    )
    return Section("Modules", [tree, Fold("As a table", [Table.of(flat, MOST_OF_A_REASON), *rest]), explained(words)])


def branches(rows: list[Row], shown: list[str]) -> list[Branch]:
    """The rows as a tree: a row's branches are those that follow it, deeper, until one that is not."""
    found = []
    at = 0
    while at < len(rows):
        end = at + 1
        while end < len(rows) and rows[end]["depth"] > rows[at]["depth"]:
            end += 1
        cells = [marked(str(rows[at]["module"])), *(CELLS[name][1](rows[at][name]) for name in shown)]
        found.append(Branch(cells, branches(rows[at + 1 : end], shown)))
        at = end
    return found
