"""The rounds, each with every arm once, and the fresh rounds that confirm what the first ones flagged."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from msgspec.structs import replace

from bench.core.header import Ended, Flagged, Learned
from bench.core.progress import duration
from bench.core.variants import Variant
from bench.plan import counts, race, schedule
from bench.plan.groups import groups
from bench.run.record import Run, Trial
from bench.run.trial import counts_of, take, take_in_lockstep

Flag = Callable[[Path], list[Flagged]]
"""Returns the cells of a run that look changed, from its folder."""
Decided = Callable[[Path], bool]
"""Returns whether the verdicts of a run are decided, from its folder."""


def take_all(run: Run, flag: Flag | None, decided: Decided | None = None) -> Ended:
    """Takes the rounds that are left, and those that confirm. Returns why they ended."""
    arms, flag = arms_of(run), flag if run.plan.confirm else None
    if not run.trees:
        run.save(evened(run.learned, [arm.variant for arm in arms]))
    begun = any(t.stage == "confirm" for t in run.trials)
    flagged = run.state.flagged if begun else None
    # A resumed run needs the arms to know which rounds are complete.
    run.save(replace(run.state, arms=[(arm.variant.id, arm.name) for arm in arms], flagged=flagged))
    ended_because: Ended = "rounds"
    if flagged is None:
        reserve = schedule.CONFIRM_ROUNDS if flag else 0
        ended_because = take_stage(run, "measure", arms, run.plan.rounds, reserve, decided)
    return confirm(run, arms, flag, ended_because) if flag else ended_because


def arms_of(run: Run) -> list[schedule.Arm]:
    """The arms of every round, from how the pilot's trials of steps ended."""
    pilots = [t for t in run.trials if t.stage == "pilot" and t.times_steps]
    failed = {t.variant_id for t in pilots if t.status not in ("ok", *schedule.DEAD)}
    if run.trees:
        based = {t.variant_id for t in pilots if t.ok and t.tree == "base"}
        return schedule.arms_of_trees(run.entries, failed | {e.variant.id for e in run.entries} - based)
    failed |= {t.variant_id for t in pilots} - {t.variant_id for t in pilots if t.ok}
    failed |= schedule.very_slow((entry.variant for entry in run.entries), run.learned.step_s)
    failed |= {e.variant.id for e in run.entries if e.variant.id not in run.learned.step_s}  # the budget ended
    if run.state.candidates is not None:
        failed |= {e.variant.id for e in run.entries if race.is_candidate(e.variant)} - set(run.state.candidates)
    return schedule.arms(run.entries, failed, twice=run.plan.verdicts)


def evened(learned: Learned, variants: list[Variant]) -> Learned:
    """What was learned, with counts so that all compared variants take the same samples with the same steps."""
    even = counts.evened(variants, learned.counts, learned.step_s)
    trial_s = dict(learned.trial_s)
    for variant_id, own in learned.counts.items():
        more = counts.steps_of(even[variant_id]) - counts.steps_of(own)
        before_s = trial_s.get(variant_id, schedule.UNSEEN_TRIAL_S)
        trial_s[variant_id] = max(0.0, before_s + more * learned.step_s.get(variant_id, 0.0))
    return replace(learned, trial_s=trial_s, counts=even)


def confirm(run: Run, arms: list[schedule.Arm], flag: Flag, ended_because: Ended) -> Ended:
    """Takes fresh rounds of the variants that the first ones flag, if all fit. Returns why the run ended."""
    flagged = run.state.flagged
    if flagged is None:
        flagged = flag(run.folder.folder)
        run.save(replace(run.state, flagged=flagged))
    variants = {cell.variant_id for cell in flagged}
    if not variants:
        return ended_because
    run.progress.say(f"{len(flagged)} cells look changed: {schedule.CONFIRM_ROUNDS} fresh rounds decide")
    return take_stage(run, "confirm", [arm for arm in arms if arm.variant.id in variants], schedule.CONFIRM_ROUNDS)


def take_stage(
    run: Run, stage: str, arms: list[schedule.Arm], wanted: int, reserve: int = 0, decided: Decided | None = None
) -> Ended:
    """Takes the rounds of a stage that are left, as far as the budget allows. Returns why they ended.

    The budget keeps room for `reserve` rounds after them. If two trees are compared and a trial dies, the round of
    that variant alone is taken again, within `schedule.repeats`.
    """
    due = due_of(run, stage, arms, wanted)
    if not due:
        return "rounds"
    left, round_s = max(due.values()), sum(run.trial_s(arm.variant) for arm in due)
    fitting = schedule.rounds_that_fit(run.left_s() - reserve * round_s, round_s, left)
    run.progress.say(plan_words(run, stage, fitting, left, round_s, len(due)))
    if not run.plan.looks:
        predict(run, fitting * round_s)
    if stage == "confirm" and fitting < left:  # fewer would decide nothing
        return "budget"
    seen_s: list[float] = []
    while due := due_of(run, stage, arms, wanted):
        left = max(due.values())
        if decided and is_look(run, wanted - left) and decided(run.folder.folder):
            return "decided"
        if schedule.rounds_that_fit(run.left_s() - reserve * round_s, round_s, left) < 1:
            return "budget"
        began, number = time.monotonic(), run.next_round
        take_round(run, schedule.round_trials(list(due), run.header.order, number, stage), round_s, left)
        if all(t.ok for t in run.trials if t.round == number):  # a failed trial says nothing about a round's length
            seen_s.append(time.monotonic() - began)
            round_s = max(seen_s)  # what took long once may do so again
            tell_disturbance(run, number, seen_s)
        elif run.trees:
            run.progress.say(
                f"round {number} counts for nothing and is taken again: {schedule.repeats(wanted)} are, at most"
            )
    return "rounds"


