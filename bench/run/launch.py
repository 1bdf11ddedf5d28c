"""The parent of a run, from its pilot to its last round: which trial comes next, and when to end."""

import contextlib
import shutil
import signal
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from statistics import median

from bench.core.exchange.cause import Cause
from bench.core.exchange.cause import Status as TrialStatus
from bench.core.exchange.probe import Probe, as_text, from_text
from bench.core.header import Ended, Flagged, Status, check_known, read_run
from bench.core.progress import RunProgress, duration
from bench.core.records import SAMPLES, TRIALS, RecordError, read_rows, read_variants
from bench.core.variants import CPU_BATCH, CUDA_BATCH, LARGEST, Variant, runnable_variants
from bench.plan import counts, fit, schedule
from bench.plan.matrix import Entry
from bench.run import sustained
from bench.run.folder import RunFolder
from bench.run.trial import Run, now, take

TOO_LARGE = (Cause.OUT_OF_MEMORY, Cause.BEYOND_INDEX, Cause.KILLED)
"""How a batch ends that does not fit; the kernel kills what takes more memory than there is."""


def resume(folder: Path, progress: RunProgress, cache: Path) -> Run:
    """The run of a folder, to be gone on with. RecordError where it can't be."""
    header = read_run(folder)
    variants = read_variants(folder)
    check_known(header, folder, {str(row["variant_id"]) for row in variants})
    opened, warnings = RunFolder.reopen(folder)
    for warning in warnings:
        progress.say(f"warning: {warning}")
    pilot_only = set(header.plan.pilot_only)
    entries = [Entry(variant=variant, pilot_only=variant.id in pilot_only) for variant in runnable_variants(variants)]
    run = Run(opened, header, entries, progress, cache)
    run.trials = [row | {"duration_s": row["duration_s"] or 0.0} for row in read_rows(folder, TRIALS)[0]]
    # Samples without a trial's row were being written when the run was killed; their id stays theirs.
    ids = (row["trial_id"] for table in (TRIALS, SAMPLES) for row in read_rows(folder, table)[0])
    run.next_trial = 1 + max((int(str(trial_id)[1:]) for trial_id in ids), default=0)
    return run


def execute(
    run: Run,
    after_pilot: Callable[[Path], None],
    flag: Callable[[Path], list[Flagged]] | None = None,
    fastest: Callable[[Path], list[str]] | None = None,
) -> None:
    """Measure what is left of the run: pilot, then rounds. The folder is complete after each trial.

    `after_pilot` is called once with the folder. `flag` tells from the rounds which cells look changed; their
    variants are then measured in fresh rounds. `fastest` tells the fastest variants, of which those on CUDA get a
    sustained stretch behind the rounds. Raises KeyboardInterrupt on Ctrl-C and on SIGTERM,
    RecordError where a file can't be written; both leave the folder ready to be gone on with.
    """
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        set_status(run, "running")
        _pilot(run)
        after_pilot(run.folder.folder)
        ended_because = _measure(run, flag)
        if fastest:
            sustained.take_of_fastest(run, fastest)
        set_status(run, "complete", ended_because, now())
        if ended_because == "rounds" or not run.trees:  # trees can't be copied again as they were
            shutil.rmtree(run.cache, ignore_errors=True)
    except KeyboardInterrupt:
        for number in (signal.SIGINT, signal.SIGTERM):  # one is enough: end in peace
            signal.signal(number, signal.SIG_IGN)
        with contextlib.suppress(RecordError):  # the interrupt is what ended it
            set_status(run, "interrupted", "interrupted")
        raise
    except BaseException:
        with contextlib.suppress(RecordError):  # likely the very reason
            set_status(run, "failed", "an error")
        raise
    finally:
        run.progress.end()
        run.folder.close()
        signal.signal(signal.SIGTERM, previous)


def _interrupt(number: int, frame: object) -> None:  # noqa: ARG001 - a handler's signature
    raise KeyboardInterrupt


def set_status(
    run: Run, status: Status, ended_because: Ended | None = None, finished_at: datetime | None = None
) -> None:
    """Write into run.json how the run stands."""
    run.header.status = status
    run.header.finished_at, run.header.ended_because = finished_at, ended_because
    run.folder.write_run(run.header)


