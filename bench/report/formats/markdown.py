"""report.md, and the figures that it shows."""

from pathlib import Path

from bench.report.document import Document
from bench.report.figures import plots
from bench.report.page import REPORT
from bench.report.render import markdown


def write(document: Document, folder: Path) -> None:
    """Write report.md and figures/."""
    for figure in document.figures:
        plots.write(figure.draw(), folder / markdown.FIGURES / f"{figure.name}.png")
    (folder / REPORT).write_text(f"{markdown.text(document.sections)}\n", encoding="utf-8")
