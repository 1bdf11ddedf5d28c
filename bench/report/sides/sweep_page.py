"""The page of `bench sweep`: which variant is fastest over nodes, how far nodes differ, and which jobs are missing."""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd

from bench.analyse.sweep import found
from bench.analyse.sweep.found import Group, Over
from bench.analyse.sweep.gather import Gathered, gather
from bench.core.sweep.record import Sweep
from bench.core.text import MOST_OF_A_REASON, code, marked, shell_word
from bench.core.traces import file_name
from bench.report import commands
from bench.report.document import Block, Bullets, Code, Figure, Fold, Marked, Paragraph, Section, Table, paragraphs
from bench.report.figures import plots_runs
from bench.report.outcome.title import hardware
from bench.report.page import SweepPage, written
from bench.report.sides import sweep_words as words
from bench.report.words import count_of, interval, number, percent


def write(sweep: Sweep, folder: Path, out: Path) -> SweepPage:
    """Write reports/<sweep_id>/. Returns what the page says."""
    gathered = gather(sweep, folder)
    every = found.groups(gathered)
    page = SweepPage(folder=out / file_name(sweep.sweep_id), gathered=gathered, groups=every)
    page.table("variants", found.variants_frame(every))
    page.table("nodes", found.blocks_frame(every))
    page.table("jobs", jobs_frame(gathered))
    return written(page, SECTIONS)


def jobs_frame(gathered: Gathered) -> pd.DataFrame:
    """A row an attempt."""
    rows = [
        words.attempt_row(job, attempt) | {"run": job.run_of(attempt), "last_line": attempt.last_line}
        for job in gathered.sweep.jobs
        for attempt in job.attempts
    ]
    return pd.DataFrame(rows)


def answer(page: SweepPage) -> Section:
    """The title, and the answer in some sentences."""
    gathered, several = page.gathered, len(page.groups) > 1
    items = []
    for group in page.groups:
        lead = f"{marked(words.group_title(page.groups, group), MOST_OF_A_REASON)}: " if several else ""
        items += [f"{lead}{words.fastest_words(gathered, group)}", f"{lead}{words.spread_words(gathered, group)}"]
    if not page.groups:
        items.append(words.nothing_words(page.gathered))
    items.append(words.jobs_words(gathered))
    items += [
        f"{name}'s run can't be used: {marked(reason, MOST_OF_A_REASON)}"
        for name, reason in gathered.unreadable.items()
    ]
    return Section(title(page), [Bullets([item for item in items if item])], level=1)


def title(page: SweepPage) -> str:
    """How many jobs are complete, and the result of the first group."""
    sweep = page.gathered.sweep
    complete, jobs = len(sweep.jobs) - len(words.lacking_words(page.gathered)), len(sweep.jobs)
    if page.gathered.runs and not page.groups:
        return f"Sweep of {count_of(jobs, 'job')}: no run has a complete round"
    result = words.result(page.groups[0]) if page.groups else "no answer"
    return f"Sweep of {count_of(jobs, 'job')}, {'complete' if complete == jobs else f'{complete} complete'}: {result}"


def lead_section(page: SweepPage) -> Section:
    """What was asked, and why groups are told apart."""
    asked = page.gathered.sweep.asked
    options = code(" ".join(map(shell_word, asked.options)), MOST_OF_A_REASON) or "none"
    text = (
        f"Sweep {marked(page.gathered.sweep.sweep_id)}, begun {page.gathered.sweep.started_at.isoformat()}: one "
        f"`bench run` a job by {asked.cluster}, each with the options {options}."
    )
    blocks: list[Block] = [Paragraph(text)]
    if disturbed := words.disturbed_words(page.gathered):
        blocks.append(Paragraph(disturbed))
    if len({group.setting for group in page.groups}) > 1:
        blocks.append(Paragraph(words.groups_words(page.gathered, page.groups)))
    return Section("", blocks)


