"""What the sections of a page are made from: a run and its tables; and how the sections become files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import pandas as pd

from bench.analyse.ab.cells import Change
from bench.analyse.ab.deaths import Deaths
from bench.analyse.fleet.verdicts import Fleet
from bench.analyse.history.changes import History
from bench.analyse.history.gather import Setting
from bench.analyse.kineto.found import Found
from bench.analyse.load import RunData
from bench.analyse.sides.compare import Match, Side
from bench.analyse.sweep.found import Group
from bench.analyse.sweep.gather import Gathered
from bench.analyse.traces.trace import Trace
from bench.core.text import stored
from bench.report import formats
from bench.report.document import Document, Section
from bench.report.render import comment

REPORT, SUMMARY = "report.md", "summary.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """Where a page goes, with its figures and tables."""

    folder: Path
    document: Document = field(default_factory=Document)
    """The page's content; empty until `written` fills it."""
    summary: str = ""
    """summary.md; empty until `written` fills it."""

    @property
    def path(self) -> Path:
        """The path of the page."""
        return self.folder / REPORT

    def table(self, name: str, table: pd.DataFrame) -> None:
        """Save a table as CSV, with its text encoded by `stored`."""
        path = self.folder / "tables" / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        table = table.map(lambda value: stored(value) if isinstance(value, str) else value)
        table.to_csv(path, index=False, lineterminator="\n", float_format="%.6g")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Folder):
    """The page of one run."""

    data: RunData


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedPage(Page):
    """The page of a run that may have traces; by itself that of a `bench profile` that had no run to add to."""

    traces: list[Trace]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(TracedPage):
    """The page of `bench run`."""

    steps: pd.DataFrame
    layers: pd.DataFrame
    memory: pd.DataFrame
    numerics: pd.DataFrame
    every_layer: bool = False
    """Whether each layer has a row: repeated blocks are not folded, and no row stands for others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AbPage(Page):
    """The page of `bench ab`."""

    changes: list[Change]
    deaths: list[Deaths]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparePage(Folder):
    """The page of `bench compare`: the runs, their variants, matched or alone, and tables."""

    runs: list[Side]
    shared: list[Match]
    alone: list[Match]
    steps: pd.DataFrame
    layers: pd.DataFrame
    memory: pd.DataFrame
    environments: pd.DataFrame
    costs: pd.DataFrame | None
    """What a million items cost; None without prices."""
    command: str

    @property
    def first(self) -> Side:
        """The first run, which is the reference."""
        return self.runs[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class TracePage(Folder):
    """The page of `bench trace`: some traces, with a different name for each."""

    found: list[Found]
    names: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage(Folder):
    """The page of `bench history`."""

    history: History
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPage(Folder):
    """The page of `bench fleet`, with a name for each kind of machine."""

    fleet: Fleet
    names: dict[Setting, str]
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPage(Folder):
    """The page of `bench sweep`: its jobs, and what groups of like nodes found."""

    gathered: Gathered
    groups: list[Group]


Pages = TypeVar("Pages", bound=Folder)


def written(
    page: Pages,
    sections: Sequence[Callable[[Pages], Section | None]],
    summary: Callable[[Pages], Section] | None = None,
) -> Pages:
    """Write a page's sections into its folder in every format, and its summary. Returns the page with both."""
    document = Document.of(section(page) for section in sections)
    formats.write(document, page.folder)
    short = f"{comment.text([summary(page)])}\n" if summary else ""
    if summary:
        (page.folder / SUMMARY).write_text(short, encoding="utf-8")
    return replace(page, document=document, summary=short)
