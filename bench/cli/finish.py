"""What a verb leaves behind: the page of a run, what the terminal shows of it, and what TensorBoard does.

What is slow to import is imported where it is used: `--help` waits for none of it.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.ends import fail, one_line
from bench.core.exits import NOTHING

if TYPE_CHECKING:
    from bench.core.header import Flagged
    from bench.report.page import AbPage, TracedPage


def print_estimates(folder: Path) -> None:
    """Print the first table, from the pilot alone."""
    from bench.analyse import load  # noqa: PLC0415
    from bench.report.render import terminal  # noqa: PLC0415

    terminal.show_estimates(load.load(folder))


def flag(folder: Path) -> "list[Flagged]":
    """The cells of `ab` that look changed."""
    from bench.analyse import changes, load  # noqa: PLC0415

    return changes.flagged(load.load(folder))


def worth_tracing(folder: Path) -> list[str]:
    """The ids of a run's variants that are traced unless others are named: each baseline, and the fastest."""
    from bench.analyse import load, tables  # noqa: PLC0415
    from bench.report.outcome import answer  # noqa: PLC0415

    data = load.load(folder)
    if data.run.kind == "profile":  # one that was cut short: what is still missing
        return [v for v in data.runnable if v not in set(data.traced.variant_id)] or data.runnable
    steps = tables.steps(data)
    groups = answer.groups(data, steps).values()
    return [v for group in groups for v in answer.layered_variants(data, group, set(steps.variant_id))]


def fastest(folder: Path) -> list[str]:
    """The ids of a run's fastest variants, one for each device and model that has an answer."""
    from bench.analyse import load, tables  # noqa: PLC0415
    from bench.report.outcome import answer  # noqa: PLC0415

    data = load.load(folder)
    groups = answer.groups(data, tables.steps(data)).values()
    return [best for group in groups if (best := answer.fastest(data, group))]


def finish(folder: Path, reports: Path) -> None:
    """Write the report of a run, print its table and where it is."""
    from bench.analyse import load  # noqa: PLC0415
    from bench.report import pages  # noqa: PLC0415
    from bench.report.render import terminal  # noqa: PLC0415

    with one_line():
        data = load.load(folder)
        page = pages.write(data, reports)
    terminal.show(page)
    if not len(data.values):
        fail("nothing was measured: the report tells why", NOTHING)


def finish_micro(folder: Path, reports: Path) -> None:
    """Write the report of a run whose layers were measured alone, print how they add up and where it is."""
    from bench.analyse import load  # noqa: PLC0415
    from bench.report import pages  # noqa: PLC0415
    from bench.report.render import terminal  # noqa: PLC0415

    with one_line():
        page = pages.write(load.load(folder), reports)
    terminal.show_micro(page)


def finish_ab(folder: Path, reports: Path) -> "AbPage":
    """Write the page of an `ab` and print its lines."""
    from bench.analyse import load  # noqa: PLC0415
    from bench.report import pages  # noqa: PLC0415
    from bench.report.render import terminal  # noqa: PLC0415

    with one_line():
        page = pages.write_ab(load.load(folder), reports)
    terminal.show_ab(page)
    return page


def add_to_summary(page: "AbPage") -> None:
    """Append the head of the page to the file that $GITHUB_STEP_SUMMARY names, where it is set."""
    from bench.report.sides import ab  # noqa: PLC0415

    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        with one_line(), Path(path).open("a", encoding="utf-8") as file:
            file.write(ab.summary(page))


def finish_profile(folder: Path, reports: Path) -> None:
    """Write the report of a run with traces, what TensorBoard shows of it, and print where it all is."""
    from bench.report.render import terminal  # noqa: PLC0415

    page = write_profile(folder, reports)
    terminal.show_profile(page)
    if page.data.traced.empty:
        fail("nothing was traced: the report tells why", NOTHING)


def write_profile(folder: Path, reports: Path) -> "TracedPage":
    """Write a run's report and what TensorBoard shows of it."""
    from bench.analyse import load  # noqa: PLC0415
    from bench.report import pages  # noqa: PLC0415
    from bench.report.render import tensorboard  # noqa: PLC0415

    with one_line():
        data = load.load(folder)
        if data.run.kind == "ab":
            fail("an ab has no traces: name a run of bench run or of bench profile")
        page = pages.write_profile(data, reports) if data.run.kind == "profile" else pages.write(data, reports)
        tensorboard.write(page)
    return page
