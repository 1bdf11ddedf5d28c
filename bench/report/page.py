"""What every section of a page is made from: the run and its tables; and how its sections become files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import pandas as pd

from bench.analyse.ab_cells import Change
from bench.analyse.compare import Match, Side
from bench.analyse.deaths import Deaths
from bench.analyse.load import RunData
from bench.analyse.traces.trace import Trace
from bench.core.text import stored
from bench.report import formats
from bench.report.document import Document, Section

REPORT = "report.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """Where a page goes, with its figures and tables."""

    folder: Path
    document: Document = field(default_factory=Document)
    """What the page says; nothing until it is `written`."""

    @property
    def path(self) -> Path:
        """Where the page is."""
        return self.folder / REPORT

    def table(self, name: str, table: pd.DataFrame) -> None:
        """Save a table, its text as `stored` has it."""
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
    """The page of a run that may have traces: of `bench profile` without a run."""

    traces: list[Trace]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(TracedPage):
    """The page of `bench run`."""

    steps: pd.DataFrame
    layers: pd.DataFrame
    memory: pd.DataFrame
    numerics: pd.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class AbPage(Page):
    """The page of `bench ab`."""

    changes: list[Change]
    deaths: list[Deaths]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparePage(Folder):
    """The page of `bench compare`: the runs, their matched variants, and tables of both."""

    runs: list[Side]
    shared: list[Match]
    alone: list[Match]
    steps: pd.DataFrame
    layers: pd.DataFrame
    memory: pd.DataFrame
    environments: pd.DataFrame
    command: str

    @property
    def first(self) -> Side:
        """The reference."""
        return self.runs[0]


Pages = TypeVar("Pages", bound=Folder)


def written(page: Pages, sections: Sequence[Callable[[Pages], Section | None]]) -> Pages:
    """The page with the document of its sections, which is written into its folder in every format."""
    document = Document.of(section(page) for section in sections)
    formats.write(document, page.folder)
    return replace(page, document=document)
