"""The summary of `bench ab`: the verdict, what changed, and how sure that is."""

import math

from bench.analyse.ab.cells import Change
from bench.analyse.ab.changes import DIES, INCOMPARABLE, REGRESSED, exit_code
from bench.analyse.ab.judged import REGRESSIONS
from bench.analyse.verdicts import FASTER, FEWER_FAULTS, INVALID, NOISY, SAME, UNDECIDED
from bench.report.document import Block, Paragraph, Section, Table
from bench.report.outcome.results import delta_words
from bench.report.outcome.title import hardware
from bench.report.page import AbPage
from bench.report.sides.ab import (
    allocator_words,
    change_cells,
    death_words,
    doubts,
    in_part_words,
    open_words,
    task_words,
    trees_words,
)
from bench.report.summary.parts import LEVEL, MOST_ROWS, again, items, more, noise
from bench.report.words import count_of

DIES_WORD, INCOMPARABLE_WORD = "DIES MORE OFTEN", "NOT COMPARABLE"


def summary(page: AbPage) -> Section:
    """The verdict in the title, the table of changes, what stayed open, noise, and what to type."""
    rows = shown(page.changes)
    blocks: list[Block] = [
        Paragraph(lead(page)),
        Table.of(change_cells(page.data, change) for change in rows[:MOST_ROWS]),
        *map(Paragraph, more(len(rows) - MOST_ROWS, "row")),
        items(remarks(page)),
        *noise(page.data),
        *again(page),
    ]
    return Section(f"nin-bench: {verdict(page)}: {trees_words(page.data.run)}", blocks, LEVEL)


def verdict(page: AbPage) -> str:
    """The word of the whole run.

    | word | if |
    | --- | --- |
    | SLOWER, MORE FAULTS | some part is so, confirmed |
    | DIES MORE OFTEN | else, the head of a variant does |
    | NOT COMPARABLE | else, a variant is INVALID, or nothing was measured |
    | FASTER, FEWER FAULTS | else, some part is so, confirmed |
    | SAME | else, the steps of all variants are, and no flag lacks its fresh rounds |
    | UNDECIDED (noisy), UNDECIDED | else |
    """
    code, words = exit_code(page.changes, page.deaths, strict=True), {c.verdict for c in page.changes}
    if code == REGRESSED:
        return ", ".join(sorted(words & REGRESSIONS, reverse=True))
    if code in (DIES, INCOMPARABLE):
        return DIES_WORD if code == DIES else INCOMPARABLE_WORD
    if gains := words & {FASTER, FEWER_FAULTS}:
        return ", ".join(sorted(gains))
    return SAME if code == 0 else NOISY if NOISY in words else UNDECIDED


def lead(page: AbPage) -> str:
    """What was confirmed, the change that matters, the machine, and whether the run is complete."""
    run, confirmed = page.data.run, [change for change in page.changes if change.confirmed]
    counts = [f"{sum(c.verdict == word for c in confirmed)} {word}" for word in sorted({c.verdict for c in confirmed})]
    sentences = [
        f"{count_of(len(confirmed), 'change')} confirmed by fresh rounds: {', '.join(counts)}."
        if confirmed
        else "No change was confirmed.",
        f"The change that matters: {delta_words(page.data)}. Measured on {hardware(run.environment)}.",
    ]
    if run.state.status != "complete":
        sentences.append(f"**This run is {run.state.status}, not complete.**")
    if run.trees and run.trees.task:
        sentences.append(task_words(run.trees.task))
    return " ".join(sentences)


def shown(changes: list[Change]) -> list[Change]:
    """The cells of the table: confirmed regressions, confirmed gains, steps, then what was flagged and not confirmed.

    Each of these from the one that is worth most.
    """
    rows = [c for c in changes if c.confirmed or c.of_step or c.flag or c.verdict == INVALID]
    return sorted(rows, key=lambda c: (place(c), -abs(c.worth) if math.isfinite(c.worth) else -math.inf))


def place(change: Change) -> int:
    """The place of a cell's kind in the table."""
    kinds = (change.verdict in REGRESSIONS, change.confirmed, change.of_step)
    return next((number for number, holds in enumerate(kinds) if holds), len(kinds))


def remarks(page: AbPage) -> list[str]:
    """What limits the answer: doubts about the machine, heads that die, what stayed open, and how it was measured."""
    data, deaths = page.data, sorted(page.deaths, key=lambda died: not died.more_in_head)
    return [
        *doubts(data),
        *(death_words(data, died) for died in deaths),
        *(words for change in shown(page.changes) if (words := open_words(data, change))),
        *in_part_words(data),
        *allocator_words(data),
    ]
