"""The section that says how a run was measured, and how noisy it was."""

from collections.abc import Sequence

import pandas as pd

from bench.analyse import tables
from bench.analyse.ab.cells import stage_of
from bench.analyse.labels import named
from bench.analyse.load import RunData, cell
from bench.analyse.stats import LEAST_ROUNDS, least_rounds
from bench.analyse.verdicts import FEW_ROUNDS, Control
from bench.core.exchange.probe import Probe
from bench.core.header import Header
from bench.core.progress import duration
from bench.core.text import MOST_OF_A_LINE, marked
from bench.core.traces import STAGE
from bench.plan.race import STAGE as RACE
from bench.report.document import Block, Paragraph, Section, paragraphs
from bench.report.page import Page
from bench.report.trust import machine
from bench.report.words import count_of, interval, seconds

ALIKE = 8
"""The first schema whose stamped samples average as many steps as the plain ones in any case."""


def warnings_section(page: Page) -> Section:
    """A warning for each part of the run's files that could not be read."""
    return Section("", paragraphs(f"Warning: {marked(w, MOST_OF_A_LINE)}." for w in page.data.warnings))


def section(page: Page) -> Section:
    """How the run was measured, how far identical code differed, and the machine's state by round."""
    data = page.data
    blocks: list[Block] = [Paragraph(how_words(data))]
    if data.run.plan.verdicts and data.rounds and (lack := few_words(data)):
        few = f"**Only {count_of(len(data.rounds), 'round')}: {lack}**"
        blocks.append(Paragraph(f"{few} Give the run more time (--rounds, --budget)."))
    blocks += paragraphs(sentence for _, sentence in told_controls(data))
    blocks += warnings_section(page).blocks
    blocks += machine.blocks(data, [control.variant_id for control in tables.controls(data)])
    return Section("How it was measured", blocks)


def told_controls(data: RunData) -> list[tuple[Control, str]]:
    """Each variant that was measured twice, then in fresh rounds, with how far the same code differed from itself."""
    told = []
    for controls, rounds, more in (
        (tables.controls(data), data.rounds, ""),
        (stage_of(data, "confirm").controls, data.confirm_rounds, ", fresh rounds"),
    ):
        for control in controls:
            name = f"{named(data, control.variant_id)}{more}"
            told.append((control, control_sentence(control, walls_of(data, control, rounds), name)))
    return told


ENDS = {
    "rounds": "with its last round",
    "decided": "as soon as every verdict that it waits for was decided",
    "budget": "with its budget",
    "interrupted": "when it was interrupted",
}


def how_words(data: RunData) -> str:
    """How many rounds, arms, trials and steps the run has, and how it ended."""
    arms, trials = data.run.state.arms, data.trials[data.trials.stage != STAGE]
    ended = ENDS.get(data.run.state.ended_because or "", "early")
    more = f", then {len(data.confirm_rounds)} fresh ones of what they flagged" if data.confirm_rounds else ""
    in_rounds = len({v for v, _ in arms})
    rounds, twice = count_of(len(data.rounds), "complete round"), twice_words(arms)
    return (
        f"{pilot_words(trials)}{race_words(trials)}, then {rounds} of {len(arms)} trials: of "
        f"{count_of(in_rounds, 'variant')}{twice}{more}. The run ended {ended}{waits_words(data.run)}. "
        f"{len(trials)} trials in all, each a fresh process, in a "
        f"new random order each round (seed {data.run.order}).{lockstep_words(trials)}"
        f"{predicted_words(data.run)}{counts_words(data)}"
    )


def twice_words(arms: Sequence[tuple[str, str]]) -> str:
    """That baselines were measured twice in every round, if so."""
    several = sum(arm == "A'" for _, arm in arms)
    return f", {'the baseline' if several == 1 else 'baselines'} twice" if several else ""


def pilot_words(trials: pd.DataFrame) -> str:
    """How many trials the pilot has, and what for."""
    pilot = trials[trials.stage == "pilot"]
    takes_steps = pilot.probes.str.split("+").map(lambda probes: Probe.STEPS in probes)
    others = pilot.probes[~takes_steps]
    more = f" and {len(others)} of {' or '.join(sorted(set(others)))}" if len(others) else ""
    return f"A pilot of {count_of(len(pilot) - len(others), 'trial')} of steps{more}"


