"""Begins a new run: makes its folder and run.json from the options of a call."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from bench.core.axes.place import Machine, Unseen
from bench.core.exits import called
from bench.core.facts import Environment
from bench.core.header import Header, Learned, PilotCounts, Plan, SharedTask, State, Trees
from bench.core.home import without_home
from bench.core.progress import RunProgress
from bench.core.records import RecordError
from bench.core.variants import UsageError
from bench.machine.code import commit_of
from bench.machine.environment import machine
from bench.plan.choices import Choices
from bench.plan.matrix import Entry, on_kept
from bench.run.folder import RunFolder, already_there, variant_rows
from bench.run.prepare import trees
from bench.run.prepare.dry import DryRun
from bench.run.prepare.inputs import find_inputs, memory_limits
from bench.run.prepare.machine import environment, exclusions
from bench.run.prepare.scratch import own, prune, scratch_of
from bench.run.record import Run, now


def start(choices: Choices, entries: list[Entry], folder: Path, progress: RunProgress) -> Run:
    """A new run, with its folder made and its code trees copied and tried.

    Raises UsageError if an option can't be met, RecordError if a folder or a tree can't be used.
    """
    if folder.exists():
        raise RecordError(already_there(folder))
    scratch = scratch_of(folder)
    prune(scratch.parent)
    shutil.rmtree(scratch, ignore_errors=True)  # an earlier run's compiled code would make cold compiling warm
    try:
        return begun(choices, entries, folder, scratch, progress)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def begun(choices: Choices, entries: list[Entry], folder: Path, scratch: Path, progress: RunProgress) -> Run:
    """A new run. Its code trees and compiled code go to the empty scratch folder."""
    shared = None if choices.task_from_each else choices.task
    copied = trees.take(choices.base, scratch, shared) if choices.base else None
    described = environment()
    here = machine(described)
    entries = on_kept(entries, here) if choices.keeps_memory else entries
    reasons = exclusions(entries, here, of_task=choices.task is not None)
    lines = not_run(missed(entries, choices, here), reasons)
    if choices.kind != "run" and not choices.names_device and here.cuda.unseen:
        entries = [e for e in entries if not e.variant.on_cuda]  # the call did not ask for CUDA
    runnable = runnable_of(entries, reasons)
    header = new_header(choices, runnable, folder.name, described, copied)
    if copied and copied.task:
        lines.append(shared_words(copied.task))
    for line in lines:
        progress.say(line)
    roots = trees.folders(header, scratch)
    try_models(header, runnable, scratch, progress)
    opened = RunFolder.create(folder, header, variant_rows(entries, reasons))
    own(scratch, folder)
    progress.say(f"data: {header.data.name}")
    return Run(opened, header, runnable, progress, scratch, trees=roots, libraries=described.libraries)


def try_models(header: Header, runnable: list[Entry], scratch: Path, progress: RunProgress) -> None:
    """Tries each model, in each code tree if there are two.

    Raises UsageError if a model can't be measured, RecordError if it can't be in a tree.
    """
    variants, dry = [entry.variant for entry in runnable], DryRun.of(header, scratch)
    roots = trees.folders(header, scratch)
    for name, root in roots.items():
        dry.check_tree(f"{name} ({getattr(header.trees, name).name})", root, variants)
    if not roots:
        dry.check_models(variants, progress)


def shared_words(task: SharedTask) -> str:
    """That both trees have the task of the calling folder, and what to do if they should not."""
    also = "; the base had another one: --task-from-each takes each tree's own" if task.replaced else ""
    return f"both trees have the task as it is here, {task.file}, and what it imports as their own{also}"


def runnable_of(entries: list[Entry], reasons: dict[str, str]) -> list[Entry]:
    """The entries without a reason against them. Raises UsageError if there are none."""
    runnable = [entry for entry in entries if not reasons[entry.variant.id]]
    if not runnable:
        msg = f"no variant can run here: {'; '.join(sorted(set(reasons.values())))}"
        raise UsageError(msg)
    return runnable


def missed(entries: list[Entry], choices: Choices, here: Machine) -> list[Entry]:
    """The entries whose absence is worth a line. A call that names no device expects nothing of a missing GPU."""
    content = not choices.names_device and here.cuda.unseen is Unseen.NO_DRIVER
    return [entry for entry in entries if not (content and entry.variant.on_cuda)]


def not_run(entries: list[Entry], reasons: dict[str, str]) -> list[str]:
    """One line per reason that keeps variants from running here."""
    by_reason: dict[str, list[str]] = {}
    for entry in entries:
        if reason := reasons[entry.variant.id]:
            by_reason.setdefault(reason, []).append(entry.variant.id)
    return [f"not run, {reason}: {', '.join(ids)}" for reason, ids in by_reason.items()]


def new_header(
    choices: Choices, runnable: list[Entry], run_id: str, described: Environment, copied: Trees | None = None
) -> Header:
    """The run.json of a run that begins now. Raises UsageError if an option can't be met."""
    inputs, data = find_inputs(choices)
    return Header(
        kind=choices.kind,
        run_id=run_id,
        command=without_home(f"{called()} {shlex.join([*sys.argv[1:], *choices.configured])}"),
        seed=choices.weights_seed,
        order_seed=choices.draw_order_seed() if choices.kind != "profile" else None,
        preset=None if choices.variants or choices.kind != "run" else choices.known_preset,
        by_nox="NOX_CURRENT_SESSION" in os.environ,
        folder_commit=commit_of(Path.cwd()),
        started_at=now(),
        data=data,
        inputs=inputs,
        plan=Plan(
            rounds=choices.wanted_rounds,
            budget_s=choices.budget_s,
            verdicts=not choices.is_look,
            pilot_counts=PilotCounts(plain=1, stamped=1) if choices.is_look else PilotCounts(plain=3, stamped=2),
            pilot_only=[e.variant.id for e in runnable if e.pilot_only],
            memory_limit_bytes=memory_limits(choices, runnable, described),
            looks=choices.looks,
            finalists=choices.wanted_finalists,
            lockstep=choices.lockstep_kinds,
            delta=choices.wanted_delta,
            confirm=choices.confirm,
        ),
        learned=Learned(),
        state=State(status="running"),
        environment=described,
        trees=copied,
    )
