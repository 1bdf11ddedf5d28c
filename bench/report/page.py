"""What every section of a page is made from: the run, its tables, and the folder for figures."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from bench.analyse.ab_cells import Change
from bench.analyse.compare import Match, Side
from bench.analyse.deaths import Deaths
from bench.analyse.load import RunData
from bench.analyse.traces.trace import Trace
from bench.core.text import stored
from bench.report.figures import plots

Lines = list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """Where a page goes, with its figures and tables."""

    folder: Path

    @property
    def path(self) -> Path:
        """Where the page is."""
        return self.folder / "report.md"

    def figure(self, name: str, figure: Figure, words: str) -> Lines:
        """Save a figure and give the line that shows it."""
        plots.write(figure, self.folder / "figures" / f"{name}.png")
        return [f"![{words}](figures/{name}.png)", ""]

    def table(self, name: str, table: pd.DataFrame) -> None:
        """Save a table, its text as `stored` has it."""
        path = self.folder / "tables" / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        table = table.map(lambda value: stored(value) if isinstance(value, str) else value)
        table.to_csv(path, index=False, lineterminator="\n", float_format="%.6g")

    def write(self, lines: Lines) -> None:
        """Save the page."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


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