def race_words(trials: pd.DataFrame) -> str:
    """How many rounds the race had; empty without one."""
    rounds = trials.loc[trials.stage == RACE, "round"].nunique()
    return f", {count_of(rounds, 'round')} of the race" if rounds else ""


def waits_words(run: Header) -> str:
    """For which verdicts a run does not wait; empty if it waits for all."""
    raced = run.state.candidates is not None and run.state.ended_because == "decided"
    return " (after a race, those of the variants that it left)" if raced else ""


def lockstep_words(trials: pd.DataFrame) -> str:
    """That trials of a round took turns, if any did, and how many of them."""
    if "in_lockstep" not in trials or not (trials.in_lockstep > 1).any():
        return f" Their times sum to {duration(trials.duration_s.sum())}."
    of_rounds = trials[trials.stage == "measure"]
    shared = int((of_rounds.in_lockstep > 1).sum())
    of, others = "The", ""
    if shared < len(of_rounds):
        of, others = f"{shared} of the {len(of_rounds)}", " The others ran before or after these, each alone."
    return (
        f" {of} processes of a round were alive at once and took turns sample by sample (a sample is a step, or the "
        "mean of several), in a new random order each time, while all others were stopped: what the machine did over "
        f"seconds met all of them.{others}"
    )


def predicted_words(run: Header) -> str:
    """How long the run took, if nothing interrupted it, and how long it was expected to take after its pilot."""
    predicted_s, finished_at = run.learned.predicted_s, run.state.finished_at
    if predicted_s == 0 or finished_at is None:  # it was resumed, or has not ended
        return ""
    expected = f"; after the pilot it was expected to take {duration(predicted_s)}" if predicted_s else ""
    return f" The run took {duration((finished_at - run.started_at).total_seconds())}{expected}."


def counts_words(data: RunData) -> str:
    """How many steps a trial took, for each variant that was measured twice in a round."""
    counts = data.run.learned.counts
    sentences = []
    for variant_id in dict.fromkeys(v for v, arm in data.run.state.arms if arm == "A" and v in counts):
        steps = counts[variant_id]
        each = "" if steps.iterations == 1 else f", each the mean of {steps.iterations}"
        # Older trials, which don't record their paths, took all plain steps first.
        in_turns = data.spread(variant_id, "step_paths", "process").estimate >= 1
        joined = "and in turns with them" if in_turns else "then"
        alike = each if steps.varied or data.run.schema_version >= ALIKE else ""
        sentences.append(
            f" A trial of the {named(data, variant_id)}: {steps.plain} plain steps{each}, which give the step, "
            f"{joined} {steps.stamped} stamped ones{alike}, which give phases and layers."
        )
    return "".join(sentences)


def walls_of(data: RunData, control: Control, rounds: list[int]) -> pd.Series:
    """The steps of both arms of a control in some rounds."""
    walls = cell(data.values, "wall")
    walls = walls[(walls.variant_id == control.variant_id) & walls["round"].isin(rounds) & (walls.stage != "pilot")]
    return walls.loc[walls.arm.isin(("A", "A'")), "value"]


def few_words(data: RunData) -> str:
    """What such a small number of rounds may not show; empty if there are enough, or if every verdict is decided."""
    looks, rounds = data.run.plan.looks, len(data.rounds)
    least = least_rounds(looks.error) if looks else LEAST_ROUNDS
    if rounds < least:
        return f"under {least} no verdict is given."
    if rounds < FEW_ROUNDS and data.run.state.ended_because != "decided":
        return "a change of 10 % may go undecided."
    return ""


def control_sentence(control: Control, walls: pd.Series, name: str) -> str:
    """How far the same code differed from itself."""
    times = interval(control.ratio.estimate, control.ratio.lo, control.ratio.hi, digits=3)
    text = (
        f"The same code compared with itself ({name}): A' was {times} times as fast as A over {control.rounds} rounds; "
        f"a trial's step ranged from {seconds(walls.min())} to {seconds(walls.max())}."
    )
    if not control.noisy and control.ratio.known and not control.ratio.lo <= 1 <= control.ratio.hi:
        text += " It leaves out 1, as chance does once in twenty, but not by the change that matters."
    if control.noisy:
        return f"{text} **NOISY: identical code came out different, so {control.device} gets no verdict.**"
    return text
