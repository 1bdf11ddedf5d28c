"""The work of `bench open`."""

import webbrowser
from pathlib import Path

import typer

from bench.analyse.load import load
from bench.cli.ends import one_line
from bench.core.text import MOST_OF_A_LINE, shortened
from bench.report import pages
from bench.report.formats import html


def run(folder: Path, reports: Path) -> None:
    """Show a run's page in a browser, and print its path; writes the page if there is none."""
    with one_line():
        data = load(folder)
        page = reports / data.run.run_id / html.NAME
        if not page.is_file():
            pages.write_any(data, reports)
    typer.echo(f"report: {shortened(str(page), MOST_OF_A_LINE)}")
    if not webbrowser.open(page.resolve().as_uri()):
        typer.echo("no browser was found: open the page yourself", err=True)
