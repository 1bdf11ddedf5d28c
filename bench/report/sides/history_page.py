"""The page of `bench history`: speed over stored runs, and the changes in it."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bench.analyse.history import changes as changing
from bench.analyse.history.changes import History
from bench.analyse.history.gather import LeftOut, gather
from bench.analyse.history.order import ordered
from bench.analyse.history.series import series
from bench.analyse.verdicts import FASTER, SLOWER
from bench.core.home import without_home
from bench.core.text import MOST_OF_A_REASON, code, marked, shell_word
from bench.core.traces import file_name
from bench.report import commands
from bench.report.document import Block, Bullets, Code, Figure, Fold, Marked, Paragraph, Section, Table
from bench.report.figures import plots_history
from bench.report.outcome.title import hardware
from bench.report.page import HistoryPage, written
from bench.report.sides import history_words as words
from bench.report.words import count_of, interval

MOST_PANELS = 6


def of_folders(
    named: Sequence[Path],
    repository: Path,
    *,
    canary: bool = True,
    error: float = changing.ERROR,
    delta: float | None = None,
    also_left_out: Sequence[LeftOut] = (),
) -> History:
    """The history of some folders, each a run or a folder of runs; `also_left_out` are runs that are not there.

    Raises RecordError if there is no run, or if a named one can't be used.
    """
    unordered, left_out = gather(named)
    runs, order = ordered(unordered, repository)
    every = series(runs, canary=canary)
    return History(
        runs=runs,
        order=order,
        left_out=[*left_out, *also_left_out],
        series=every,
        changes=changing.changes(every, error, delta),
        error=error,
        delta=delta,
    )


def write(history: History, named: Sequence[Path], out: Path, *options: str) -> HistoryPage:
    """Write reports/history-<first>-to-<last>/. Returns what the page says."""
    first, last = history.runs[0], history.runs[-1]
    folders = [shell_word(without_home(str(folder))) for folder in named]
    page = HistoryPage(
        folder=out / file_name(f"history-{first.name}-to-{last.name}"),
        history=history,
        command=commands.bench(last.header, "history", *folders, *options),
    )
    page.table("history", changing.points_frame(history))
    page.table("changes", changing.changes_frame(history))
    return written(page, SECTIONS)


def title(page: HistoryPage) -> Section:
    """What changed in a line; which runs, in which order."""
    history = page.history
    called = [change for change in history.changes if change.verdict in (FASTER, SLOWER)]
    found = count_of(len(called), "change") if called else "no change"
    blocks: list[Block] = [Paragraph(words.runs_words(history))]
    if sentence := words.lacking_words(history):
        blocks.append(Paragraph(f"**{sentence}**"))
    return Section(f"History of {count_of(len(history.runs), 'run')}: {found} called", blocks, level=1)


def changed(page: HistoryPage) -> Bullets:
    """An item a change: those with a word first, then those without, with the reason."""
    history = page.history
    ordered_ = sorted(history.changes, key=lambda change: (change.verdict not in (FASTER, SLOWER), -change.after.place))
    items = [words.change_words(history, change) for change in ordered_]
    if not items:
        items = ["No change was found." if history.tested else "Nothing was looked for: the series are too short."]
    return Bullets(items)


def changed_section(page: HistoryPage) -> Section:
    """The changes, and the figure."""
    blocks: list[Block] = [changed(page)]
    drawn = most_important(page.history)
    if drawn:
        history = page.history
        of_series = {
            place: [change for change in history.changes if change.series is history.series[number]]
            for place, number in enumerate(drawn)
        }
        chosen, names = [history.series[number] for number in drawn], words.titles(history)
        runs = [run.commit[:8] or run.header.started_at.strftime("%Y-%m-%d") for run in history.runs]
        draw = partial(plots_history.speeds, chosen, of_series, runs, [names[number] for number in drawn])
        blocks.append(Figure("history", draw, "the speed of each variant over runs, with a line at each change"))
        if len(drawn) < len(history.series):
            blocks.append(Paragraph(f"{len(drawn)} of {len(history.series)} series are drawn; all are in history.csv."))
    return Section("What changed", blocks)


def most_important(history: History) -> list[int]:
    """The places of the series that are drawn: those with the largest changes that have a word, then the longest."""

    def weight(number: int) -> tuple[float, float, int]:
        own = [change for change in history.changes if change.series is history.series[number]]
        sizes = [abs(change.ratio.estimate - 1) for change in own if change.verdict in (FASTER, SLOWER)]
        others = [abs(change.ratio.estimate - 1) for change in own]
        return max(sizes, default=0.0), max(others, default=0.0), len(history.series[number].points)

    places = [number for number, one in enumerate(history.series) if one.points]
    return sorted(places, key=weight, reverse=True)[:MOST_PANELS]


def changes_section(page: HistoryPage) -> Section | None:
    """A row a change."""
    history = page.history
    if not history.changes:
        return None
    names = words.titles(history)
    numbers = {id(one): number for number, one in enumerate(history.series)}
    rows = [
        {
            "variant": names[numbers[id(change.series)]],
            "first run after": change.after.run.name,
            "commit": change.after.run.commit[:12],
            "last commit before": change.before.run.commit[:12],
            "may be from": change.earliest.run.name,
            "to": change.latest.run.name,
            "times as fast": interval(change.ratio.estimate, change.ratio.lo, change.ratio.hi, digits=3),
            "p": f"{change.p:.2g}",
            "verdict": words.verdict_words(change),
        }
        for change in history.changes
    ]
    return Section("Changes", [Table.of(rows), Paragraph(words.CHANGES)])


def series_section(page: HistoryPage) -> Section:
    """A row a series: how fast it was first and last, how its runs scatter, and what was done about drift."""
    history = page.history
    names = words.titles(history)
    rows = [words.series_row(one, name) for one, name in zip(history.series, names, strict=True)]
    if not rows:
        return Section("Series", [Paragraph("No run has a complete round of any variant.")])
    return Section("Series", [Table.of(rows), *(Paragraph(sentence) for sentence in words.series_words(history))])


def method_section(page: HistoryPage) -> Section:
    """How changes are found, and how often one is marked where nothing changed."""
    return Section("How sure this is", [Paragraph(sentence) for sentence in words.method_words(page.history)])


def runs_section(page: HistoryPage) -> Section:
    """The runs in order, and those that were left out."""
    history = page.history
    rows = [
        {
            "run": run.name,
            "started": run.header.started_at.isoformat(),
            "commit": run.commit[:12],
            "subject": run.subject,
            "machine": Marked(hardware(run.header.environment)),
            "torch": run.header.environment.torch or "",
            "status": run.header.state.status,
        }
        for run in history.runs
    ]
    blocks: list[Block] = [Fold(count_of(len(rows), "run"), [Table.of(rows)])]
    if history.left_out:
        reasons = [f"{code(out.name)}: {marked(out.reason, MOST_OF_A_REASON)}" for out in history.left_out]
        blocks += [Paragraph("**Left out:**"), Bullets(reasons)]
    return Section("Runs", blocks)


def repeat_section(page: HistoryPage) -> Section:
    """The command that writes this page."""
    return Section("Again", [Code([page.command], "sh")])


SECTIONS: tuple[Callable[[HistoryPage], Section | None], ...] = (
    title,
    changed_section,
    changes_section,
    series_section,
    method_section,
    runs_section,
    repeat_section,
)