def _pilot(run: Run) -> None:
    light = schedule.light(verdicts=run.plan.verdicts, budget_s=run.plan.budget_s)
    planned = schedule.pilot_of_trees(run.entries) if run.trees else schedule.pilot(run.entries, light=light)
    for index, trial in enumerate(planned):
        while not _piloted(run, trial) and _worth_piloting(run, trial):
            if run.left_s() <= 0:
                return
            left_s = _expected_s(run) * (len(planned) - index) + _rounds_expected_s(run)
            what = " ".join(filter(None, ("pilot", trial.arm.tree, trial.arm.variant.id, as_text(trial.probes))))
            run.progress.before(what, index, len(planned), left_s)
            if Probe.FIT in trial.probes:
                _find_largest(run, trial)
                break
            known = run.plan.counts.get(trial.arm.variant.id)  # both trees take the same
            take(run, trial, known, _pilot_limit_s(run), run.plan.largest.get(trial.arm.variant.id))


def _piloted(run: Run, trial: schedule.Planned) -> bool:
    """Whether a trial of the pilot needs no further one. A base that died is tried again: its head is judged by it."""
    variant_id = trial.arm.variant.id
    if Probe.FIT in trial.probes and variant_id not in run.plan.largest:
        return False
    named = (variant_id, as_text(trial.probes), trial.arm.tree)
    mine = [t for t in run.trials if t["stage"] == "pilot" and (t["variant_id"], t["probes"], t["tree"]) == named]
    seen = [t["status"] for t in mine if t["cause"] != Cause.BUDGET_ENDED]  # which says nothing of what it measures
    tries = schedule.PILOT_TRIES if trial.arm.tree == "base" else 1
    return len(seen) >= tries or any(status not in schedule.DEAD for status in seen)


def _full_limit_s(run: Run) -> float:
    return schedule.time_limit_s(None, run.header.environment.cpu_quota)


def _pilot_limit_s(run: Run) -> float:
    """Seconds that a trial of the pilot may take: no more than the budget has left."""
    return min(_full_limit_s(run), max(0.0, run.left_s()))


def _worth_piloting(run: Run, trial: schedule.Planned) -> bool:
    """Steps of a largest batch only once it is known; the others only of what ran and is not slow."""
    variant, step_s = trial.arm.variant, run.plan.step_s.get(trial.arm.variant.id, 0.0)
    if Probe.FIT in trial.probes:
        return True
    if schedule.times_steps(trial.probes):
        return variant.batch_size != LARGEST or variant.id in run.plan.largest
    ran = any(
        t["variant_id"] == variant.id and schedule.times_steps(from_text(t["probes"])) and t["status"] == "ok"
        for t in run.trials
    )
    if not ran:
        return False
    if {Probe.MEMORY, Probe.SUSTAINED}.intersection(trial.probes):
        return bool(step_s <= schedule.MEMORY_STEP_S)
    batch = int(run.plan.largest.get(variant.id, variant.batch_size))
    epoch_s = run.header.data.train_images * step_s / batch
    return bool(schedule.passes(variant) * epoch_s <= schedule.EPOCHS_LIMIT_S)


def _find_largest(run: Run, trial: schedule.Planned) -> None:
    """Try batch sizes in processes of their own, a trial each, until the largest that fits is known."""
    variant = trial.arm.variant
    search = fit.Search(
        start=CUDA_BATCH if variant.on_cuda else CPU_BATCH,
        cap=run.header.data.train_images,
        limit_bytes=run.plan.limit_bytes(variant),
        tried=dict(run.plan.tried.get(variant.id, [])),
    )
    while (size := search.next()) is not None:
        if run.left_s() <= 0:
            return
        reply = take(run, trial, None, _pilot_limit_s(run), size)
        # Near the limit libraries fail in words of their own: where something fitted, any error is the upper end.
        too_large = reply.cause in TOO_LARGE or (reply.status is TrialStatus.ERROR and search.fits)
        if not reply.ok and not too_large:
            return  # such as a time limit, which says nothing of memory
        run.plan.beyond_index |= {variant.id: size} if reply.cause is Cause.BEYOND_INDEX else {}
        peaks = [int(sample.value) for sample in reply.samples if sample.metric == "fit_peak"]
        search.tried[size] = max(peaks, default=0) if reply.ok else None
        run.plan.tried[variant.id] = list(search.tried.items())
        run.folder.write_run(run.header)
    if search.fits:
        run.plan.largest[variant.id] = search.fits
        run.folder.write_run(run.header)


