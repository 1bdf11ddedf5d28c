"""report.md, and the figures that it shows."""

from pathlib import Path

from bench.report.document import Document
from bench.report.page import REPORT
from bench.report.render import markdown


def write(document: Document, folder: Path) -> None:
    """Write report.md and figures/."""
    figures = folder / markdown.FIGURES
    for figure in document.figures:
        figures.mkdir(exist_ok=True)
        (figures / f"{figure.name}.png").write_bytes(figure.png)
    (folder / REPORT).write_text(f"{markdown.text(document.sections)}\n", encoding="utf-8")
