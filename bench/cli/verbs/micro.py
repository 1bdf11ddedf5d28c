"""The work of `bench micro`."""

from collections.abc import Sequence
from pathlib import Path

from bench.cli.calls import stored
from bench.cli.ends import fail, one_line, refused
from bench.cli.verbs.pages import finish_micro
from bench.core import home
from bench.core.records import RUN_FILE
from bench.plan.choices import RESULTS, Choices, folder_of
from bench.run import alone


def run(chosen: Choices, named: str | None, variant: str | None, arguments: Sequence[str], reports: Path) -> int:
    """Measure each layer alone, then write the report. Returns pytest's exit code.

    The arguments are pytest's own, but the first may name the run, as it does for the other verbs.
    """
    options = list(arguments)
    if named is None and options and is_run(options[0]):
        named = options.pop(0)
    folder = stored(named)
    with refused(), one_line():
        home.check(reports, "--reports")
        if extra := [name for name in options if is_run(name)]:
            fail(f"micro takes one run: take back {extra[0]}")
        code = alone.measure(chosen, folder, variant, options)
    if not code:
        finish_micro(folder, reports)
    return code


def is_run(name: str) -> bool:
    """Whether an argument names a run."""
    return (folder_of(RESULTS, name) / RUN_FILE).is_file()
