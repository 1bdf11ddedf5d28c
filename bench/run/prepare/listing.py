"""The text of `bench list`: the matrix, one variant per line."""

from pathlib import Path

from bench.core.axes.kind import OTHERS
from bench.core.facts import Environment
from bench.core.header import Inputs
from bench.core.progress import duration
from bench.core.text import MOST_OF_A_REASON, shortened
from bench.machine.environment import machine
from bench.plan import race, schedule
from bench.plan.choices import Choices, parse_shape
from bench.plan.matrix import Entry
from bench.run.prepare.dry import DryRun
from bench.run.prepare.machine import environment, exclusions


def describe(choices: Choices, entries: list[Entry]) -> str:
    """The matrix, one variant per line: what runs in rounds or in the pilot alone, what can't and why, and how long."""
    described = environment()
    reasons = exclusions(entries, machine(described), of_task=choices.task is not None)
    variants = [entry.variant for entry in entries if not reasons[entry.variant.id]]
    failing = dict(dry_run_of_list(choices, described).failing(variants))
    reasons |= {variant.id: failing.get(variant.model, "") for variant in variants}
    lines = [line_of(entry, reasons[entry.variant.id]) for entry in entries]
    runnable = [entry for entry in entries if not reasons[entry.variant.id]]
    untried = {entry.variant.kind.words: None for entry in entries if entry.variant.kind in OTHERS}
    notes = [f"{words} devices: untested, nin-bench was never run on one (docs/variants.md)" for words in untried]
    return "\n".join([*lines, *notes, length(choices, runnable, len(entries), described)])


def dry_run_of_list(choices: Choices, described: Environment) -> DryRun:
    """A DryRun for `list`. It needs no data: the data's images have the subset's shape."""
    shape = None if choices.shape is None else parse_shape(choices.shape)
    inputs = Inputs(folder=None, shape=shape, classes=choices.classes, task=choices.task is not None)
    return DryRun(inputs=inputs, seed=choices.weights_seed, environment=described, cache=Path())


def line_of(entry: Entry, reason: str) -> str:
    """A variant's line: its id, its role in the matrix, and why it can't run here if it can't."""
    why = shortened(reason, MOST_OF_A_REASON)
    note = f"excluded: {why}" if why else "pilot only" if entry.pilot_only else ""
    role = "baseline" if entry.variant.is_baseline else "notebook's loop" if entry.variant.is_notebook else ""
    shown = shortened(entry.variant.id, MOST_OF_A_REASON)
    return "  ".join(filter(None, (f"{shown:52}", role, note))).rstrip()


def length(choices: Choices, runnable: list[Entry], count: int, described: Environment) -> str:
    """The last line: how many variants run, of how many, and how long that may take."""
    if not runnable:
        return f"none of {count} variants runs here"
    most, budget_s = choices.wanted_rounds, choices.budget_s
    least = choices.looks.rounds[0] if choices.looks else most
    arms = final_arms(schedule.arms(runnable, set(), twice=not choices.is_look), choices.wanted_finalists)
    light, raced = schedule.light(verdicts=not choices.is_look, budget_s=budget_s), choices.wanted_finalists is not None
    trial_s = schedule.UNSEEN_TRIAL_S * schedule.patience(described.cpu_quota)
    pilot = len(schedule.pilot(runnable, light=light, raced=raced))
    durations = [duration((pilot + rounds * arms) * trial_s) for rounds in dict.fromkeys((least, most))]
    limit = "" if budget_s is None else f", at most {duration(budget_s)} (--budget)"
    return (
        f"{len(runnable)} of {count} variants run here: a pilot of {pilot} trials, {'a race, ' if raced else ''}then "
        f"{' to '.join(map(str, dict.fromkeys((least, most))))} rounds of {arms} trials: "
        f"about {' to '.join(durations)} before any is measured{limit}"
    )


def final_arms(arms: list[schedule.Arm], finalists: int | None) -> int:
    """How many arms a round has, once a race has left its finalists."""
    candidates = [arm.variant for arm in arms if race.is_candidate(arm.variant)]
    left = [min(len(field), finalists or len(field)) for field in race.fields(candidates)]
    return len(arms) - len(candidates) + sum(left)
