"""The parent of a run: starts each trial, and is the one writer of results/."""

import contextlib
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench import child, plan
from bench.folder import RunFolder
from bench.matrix import Entry
from bench.progress import RunProgress, duration
from bench.records import SAMPLES, TRIALS, VARIANTS, RecordError, read_rows, read_run
from bench.variants import Variant, as_row, from_row


@dataclass(slots=True)
class Run:
    """A run under way: its folder, its plan, and what was measured so far."""

    folder: RunFolder
    header: dict[str, Any]
    """run.json."""
    entries: list[Entry]
    """What can run here."""
    progress: RunProgress
    cache: Path
    """For compiled code; its folder is this run's own."""
    trees: dict[str, Path] = field(default_factory=dict)
    """Where the code trees `base` and `head` lie; empty where one tree is measured."""
    worker: Sequence[str] = child.WORKER
    trials: list[dict[str, Any]] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    next_trial: int = 1

    @property
    def plan(self) -> dict[str, Any]:
        """The part of run.json that says what is to be measured."""
        return self.header["plan"]  # type: ignore[no-any-return] # a JSON object

    def left_s(self) -> float:
        """Seconds of the budget that are left; endless without a budget."""
        budget_s = self.plan["budget_s"]
        return float("inf") if budget_s is None else budget_s - (time.monotonic() - self.started)


def now() -> str:
    """The time as it stands in the files."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def resume(folder: Path, progress: RunProgress, cache: Path) -> Run:
    """The run of a folder, to be gone on with. RecordError where it can't be."""
    header = read_run(folder)
    opened, warnings = RunFolder.reopen(folder)
    for warning in warnings:
        progress.say(f"warning: {warning}")
    pilot_only = set(header["plan"]["pilot_only"])
    entries = [
        Entry(variant=from_row(row), pilot_only=row["variant_id"] in pilot_only)
        for row in read_rows(folder, VARIANTS)[0]
        if not row["excluded_reason"]
    ]
    run = Run(opened, header, entries, progress, cache)
    run.trials = [
        row | {"round": int(row["round"]), "duration_s": float(row["duration_s"] or 0)}
        for row in read_rows(folder, TRIALS)[0]
    ]
    # Samples without a trial's row were being written when the run was killed; their id stays theirs.
    ids = (row["trial_id"] for table in (TRIALS, SAMPLES) for row in read_rows(folder, table)[0])
    run.next_trial = 1 + max((int(trial_id[1:]) for trial_id in ids), default=0)
    return run


Flagged = list[dict[str, str]]
"""Cells that look changed: variant_id, scope, layer, phase and the word they were given."""


def execute(run: Run, after_pilot: Callable[[Path], None], flag: Callable[[Path], Flagged] | None = None) -> None:
    """Measure what is left of the run: pilot, then rounds. The folder is complete after each trial.

    `after_pilot` is called once with the folder. `flag` tells from the rounds which cells look changed; their
    variants are then measured in fresh rounds. Raises KeyboardInterrupt on Ctrl-C and on SIGTERM,
    RecordError where a file can't be written; both leave the folder ready to be gone on with.
    """
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        _set_status(run, "running", finished_at=None, ended_because=None)
        _pilot(run)
        after_pilot(run.folder.folder)
        ended_because = _measure(run, flag)
        _set_status(run, "complete", finished_at=now(), ended_because=ended_because)
        shutil.rmtree(run.cache, ignore_errors=True)
    except KeyboardInterrupt:
        for number in (signal.SIGINT, signal.SIGTERM):  # one is enough: end in peace
            signal.signal(number, signal.SIG_IGN)
        with contextlib.suppress(RecordError):  # the interrupt is what ended it
            _set_status(run, "interrupted", ended_because="interrupted")
        raise
    except BaseException:
        with contextlib.suppress(RecordError):  # likely the very reason
            _set_status(run, "failed", ended_because="an error")
        raise
    finally:
        run.progress.end()
        run.folder.close()
        signal.signal(signal.SIGTERM, previous)


def _interrupt(number: int, frame: object) -> None:  # noqa: ARG001 - a handler's signature
    raise KeyboardInterrupt


def _set_status(run: Run, status: str, **more: object) -> None:
    run.header |= {"status": status} | more
    run.folder.write_run(run.header)


