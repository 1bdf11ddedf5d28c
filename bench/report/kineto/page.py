"""report.md and report.html of `bench trace`: their sections, in a fixed order, and their tables as CSV."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from bench.analyse.kineto import found as finding
from bench.analyse.kineto.found import Found
from bench.analyse.kineto.memory import thinned
from bench.core.text import marked
from bench.core.traces import file_name
from bench.report.document import Block, Fold, Section
from bench.report.kineto import across, kernels, memory, modules, operators, steps, timeline, trust
from bench.report.page import TracePage, written

PARTS: tuple[Callable[[Found, str], Section | None], ...] = (
    steps.section,
    timeline.section,
    operators.section,
    kernels.section,
    modules.section,
    memory.section,
    trust.missing_section,
    trust.checks_section,
)
"""The sections of one trace. The text is what the names of its figures end with."""


def write(paths: Sequence[Path], out: Path) -> TracePage:
    """Write the page of some traces into a folder of `out`. Returns what it says.

    Raises TraceError if a file is no trace, OSError if it can't be read.
    """
    found = [finding.of_file(path) for path in paths]
    more = f"-and-{len(paths) - 1}-more" if len(paths) > 1 else ""
    folder = out / file_name(f"{finding.stem(paths[0])}{more}")
    page = TracePage(folder=folder, found=found, names=finding.names([one.trace for one in found]))
    write_tables(page)
    return written(page, sections(page))


def sections(page: TracePage) -> list[Callable[[TracePage], Section | None]]:
    """The sections of one trace, or the ranks side by side and then each by itself."""
    if len(page.found) == 1:
        return [across.title, *(partial(alone, part) for part in PARTS)]
    return [across.title, across.section, *(partial(one_of_several, index) for index in range(len(page.found)))]


def alone(part: Callable[[Found, str], Section | None], page: TracePage) -> Section | None:
    """A section of the only trace."""
    return part(page.found[0], "")


def one_of_several(index: int, page: TracePage) -> Section:
    """Everything about one of several traces; that of the first is open."""
    ending = f"-{index + 1}" if index else ""
    inner = [part(page.found[index], ending) for part in PARTS]
    blocks: list[Block] = [replace(section, level=3) for section in inner if section]
    name = marked(page.names[index])
    return Section(name, blocks if index == 0 else [Fold(f"All of {name}", blocks)])


def write_tables(page: TracePage) -> None:
    """Write the tables with all rows; their first column is the trace's name."""
    tables: dict[str, Callable[[Found], pd.DataFrame]] = {
        "steps": lambda found: found.steps.frame,
        "operators": lambda found: found.operators,
        "operators_by_shapes": lambda found: found.by_shapes,
        "kernels": lambda found: found.kernels,
        "modules": lambda found: found.modules,
        "memory_by_operator": lambda found: found.allocated,
        "memory": curves,
    }
    for name, of_one in tables.items():
        parts = [of_one(one) for one in page.found]
        filled = [part.assign(trace=of) for part, of in zip(parts, page.names, strict=True) if len(part)]
        if filled:
            whole = pd.concat(filled, ignore_index=True)
            page.table(name, whole[["trace", *whole.columns.drop("trace")]])
    if len(page.found) > 1:
        page.table("ranks", finding.across(page.found))


def curves(found: Found) -> pd.DataFrame:
    """The curves of memory, as far as a figure shows them."""
    parts = [thinned(curve.moments).assign(device=curve.device) for curve in found.curves]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
