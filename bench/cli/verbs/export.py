"""The work of `bench export`."""

from pathlib import Path

import typer

from bench.analyse.load import load
from bench.cli.ends import fail, one_line
from bench.report.exports.formats import Format, exported


def run(folder: Path, to: str, out: Path | None) -> None:
    """Write a run in a format to a file, or print it."""
    if to not in list(Format):
        fail(f"--format: no format {to!r}: one of {', '.join(Format)}")
    if to == Format.PARQUET and out is None:
        fail("parquet is no text: name a file with --out")
    with one_line():
        data = load(folder)
        if data.run.kind != "run":
            fail(f"export needs a run of bench run, and this is one of bench {data.run.kind}")
        content = exported(data, Format(to))
        if out is None:
            typer.echo(content.decode(), nl=False)
        else:
            out.write_bytes(content)