def _pilot(run: Run) -> None:
    light = not run.plan["verdicts"]
    planned = plan.pilot_of_trees(run.entries) if run.trees else plan.pilot(run.entries, light=light)
    done = {(t["variant_id"], t["probes"], t["tree"]) for t in run.trials if t["stage"] == "pilot"}
    for index, trial in enumerate(planned):
        variant = trial.arm.variant
        if (variant.id, trial.probes, trial.arm.tree) in done or not _worth_piloting(run, trial):
            continue
        if run.left_s() <= 0:
            return
        left_s = _expected_s(run) * (len(planned) - index) + _rounds_expected_s(run)
        what = " ".join(filter(None, ("pilot", trial.arm.tree, variant.id, trial.probes)))
        run.progress.before(what, index, len(planned), left_s)
        counts = run.plan["counts"].get(variant.id, {})  # both trees take the same
        _take(run, trial, counts, limit_s=min(plan.time_limit_s(None), max(plan.LEAST_LIMIT_S, run.left_s())))


def _learn(run: Run, variant: Variant, reply: dict[str, Any], duration_s: float) -> None:
    """Keep what a pilot tells of the trials to come: step, duration, and how many steps to take."""
    walls = [s["value"] for s in reply["samples"] if s["scope"] == "step" and s["metric"] == "wall"]
    first_s = next(s["value"] for s in reply["samples"] if s["metric"] == "first_step")
    step_s = median(walls)
    compiling_s = first_s - step_s if variant.compile_mode != "eager" else 0.0
    run.plan["step_s"][variant.id] = step_s
    run.plan["trial_s"][variant.id] = max(duration_s - compiling_s, run.plan["trial_s"].get(variant.id, 0.0))
    run.plan["counts"][variant.id] = reply["counts"]
    run.folder.write_run(run.header)


def _worth_piloting(run: Run, trial: plan.Planned) -> bool:
    """Memory only of what ran, and not of what is very slow."""
    if trial.probes != "memory":
        return True
    variant_id = trial.arm.variant.id
    ran = any(t["variant_id"] == variant_id and t["status"] == "ok" for t in run.trials)
    return ran and run.plan["step_s"][variant_id] <= plan.MEMORY_STEP_S


def _measure(run: Run, flag: Callable[[Path], Flagged] | None) -> str:
    """Take the rounds that are left, and those that confirm; why they ended."""
    failed = {
        t["variant_id"] for t in run.trials if t["stage"] == "pilot" and t["status"] != "ok" and t["probes"] != "memory"
    }
    if run.trees:
        arms = plan.arms_of_trees(run.entries, failed)
    else:
        arms = plan.arms(run.entries, failed, twice=run.plan["verdicts"])
    run.plan["arms"] = [[arm.variant.id, arm.name] for arm in arms]
    run.folder.write_run(run.header)  # which arms make a round complete, should this process be killed
    ended_because = "rounds"
    if run.plan["flagged"] is None:
        ended_because = _rounds(run, "measure", arms, run.plan["rounds"])
    if flag is None:
        return ended_because
    if run.plan["flagged"] is None:
        run.plan["flagged"] = flag(run.folder.folder)
        run.folder.write_run(run.header)
    flagged = {cell["variant_id"] for cell in run.plan["flagged"]}
    if not flagged:
        return ended_because
    run.progress.say(f"{len(run.plan['flagged'])} cells look changed: {plan.CONFIRM_ROUNDS} fresh rounds decide")
    return _rounds(run, "confirm", [arm for arm in arms if arm.variant.id in flagged], plan.CONFIRM_ROUNDS)


def _rounds(run: Run, stage: str, arms: list[plan.Arm], wanted: int) -> str:
    """Take what is left of the wanted rounds of a stage, as far as the budget lets them; why they ended."""
    measured = [(t["round"], t["variant_id"], t["arm"]) for t in run.trials if t["stage"] == stage]
    wanted -= len(plan.complete_rounds([(arm.variant.id, arm.name) for arm in arms], measured))
    number = 1 + max((t["round"] for t in run.trials), default=0)
    round_s = sum(_trial_s(run, arm.variant) for arm in arms)
    if arms and wanted > 0:
        fit = plan.rounds_that_fit(run.left_s(), round_s, wanted)
        run.progress.say(
            f"{fit} of {wanted} rounds fit the budget: a round of {len(arms)} trials takes about {duration(round_s)}"
        )
    seen_s: list[float] = []
    while arms and wanted > 0:
        if plan.rounds_that_fit(run.left_s(), round_s, wanted) < 1:
            return "budget"
        began = time.monotonic()
        _round(run, plan.round_trials(arms, run.header["seed"], number, stage), round_s, wanted)
        seen_s.append(time.monotonic() - began)
        round_s = max(seen_s)  # what took long once may do so again
        number, wanted = number + 1, wanted - 1
    return "rounds"


