"""A run under way, and how one trial of it is taken and written down."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from bench.core.header import Counts, Header, Plan
from bench.core.progress import RunProgress
from bench.core.variants import Variant, as_row
from bench.machine.environment import without_home
from bench.plan import schedule
from bench.plan.matrix import Entry
from bench.process import child
from bench.run.folder import RunFolder


@dataclass(slots=True)
class Run:
    """A run under way: its folder, its plan, and what was measured so far."""

    folder: RunFolder
    header: Header
    """run.json."""
    entries: list[Entry]
    """What can run here."""
    progress: RunProgress
    cache: Path
    """For compiled code; its folder is this run's own."""
    trees: dict[str, Path] = field(default_factory=dict)
    """Where the code trees `base` and `head` lie; empty where one tree is measured."""
    worker: Sequence[str] = child.WORKER
    libraries: Mapping[str, str] = field(default_factory=dict)
    """What variants load first, as this machine's loader finds it now."""
    trials: list[dict[str, Any]] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    next_trial: int = 1

    @property
    def plan(self) -> Plan:
        """The part of run.json that says what is to be measured."""
        return self.header.plan

    def left_s(self) -> float:
        """Seconds of the budget that are left; endless without a budget."""
        budget_s = self.plan.budget_s
        return float("inf") if budget_s is None else budget_s - (time.monotonic() - self.started)


def now() -> datetime:
    """The time to the second, as it stands in the files."""
    return datetime.now(UTC).replace(microsecond=0)


def take(
    run: Run,
    trial: schedule.Planned,
    counts: Counts | None,
    limit_s: float,
    batch: int | None = None,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Take one trial and write it down, whatever its outcome; the worker's reply.

    Without `counts` the trial finds out by itself how many steps it takes. `batch` stands for the variant's batch
    size where that is `max`; `more` is what else the request says.
    """
    variant = trial.arm.variant
    size = {} if batch is None else {"batch_size": str(batch)}
    request = {
        "task": "trial",
        "variant": as_row(variant) | size,
        "memory_limit_bytes": run.plan.limit_bytes(variant),
        "probes": trial.probes,
        "counts": msgspec.to_builtins(counts) or {},
        "pilot_counts": msgspec.to_builtins(run.plan.pilot_counts),
        "inputs": msgspec.to_builtins(run.header.inputs),
        "seed": run.header.seed,
    } | dict(more or {})
    variables = child.environment_of(variant, run.libraries, run.cache)
    started_at, began = now(), time.monotonic()
    reply = ask_in_tree(request, variables, limit_s, run.trees.get(trial.arm.tree), run.worker)
    duration_s = round(time.monotonic() - began, 3)
    if trial.stage == "pilot" and reply["status"] == "timeout" and run.left_s() <= 0:
        reply["reason"] += ", when the budget ended"
    if batch is not None and reply["status"] != "ok":
        reply["reason"] = f"batch {batch}: {reply['reason']}"
    row = {
        "trial_id": f"t{run.next_trial:05d}",
        "round": trial.round,
        "order": trial.order,
        "arm": trial.arm.name,
        "stage": trial.stage,
        "variant_id": variant.id,
        "probes": trial.probes,
        "tree": trial.arm.tree,
        "started_at": started_at.isoformat(),
        "duration_s": duration_s,
    }
    run.next_trial += 1
    try:
        # The plan first: a pilot whose row is written must have left what the rounds need of it.
        if trial.stage == "pilot" and reply["status"] == "ok":
            _learn(run, trial, reply, duration_s)
        row = _record(run, trial, row, reply)
    except (ValueError, LookupError, TypeError, msgspec.ValidationError) as error:
        reply = child.no_reply("error", f"the worker's reply is not what was asked: {error}")
        row = _record(run, trial, row, reply)
    run.trials.append(row)
    if reply["status"] != "ok":
        where = f"{variant.id} ({trial.arm.tree})" if trial.arm.tree else variant.id
        run.progress.say(f"{where}: {reply['status']}: {reply['reason']}")
    return reply


def ask_in_tree(
    request: dict[str, Any],
    variables: dict[str, str],
    limit_s: float,
    tree: Path | None,
    worker: Sequence[str] = child.WORKER,
) -> dict[str, Any]:
    """The reply of a worker that measures the code of a tree, in its folder; here where there is none."""
    if tree is None:
        return child.ask(request | {"tree": None}, variables, limit_s, worker)
    inputs = request["inputs"]
    if inputs["folder"]:
        inputs = inputs | {"folder": str(Path(inputs["folder"]).expanduser().resolve())}
    whole = request | {"tree": str(tree), "caller": str(Path.cwd()), "inputs": inputs}
    reply = child.ask(whole, child.of_tree(variables), limit_s, worker, tree)
    return reply | {"reason": reply["reason"].replace(without_home(str(tree)), tree.name).replace(str(tree), tree.name)}


def _record(run: Run, trial: schedule.Planned, row: dict[str, Any], reply: dict[str, Any]) -> dict[str, Any]:
    """Write a trial with its samples; its row. ValueError where the reply's rows are none of these files."""
    whole: dict[str, Any] = row | {"status": reply["status"], "reason": reply["reason"]} | reply.get("state", {})
    mine = {"trial_id": row["trial_id"]}
    # What the layers are does not change from round to round: the pilot tells it for all.
    facts = reply["layers"] if trial.stage == "pilot" else []
    run.folder.append_trial(
        whole,
        [mine | sample for sample in reply["samples"]],
        [mine | {"variant_id": row["variant_id"]} | layer for layer in facts],
    )
    return whole


def _learn(run: Run, trial: schedule.Planned, reply: dict[str, Any], duration_s: float) -> None:
    """Keep what a pilot's trial tells of those to come."""
    variant = trial.arm.variant
    if schedule.times_steps(trial.probes):
        _learn_steps(run, variant, reply, duration_s)
    elif trial.probes == "memory" and variant.compiled:
        # The first that found compiled code, as those to come will: they too trace, load and record.
        run.plan.trial_s[variant.id] = max(duration_s, run.plan.trial_s.get(variant.id, 0.0))
        run.folder.write_run(run.header)


def _learn_steps(run: Run, variant: Variant, reply: dict[str, Any], duration_s: float) -> None:
    """Keep what a pilot tells of the trials to come: step, duration, and how many steps to take."""
    walls = [s["value"] for s in reply["samples"] if s["scope"] == "step" and s["metric"] == "wall"]
    first_s = next(s["value"] for s in reply["samples"] if s["metric"] == "first_step")
    step_s = median(walls)
    compiling_s = first_s - step_s if variant.compiled else 0.0
    run.plan.step_s[variant.id] = step_s
    again_s = duration_s - compiling_s - reply.get("once_s", 0.0)
    run.plan.trial_s[variant.id] = max(again_s, run.plan.trial_s.get(variant.id, 0.0))
    run.plan.counts[variant.id] = msgspec.convert(reply["counts"], Counts)
    run.folder.write_run(run.header)
