"""The work of `bench compare`."""

from collections.abc import Sequence
from pathlib import Path

from bench.analyse import load
from bench.cli.ends import one_line, refused
from bench.report.render import terminal
from bench.report.sides import compare_page


def run(folders: Sequence[Path], out: Path, prices: Sequence[str]) -> None:
    """Write the page of some runs side by side, and print its lines."""
    with one_line(), refused():
        page = compare_page.write([load.load(folder) for folder in folders], out, prices)
    terminal.show_compare(page)