def _round(run: Run, planned: list[plan.Planned], round_s: float, wanted: int) -> None:
    fit = plan.rounds_that_fit(run.left_s(), round_s, wanted)
    for index, trial in enumerate(planned):
        variant = trial.arm.variant
        left_s = round_s * (fit - index / len(planned))
        what = " ".join(filter(None, (f"round {trial.round}", trial.arm.name, trial.arm.tree, variant.id)))
        run.progress.before(what, index, len(planned), left_s)
        limit_s = plan.time_limit_s(_trial_s(run, variant))
        _take(run, trial, counts=run.plan["counts"][variant.id], limit_s=limit_s)


def _take(run: Run, trial: plan.Planned, counts: dict[str, int], limit_s: float) -> None:
    """Take one trial and write it down, whatever its outcome."""
    variant = trial.arm.variant
    request = {
        "task": "trial",
        "variant": as_row(variant),
        "probes": trial.probes,
        "counts": counts,
        "pilot_counts": run.plan["pilot_counts"],
        "inputs": run.header["inputs"],
        "seed": run.header["seed"],
        "tree": str(run.trees[trial.arm.tree]) if trial.arm.tree else None,
    }
    tcmalloc = run.header["environment"]["tcmalloc"] or ""
    variables = child.environment_of(variant, tcmalloc, run.cache)
    started_at, began = now(), time.monotonic()
    reply = child.ask(request, variables, limit_s, run.worker)
    duration_s = round(time.monotonic() - began, 3)
    row = {
        "trial_id": f"t{run.next_trial:05d}",
        "round": trial.round,
        "order": trial.order,
        "arm": trial.arm.name,
        "stage": trial.stage,
        "variant_id": variant.id,
        "probes": trial.probes,
        "tree": trial.arm.tree,
        "started_at": started_at,
        "duration_s": duration_s,
    }
    run.next_trial += 1
    try:
        # The plan first: a pilot whose row is written must have left what the rounds need of it.
        if trial.stage == "pilot" and trial.probes != "memory" and reply["status"] == "ok":
            _learn(run, variant, reply, duration_s)
        row = _record(run, trial, row, reply)
    except (ValueError, LookupError, TypeError) as error:
        reply = child.no_reply("error", f"the worker's reply is not what was asked: {error}")
        row = _record(run, trial, row, reply)
    run.trials.append(row)
    if reply["status"] != "ok":
        where = f"{variant.id} ({trial.arm.tree})" if trial.arm.tree else variant.id
        run.progress.say(f"{where}: {reply['status']}: {reply['reason']}")


def _record(run: Run, trial: plan.Planned, row: dict[str, Any], reply: dict[str, Any]) -> dict[str, Any]:
    """Write a trial with its samples; its row. ValueError where the reply's rows are none of these files."""
    whole: dict[str, Any] = row | {"status": reply["status"], "reason": reply["reason"]} | reply.get("state", {})
    mine = {"trial_id": row["trial_id"]}
    # What the layers are does not change from round to round: a trial that sees otherwise is invalid.
    facts = reply["layers"] if trial.stage == "pilot" else []
    run.folder.append_trial(
        whole,
        [mine | sample for sample in reply["samples"]],
        [mine | {"variant_id": row["variant_id"]} | layer for layer in facts],
    )
    return whole


def _trial_s(run: Run, variant: Variant) -> float:
    """What this variant's trial of steps should take, by its pilot, which alone compiled from nothing."""
    return float(run.plan["trial_s"].get(variant.id, plan.UNSEEN_TRIAL_S))


def _expected_s(run: Run) -> float:
    """What a trial of this run takes, by those seen."""
    return float(median([t["duration_s"] for t in run.trials] or [plan.UNSEEN_TRIAL_S]))


def _rounds_expected_s(run: Run) -> float:
    """What the rounds may take, as far as the budget lets them."""
    in_rounds = [entry.variant for entry in run.entries if not entry.pilot_only]
    return min(run.left_s(), int(run.plan["rounds"]) * sum(_trial_s(run, v) for v in in_rounds))
