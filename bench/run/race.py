"""The race: rounds that leave a few finalists of many candidates, which alone get the rounds that count."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean

from msgspec.structs import replace

from bench.core.exchange.probe import Probe
from bench.core.variants import Variant
from bench.plan import race, schedule
from bench.run import pilot, rounds
from bench.run.record import Run

Ranking = Callable[[Path], list[str]]
"""Returns the ids of a run's variants, the fastest first, by the race so far and otherwise by the pilot."""


def take_all(run: Run, ranking: Ranking) -> None:
    """Takes the rounds of the race that are left, then what is measured once of each finalist."""
    finalists = run.plan.finalists
    if finalists is None:
        return
    arms = rounds.arms_of(run)
    run.save(rounds.evened(run.learned, [arm.variant for arm in arms]))
    candidates = [arm.variant for arm in arms if race.is_candidate(arm.variant)]
    while not race.is_over(candidates, finalists):
        take_round(run, race.arms(arms, candidates, finalists), final_round_s(run, arms, candidates))
        candidates = race.halved(ranked(candidates, ranking(run.folder.folder)), finalists)
        run.save(replace(run.state, candidates=[variant.id for variant in candidates]))
        run.progress.say(f"race: {len(candidates)} left: {', '.join(variant.id for variant in candidates)}")
    pilot.take_due(run, memory_trials(run))


def take_round(run: Run, arms: Sequence[schedule.Arm], final_s: float) -> None:
    """Takes a round of the race if the budget then still holds rounds that decide; else the ranking stays as it is."""
    round_s = sum(run.trial_s(arm.variant) for arm in arms)
    if schedule.rounds_that_fit(run.left_s() - round_s, final_s, schedule.DECIDING_ROUNDS) < schedule.DECIDING_ROUNDS:
        run.progress.say("race: no time for a round of it, so its candidates are ranked as they stand")
        return
    number = 1 + max((trial.round for trial in run.trials), default=0)
    rounds.take_round(run, race.trials(arms, run.header.order, number), round_s, 1)


def final_round_s(run: Run, arms: Sequence[schedule.Arm], candidates: Sequence[Variant]) -> float:
    """Seconds that a round should take once only finalists are left: of each field as many, of the mean length."""
    always = sum(run.trial_s(arm.variant) for arm in arms if not race.is_candidate(arm.variant))
    finalists = run.plan.finalists or 0
    return always + sum(min(finalists, len(field)) * mean(map(run.trial_s, field)) for field in race.fields(candidates))


def ranked(candidates: Sequence[Variant], ids: Sequence[str]) -> list[Variant]:
    """The candidates that have a speed, in the order of the ids."""
    by_id = {variant.id: variant for variant in candidates}
    return [by_id[variant_id] for variant_id in ids if variant_id in by_id]


def memory_trials(run: Run) -> list[schedule.Planned]:
    """The trials of memory of the variants that have rounds."""
    variants = dict.fromkeys(arm.variant for arm in rounds.arms_of(run))
    return [schedule.once(variant, Probe.MEMORY) for variant in variants]