def _measure(run: Run, flag: Callable[[Path], list[Flagged]] | None) -> Ended:
    """Take the rounds that are left, and those that confirm; why they ended."""
    pilots = [t for t in run.trials if t["stage"] == "pilot" and schedule.times_steps(from_text(t["probes"]))]
    failed = {t["variant_id"] for t in pilots if t["status"] not in ("ok", *schedule.DEAD)}
    if run.trees:
        based = {t["variant_id"] for t in pilots if t["status"] == "ok" and t["tree"] == "base"}
        arms = schedule.arms_of_trees(run.entries, failed | {e.variant.id for e in run.entries} - based)
    else:
        failed |= {t["variant_id"] for t in pilots} - {t["variant_id"] for t in pilots if t["status"] == "ok"}
        failed |= schedule.very_slow((entry.variant for entry in run.entries), run.plan.step_s)
        failed |= {e.variant.id for e in run.entries if e.variant.id not in run.plan.step_s}  # the budget ended
        arms = schedule.arms(run.entries, failed, twice=run.plan.verdicts)
        _even(run, [arm.variant for arm in arms])
    run.plan.arms = [(arm.variant.id, arm.name) for arm in arms]
    run.folder.write_run(run.header)  # which arms make a round complete, should this process be killed
    if not any(t["stage"] == "confirm" for t in run.trials):
        run.plan.flagged = None
    ended_because: Ended = "rounds"
    if run.plan.flagged is None:
        reserve = schedule.CONFIRM_ROUNDS if flag else 0
        ended_because = _rounds(run, "measure", arms, run.plan.rounds, reserve)
    return _confirm(run, arms, flag, ended_because) if flag else ended_because


def _even(run: Run, variants: list[Variant]) -> None:
    """Have all that are held against each other take the same samples of the same steps, and plan for it."""
    even = counts.evened(variants, run.plan.counts, run.plan.step_s)
    for variant_id, own in run.plan.counts.items():
        more = counts.steps_of(even[variant_id]) - counts.steps_of(own)
        trial_s = run.plan.trial_s.get(variant_id, schedule.UNSEEN_TRIAL_S)
        run.plan.trial_s[variant_id] = max(0.0, trial_s + more * run.plan.step_s.get(variant_id, 0.0))
    run.plan.counts = even


def _confirm(run: Run, arms: list[schedule.Arm], flag: Callable[[Path], list[Flagged]], ended_because: Ended) -> Ended:
    """Take the fresh rounds of what the others flag, if all of them fit; why the run ended."""
    if run.plan.flagged is None:
        run.plan.flagged = flag(run.folder.folder)
        run.folder.write_run(run.header)
    variants = {cell.variant_id for cell in run.plan.flagged}
    if not variants:
        return ended_because
    run.progress.say(f"{len(run.plan.flagged)} cells look changed: {schedule.CONFIRM_ROUNDS} fresh rounds decide")
    return _rounds(run, "confirm", [arm for arm in arms if arm.variant.id in variants], schedule.CONFIRM_ROUNDS)


