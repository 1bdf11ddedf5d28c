"""What every section of a report is made from: the run, its tables, and the folder for figures."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from bench.analyse import plots
from bench.analyse.load import RunData

Lines = list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A run with its tables, and the folder that its report goes to."""

    data: RunData
    folder: Path
    steps: pd.DataFrame
    layers: pd.DataFrame
    memory: pd.DataFrame

    @property
    def path(self) -> Path:
        """Where the page is."""
        return self.folder / "report.md"

    def figure(self, name: str, figure: Figure, words: str) -> Lines:
        """Save a figure and give the line that shows it."""
        plots.write(figure, self.folder / "figures" / f"{name}.png")
        return [f"![{words}](figures/{name}.png)", ""]