def variants_section(page: SweepPage) -> Section | None:
    """A table and a figure a group: each variant's ratio over blocks, and how far blocks differ."""
    blocks: list[Block] = []
    for place, group in enumerate(page.groups):
        if len(page.groups) > 1:
            lead = f"**{marked(words.group_title(page.groups, group), MOST_OF_A_REASON)}**"
            blocks.append(Paragraph(f"{lead}: {', '.join(map(code, group.blocks))}"))
        blocks.append(Table.of(variant_row(page.gathered, group, over) for over in ranked(group)))
        if few := words.few_words(page.gathered, group):
            blocks.append(Paragraph(few))
        if any(over.log_gain.blocks for over in group.variants):
            one = words.block_name(page.gathered)
            name = "nodes" if place == 0 else f"nodes-{place + 1}"
            draw = partial(plots_runs.over_blocks, ranked(group), words.blocks_name(page.gathered))
            blocks.append(Figure(name, draw, f"times as fast as the baseline, a dot a {one}, a bar for the interval"))
    return Section(f"Variants over {words.blocks_name(page.gathered)}", blocks) if blocks else None


def ranked(group: Group) -> list[Over]:
    """The variants, the largest ratio first, then those without one."""
    return sorted(group.variants, key=lambda over: -over.log_gain.mean.estimate if over.log_gain.blocks else math.inf)


def variant_row(gathered: Gathered, group: Group, over: Over) -> dict[str, object]:
    """A variant's row."""
    gain, blocks = over.gain, words.blocks_name(gathered)
    return {
        "variant": over.name,
        blocks: f"{over.log_s.blocks} of {len(group.blocks)}",
        f"{group.unit}/s": number(over.rate),
        "times the baseline": interval(gain.estimate, gain.lo, gain.hi, digits=3),
        f"ratio between {blocks}": words.between(over.log_gain),
        f"seconds between {blocks}": words.between(over.log_s),
        "within one": percent(over.log_s.within),
    }


def nodes_section(page: SweepPage) -> Section | None:
    """A row a run: its node, its page, and how fast it was beside the others."""
    rows = [row for group in page.groups for row in node_rows(page, group)]
    if not rows:
        return None
    where = f"A run's page is {code(f'{page.gathered.sweep.sweep_id}/JOB/RUN/report.md')} in the folder of reports."
    note = f"{words.beside_words(page.gathered, page.groups)} {where}"
    return Section("Run by run", [Table.of(rows), Paragraph(note)])


def node_rows(page: SweepPage, group: Group) -> list[dict[str, object]]:
    """A row a run of a group."""
    best, first = group.fastest, group.reference or group.variants[0]
    middle = float(pd.Series([on.log_s for on in first.by_block]).median())
    own = {name for on in first.by_block for name in on.runs}
    rows: list[dict[str, object]] = []
    for run in (run for run in page.gathered.runs if run.name in own):
        log_s = found.mean_of(found.log_seconds(run.data, first.variant_id))
        row: dict[str, object] = {
            "node": run.node,
            "run": run.name,
            "machine": Marked(hardware(run.data.run.environment)),
            "rounds": str(len(run.data.rounds)),
            f"{first.name}, {group.unit}/s": number(math.exp(-log_s)),
            "beside the median": f"{100 * math.expm1(log_s - middle):+.1f} %" if math.isfinite(log_s) else "",
        }
        if best:
            gain = found.mean_of(found.log_gains(run.data, best.variant_id))
            row[f"{best.name}, times the baseline"] = number(math.exp(gain))
        rows.append(row)
    return rows


def jobs_section(page: SweepPage) -> Section:
    """A row an attempt, and why attempts failed."""
    jobs = page.gathered.sweep.jobs
    rows = [words.attempt_row(job, attempt) for job in jobs for attempt in job.attempts]
    rows += [{"job": job.name, "status": job.status.value} for job in jobs if not job.attempts]
    failed = [words.failure_words(job, a) for job in jobs for a in job.attempts if a.cause]
    blocks: list[Block] = [Table.of(rows)]
    if failed:
        blocks += [Paragraph("**Attempts without a complete run:**"), Bullets(failed)]
    return Section("Jobs", blocks)


def method_section(page: SweepPage) -> Section | None:
    """How the blocks were combined."""
    if not page.groups:
        return None
    return Section("How it was combined", [Fold("Method", paragraphs(words.method(page.gathered)))])


def repeat_section(page: SweepPage) -> Section:
    """The commands that took this sweep, and that go on with it."""
    sweep, folder = page.gathered.sweep, page.gathered.folder
    again = commands.bench(sweep, "sweep", "--out", shell_word(str(folder.parent)), "--resume", folder.name)
    return Section("Again", [Code([sweep.command, again], "sh")])


SECTIONS: tuple[Callable[[SweepPage], Section | None], ...] = (
    answer,
    lead_section,
    variants_section,
    nodes_section,
    jobs_section,
    method_section,
    repeat_section,
)