def _rounds(run: Run, stage: str, arms: list[schedule.Arm], wanted: int, reserve: int = 0) -> Ended:
    """Take what is left of the wanted rounds of a stage, as far as the budget lets them; why they ended.

    The budget keeps room for `reserve` rounds behind them. Where two trees are compared, a round in which a trial
    died is taken again, of its variant alone and within `plan.repeats`.
    """
    due = _due(run, stage, arms, wanted)
    if not due:
        return "rounds"
    left, round_s = max(due.values()), sum(_trial_s(run, arm.variant) for arm in due)
    held = schedule.rounds_that_fit(run.left_s() - reserve * round_s, round_s, left)
    run.progress.say(
        f"{held} of {left} rounds fit the budget: a round of {len(due)} trials takes about {duration(round_s)}"
    )
    _predict(run, held * round_s)
    if stage == "confirm" and held < left:  # fewer would decide nothing
        return "budget"
    seen_s: list[float] = []
    while due := _due(run, stage, arms, wanted):
        left = max(due.values())
        if schedule.rounds_that_fit(run.left_s() - reserve * round_s, round_s, left) < 1:
            return "budget"
        began, number = time.monotonic(), 1 + max((t["round"] for t in run.trials), default=0)
        _round(run, schedule.round_trials(list(due), run.header.order, number, stage), round_s, left)
        if run.trees and any(t["status"] != "ok" for t in run.trials if t["round"] == number):
            run.progress.say(
                f"round {number} counts for nothing and is taken again: {schedule.repeats(wanted)} are, at most"
            )
        if all(t["status"] == "ok" for t in run.trials if t["round"] == number):  # a time limit is no round's length
            seen_s.append(time.monotonic() - began)
            round_s = max(seen_s)  # what took long once may do so again
    return "rounds"


def _due(run: Run, stage: str, arms: list[schedule.Arm], wanted: int) -> dict[schedule.Arm, int]:
    """The arms of which further rounds are to be taken, with how many; those of two trees by their variants."""
    measured = [(t["round"], t["variant_id"], t["arm"], t["status"]) for t in run.trials if t["stage"] == stage]
    keys = [arm.variant.id if run.trees else "" for arm in arms]
    left = {}
    for key in dict.fromkeys(keys):
        names = [(arm.variant.id, arm.name) for arm, mine in zip(arms, keys, strict=True) if mine == key]
        unfit = run.trees and any(v == key and status not in ("ok", *schedule.DEAD) for _, v, _, status in measured)
        whole, spoilt = schedule.tally(names, measured)
        left[key] = 0 if unfit else schedule.rounds_left(whole, spoilt, wanted, repeated=bool(run.trees))
    return {arm: left[key] for arm, key in zip(arms, keys, strict=True) if left[key]}


def _predict(run: Run, rounds_s: float) -> None:
    """Say how long the whole run should take, once; nothing of two trees, whose fresh rounds can't be known."""
    if run.plan.predicted_s is not None or run.trees:
        return
    predicted_s = round(time.monotonic() - run.started + rounds_s + schedule.REPORT_RESERVE_S)
    run.plan.predicted_s = predicted_s
    run.progress.say(f"the whole run should take about {duration(predicted_s)}")
    run.folder.write_run(run.header)


def _round(run: Run, planned: list[schedule.Planned], round_s: float, wanted: int) -> None:
    held = schedule.rounds_that_fit(run.left_s(), round_s, wanted)
    for index, trial in enumerate(planned):
        variant = trial.arm.variant
        left_s = round_s * (held - index / len(planned))
        what = " ".join(filter(None, (f"round {trial.round}", trial.arm.name, trial.arm.tree, variant.id)))
        run.progress.before(what, index, len(planned), left_s)
        limit_s = schedule.time_limit_s(_trial_s(run, variant))
        take(run, trial, run.plan.counts[variant.id], limit_s, run.plan.largest.get(variant.id))


def _trial_s(run: Run, variant: Variant) -> float:
    """What this variant's trial of steps should take, by its pilot, which alone compiled from nothing."""
    return float(run.plan.trial_s.get(variant.id, schedule.UNSEEN_TRIAL_S))


def _expected_s(run: Run) -> float:
    """What a trial of this run takes, by those seen."""
    return float(median([t["duration_s"] for t in run.trials] or [schedule.UNSEEN_TRIAL_S]))


def _rounds_expected_s(run: Run) -> float:
    """What the rounds may take, as far as the budget lets them."""
    in_rounds = [entry.variant for entry in run.entries if not entry.pilot_only]
    return min(run.left_s(), int(run.plan.rounds) * sum(_trial_s(run, v) for v in in_rounds))
