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
        racing = race.arms(arms, candidates, finalists)
        if has_time(run, racing, final_round_s(run, arms, candidates)):
            rounds.take_round(run, race.trials(racing, run.header.order, run.next_round), round_s(run, racing), 1)
            candidates = race.halved(ranked(candidates, ranking(run.folder.folder)), finalists)
        else:
            run.progress.say("race: no time for a round of it, so its candidates are ranked as they stand")
            candidates = race.cut(ranked(candidates, ranking(run.folder.folder)), finalists)
        run.save(replace(run.state, candidates=[variant.id for variant in candidates]))
        run.progress.say(f"race: {len(candidates)} left: {', '.join(variant.id for variant in candidates)}")
    pilot.take_due(run, memory_trials(run))


def has_time(run: Run, racing: Sequence[schedule.Arm], final_s: float) -> bool:
    """Whether the budget holds a round of the race, and then final rounds that decide, of `final_s` seconds each."""
    left_s = run.left_s() - round_s(run, racing)
    return schedule.rounds_that_fit(left_s, final_s, schedule.DECIDING_ROUNDS) == schedule.DECIDING_ROUNDS


def round_s(run: Run, arms: Sequence[schedule.Arm]) -> float:
    """Seconds that a round of some arms should take."""
    return sum(run.trial_s(arm.variant) for arm in arms)


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
