"""How a verb ends other than well: one line and an exit code."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from bench.core.exits import NOTHING, USAGE
from bench.core.records import RecordError
from bench.core.text import MOST_OF_A_LINE, shortened, visible
from bench.core.variants import UsageError


def fail(message: object, code: int = USAGE) -> NoReturn:
    """End with one line."""
    typer.echo(shortened(f"bench: {message}", MOST_OF_A_LINE), err=True)
    raise typer.Exit(code)


@contextmanager
def refused() -> Iterator[None]:
    """Turn a UsageError, an option that can't be met, into one line and exit code 2."""
    try:
        yield
    except UsageError as error:
        fail(error)


@contextmanager
def one_line() -> Iterator[None]:
    """Turn an error about a file into one line and exit code 4."""
    try:
        yield
    except RecordError as error:
        fail(error, NOTHING)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename else error, NOTHING)


@contextmanager
def no_verdict_from_a_crash() -> Iterator[None]:
    """Turn an error of bench itself into exit code 4.

    Python's own code for it is 1, which would mean a confirmed regression.
    """
    try:
        yield
    except typer.Exit:
        raise
    except Exception:  # noqa: BLE001 - whatever it is
        for line in traceback.format_exc().splitlines():
            typer.echo(visible(line), err=True)
        fail("the error above is an error of bench itself: it says nothing about the trees", NOTHING)
