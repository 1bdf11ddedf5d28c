"""The sustained stretch of the fastest variants. It comes after the rounds, which show which these are."""

from collections.abc import Callable
from pathlib import Path

from bench.core.exchange.probe import Probe
from bench.plan import schedule
from bench.run.record import Run
from bench.run.trial import take


def take_of_fastest(run: Run, fastest: Callable[[Path], list[str]]) -> None:
    """Takes the stretch of each fastest variant on a GPU that had none, as far as the budget allows.

    A baseline had its stretch in the pilot. A run without verdicts takes none.
    """
    on_gpu = {entry.variant.id: entry.variant for entry in run.entries if entry.variant.kind.accelerates}
    if not on_gpu or not run.plan.verdicts:
        return
    had = {trial.variant_id for trial in run.trials if Probe.SUSTAINED in trial.probes}
    for variant_id in fastest(run.folder.folder):
        if variant_id not in on_gpu or variant_id in had:
            continue
        variant = on_gpu[variant_id]
        expected_s = schedule.SUSTAINED_S + run.trial_s(variant)
        if schedule.rounds_that_fit(run.left_s(), expected_s, 1):
            run.progress.before(f"{variant_id} {Probe.SUSTAINED}", 0, 1, expected_s)
            limit_s = schedule.time_limit_s(expected_s)
            take(run, schedule.once(variant, Probe.SUSTAINED), None, limit_s, run.learned.largest.get(variant_id))