def plan_words(run: Run, stage: str, fitting: int, left: int, round_s: float, trials: int) -> str:
    """How many rounds are to come, and how long one takes."""
    each = f"a round of {trials} trials takes about {duration(round_s)}"
    if stage == "measure" and run.plan.looks:
        looks = [str(rounds) for rounds in run.plan.looks.rounds if rounds <= fitting + run.plan.rounds - left]
        if not looks:
            return f"{each}; the budget holds {fitting} of them, and a verdict needs {run.plan.looks.rounds[0]}"
        return f"{each}; the rounds end after {', '.join(looks)}, as soon as every verdict is decided"
    return f"{fitting} of {left} rounds fit the budget: {each}"


def tell_disturbance(run: Run, number: int, seen_s: Sequence[float]) -> None:
    """Says that something else used the CPU in a round, and how long the round took compared with the shortest."""
    trials = [t for t in run.trials if t.round == number and t.duration_s]
    shares = [max(t.steal_s or 0.0, t.pressure_s or 0.0) / t.duration_s for t in trials]
    if shares and median(shares) >= schedule.BUSY:
        run.progress.say(
            f"something else used the CPU in {median(shares):.0%} of round {number}, which took "
            f"{duration(seen_s[-1])} (the shortest so far: {duration(min(seen_s))})"
        )


def is_look(run: Run, complete: int) -> bool:
    """Whether the run may end after this number of complete rounds."""
    return run.plan.looks is not None and complete in run.plan.looks.rounds


def due_of(run: Run, stage: str, arms: list[schedule.Arm], wanted: int) -> dict[schedule.Arm, int]:
    """The arms that need more rounds, with how many. If two trees are compared, each variant has its own number."""
    taken = [trial for trial in run.trials if trial.stage == stage]
    groups: dict[str, list[schedule.Arm]] = {}
    for arm in arms:
        groups.setdefault(arm.variant.id if run.trees else "", []).append(arm)
    left = {key: rounds_left(group, taken, wanted, of_trees=bool(run.trees)) for key, group in groups.items()}
    return {arm: left[key] for key, group in groups.items() for arm in group if left[key]}


def rounds_left(group: Sequence[schedule.Arm], taken: Sequence[Trial], wanted: int, *, of_trees: bool) -> int:
    """How many rounds these arms still need. For two trees it is 0 once a trial shows that they can't run."""
    names = [(arm.variant.id, arm.name) for arm in group]
    ids = {arm.variant.id for arm in group}
    if of_trees and any(t.variant_id in ids and t.status not in ("ok", *schedule.DEAD) for t in taken):
        return 0
    whole, spoilt = schedule.tally(names, [(t.round, t.variant_id, t.arm, t.status) for t in taken])
    return schedule.rounds_left(whole, spoilt, wanted, repeated=of_trees)


def predict(run: Run, rounds_s: float) -> None:
    """Says once how long the whole run should take; not for two trees, whose fresh rounds can't be foreseen."""
    if run.learned.predicted_s is not None or run.trees:
        return
    predicted_s = round(time.monotonic() - run.started + rounds_s + schedule.REPORT_RESERVE_S)
    run.progress.say(f"the whole run should take about {duration(predicted_s)}")
    run.save(replace(run.learned, predicted_s=predicted_s))


def take_round(run: Run, planned: list[schedule.Planned], round_s: float, wanted: int) -> None:
    """Takes the trials of one round."""
    fitting, taken = schedule.rounds_that_fit(run.left_s(), round_s, wanted), 0
    for group in groups(planned, run.learned.peak_bytes, run.room_bytes()):
        run.progress.before(title_of(group), taken, len(planned), round_s * (fitting - taken / len(planned)))
        limits_s = [schedule.time_limit_s(run.trial_s(trial.arm.variant)) for trial in group]
        if len(group) > 1:
            take_in_lockstep(run, group, limits_s)
        else:
            [trial], variant_id = group, group[0].arm.variant.id
            take(run, trial, counts_of(run, trial), limits_s[0], run.learned.largest.get(variant_id))
        taken += len(group)


def title_of(group: Sequence[schedule.Planned]) -> str:
    """The title of what is measured, for a line of progress."""
    number, arm = f"round {group[0].round}", group[0].arm
    if len(group) > 1:
        return f"{number} {arm.tree and arm.variant.id} {len(group)} trials in lockstep".replace("  ", " ")
    return " ".join(filter(None, (number, arm.name, arm.tree, arm.variant.id)))
