"""What a verb leaves: the page of a run, the terminal's view of it, and TensorBoard's."""

import os
from pathlib import Path

from bench.analyse import load, tables
from bench.analyse.ab import changes
from bench.analyse.decided import standing
from bench.cli.ends import fail, one_line
from bench.core.exits import NOTHING
from bench.core.header import Flagged
from bench.core.progress import RunProgress
from bench.report import pages
from bench.report.answer import answer
from bench.report.page import AbPage, TracedPage
from bench.report.render import tensorboard, terminal
from bench.report.words import count_of, interval


def print_estimates(folder: Path) -> None:
    """Print the first table, which the pilot alone gives."""
    terminal.show_estimates(load.load(folder))


def look(progress: RunProgress, folder: Path) -> bool:
    """Whether the rounds of a run may end; says how its verdicts stand."""
    now = standing(load.load(folder))
    said = f"{now.undecided} of {now.judged} verdicts are open" if now.undecided else "every verdict is decided"
    fastest = [
        f"; fastest: {v.variant_id} {interval(v.ratio.estimate, v.ratio.lo, v.ratio.hi)} times its baseline"
        f"{'' if v.is_sharp else ' (not sharp yet)'}"
        for v in now.leaders
    ]
    progress.say(f"after {count_of(now.rounds, 'round')}, {said}{''.join(fastest)}")
    return now.is_decided


def flag(folder: Path) -> list[Flagged]:
    """The cells of `ab` that look changed."""
    return changes.flagged(load.load(folder))


def worth_tracing(folder: Path) -> list[str]:
    """The ids of the variants that are traced if the call names none: each baseline, and the fastest."""
    data = load.load(folder)
    if data.run.kind == "profile":  # it was cut short: trace what is still missing
        return [v for v in data.runnable if v not in set(data.traced.variant_id)] or data.runnable
    steps = tables.steps(data)
    groups = answer.groups(data, steps).values()
    return [v for group in groups for v in answer.layered_variants(data, group, set(steps.variant_id))]


def fastest(folder: Path) -> list[str]:
    """The id of the fastest variant of each device and model that has an answer."""
    data = load.load(folder)
    groups = answer.groups(data, tables.steps(data)).values()
    return [best for group in groups if (best := answer.fastest(data, group))]


def finish(folder: Path, reports: Path, *, every_layer: bool = False) -> None:
    """Write the report of a run, then print its table and its path."""
    with one_line():
        data = load.load(folder)
        page = pages.write(data, reports, every_layer=every_layer)
    terminal.show(page)
    if not len(data.values):
        fail("nothing was measured: the report says why", NOTHING)


def finish_micro(folder: Path, reports: Path) -> None:
    """Write the report of a run whose layers were measured alone, then print how they add up, and its path."""
    with one_line():
        page = pages.write(load.load(folder), reports)
    terminal.show_micro(page)


def finish_ab(folder: Path, reports: Path) -> AbPage:
    """Write the page of an `ab` and print its lines."""
    with one_line():
        page = pages.write_ab(load.load(folder), reports)
    terminal.show_ab(page)
    return page


def add_to_summary(page: AbPage) -> None:
    """Append the page's summary to the file that $GITHUB_STEP_SUMMARY names, if it is set."""
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        with one_line(), Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{page.summary}\n")


def finish_profile(folder: Path, reports: Path) -> None:
    """Write the report of a run with traces and TensorBoard's files, then print where they are."""
    page = write_profile(folder, reports)
    terminal.show_profile(page)
    if page.data.traced.empty:
        fail("nothing was traced: the report says why", NOTHING)


def write_profile(folder: Path, reports: Path) -> TracedPage:
    """Write the report of a run and the files that TensorBoard shows of it."""
    with one_line():
        data = load.load(folder)
        if data.run.kind == "ab":
            fail("an ab has no traces: name a run of bench run or of bench profile")
        page = pages.write_profile(data, reports) if data.run.kind == "profile" else pages.write(data, reports)
        tensorboard.write(page)
    return page
