"""The pilot: round 0, which measures each variant once and learns what the rounds need."""

from collections.abc import Sequence
from statistics import median

from bench.core.exchange.cause import Cause
from bench.core.exchange.probe import Probe, as_text
from bench.core.header import Learned
from bench.core.variants import LARGEST, Variant, parse_id
from bench.plan import schedule
from bench.run import largest
from bench.run.record import Run, Trial
from bench.run.trial import take


def take_all(run: Run) -> None:
    """Takes the trials of the pilot that are left, as far as the budget allows."""
    light = schedule.light(verdicts=run.plan.verdicts, budget_s=run.plan.budget_s)
    raced = run.plan.finalists is not None
    pilot = schedule.pilot(run.entries, light=light, raced=raced, of_task=run.header.inputs.task)
    take_due(run, schedule.pilot_of_trees(run.entries) if run.trees else pilot)


def take_due(run: Run, planned: Sequence[schedule.Planned]) -> None:
    """Takes those of the planned trials that are due, as far as the budget allows."""
    for index, trial in enumerate(planned):
        while is_due(run, trial):
            if run.left_s() <= 0:
                return
            left_s = expected_s(run.trials) * (len(planned) - index) + rounds_expected_s(run)
            title = " ".join(filter(None, ("pilot", trial.arm.tree, trial.arm.variant.id, as_text(trial.probes))))
            run.progress.before(title, index, len(planned), left_s)
            if Probe.FIT in trial.probes:
                largest.find(run, trial)
                break
            known = run.learned.counts.get(trial.arm.variant.id)  # both trees take the same
            take(run, trial, known, run.pilot_limit_s(), run.learned.largest.get(trial.arm.variant.id))


def is_due(run: Run, trial: schedule.Planned) -> bool:
    """Whether a trial of the pilot is still to be taken."""
    if Probe.FIT in trial.probes:
        return trial.arm.variant.id not in run.learned.largest
    if piloted(trial, run.trials):
        return False
    return worth_piloting(trial, run.trials, run.learned, run.header.data.train_images)


def piloted(trial: schedule.Planned, taken: Sequence[Trial]) -> bool:
    """Whether a trial of the pilot was taken. A base that died is tried again: the head is compared with it."""
    named = (trial.arm.variant.id, trial.probes, trial.arm.tree)
    same = [t for t in taken if t.stage == "pilot" and (t.variant_id, t.probes, t.tree) == named]
    seen = [t.status for t in same if t.cause is not Cause.BUDGET_ENDED]  # that cause says nothing about the variant
    tries = schedule.PILOT_TRIES if trial.arm.tree == "base" else 1
    return len(seen) >= tries or any(status not in schedule.DEAD for status in seen)


def worth_piloting(trial: schedule.Planned, taken: Sequence[Trial], learned: Learned, train_images: int | None) -> bool:
    """Whether a trial makes sense: steps once the batch size is known, others if the steps ran and are fast."""
    variant, step_s = trial.arm.variant, learned.step_s.get(trial.arm.variant.id, 0.0)
    if schedule.is_hopeless(variant, given_up(taken)):
        return False
    if schedule.times_steps(trial.probes):
        return variant.batch_size != LARGEST or variant.id in learned.largest
    if not any(t.variant_id == variant.id and t.times_steps and t.ok for t in taken):
        return False
    if {Probe.MEMORY, Probe.SUSTAINED}.intersection(trial.probes):
        return step_s <= schedule.MEMORY_STEP_S
    if train_images is None:  # a task says nothing of an epoch
        return False
    epoch_s = train_images * step_s / int(learned.largest.get(variant.id, variant.batch_size))
    return schedule.passes(variant) * epoch_s <= schedule.EPOCHS_LIMIT_S


def given_up(taken: Sequence[Trial]) -> list[Variant]:
    """The variants whose first step showed that they are hopelessly slow."""
    return [parse_id(t.variant_id) for t in taken if t.cause is Cause.TOO_SLOW]


def expected_s(taken: Sequence[Trial]) -> float:
    """How long a trial should take, from those that were taken."""
    return median([trial.duration_s for trial in taken] or [schedule.UNSEEN_TRIAL_S])


def rounds_expected_s(run: Run) -> float:
    """How long the rounds may take, as far as the budget allows."""
    in_rounds = [entry.variant for entry in run.entries if not entry.pilot_only]
    return min(run.left_s(), run.plan.rounds * sum(map(run.trial_s, in_rounds)))
