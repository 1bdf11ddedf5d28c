"""What a call of `bench run` asks for, made into a run: matrix, data, environment, run.json."""

import hashlib
import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from bench.core import home
from bench.core.axes.place import Machine, Unseen
from bench.core.facts import Environment
from bench.core.header import Data, Header, Inputs, MemoryLimits, PilotCounts, Plan, Trees
from bench.core.progress import RunProgress, duration
from bench.core.records import TREES, RecordError
from bench.core.text import MOST_OF_A_REASON, shortened
from bench.core.variants import LARGEST, UsageError, Variant, as_row
from bench.machine.environment import cpu_quota, machine, without_home
from bench.plan import schedule
from bench.plan.choices import DATA_CLASSES, Choices, parse_shape, parse_size
from bench.plan.fit import AVAILABLE_SHARE
from bench.plan.matrix import Entry, excluded_reason
from bench.process import child
from bench.run.folder import RunFolder, already_there
from bench.run.prepare import trees
from bench.run.prepare.dry import ASK_LIMIT_S, Dry
from bench.run.trial import Run, now

OWNER = "run"
"""The file of a scratch folder that names its run's folder."""


def progress() -> RunProgress:
    """Where a run's progress is shown."""
    return RunProgress(Console())


def scratch_of(folder: Path) -> Path:
    """Where compiled code and code trees of this run are kept until it is complete; UsageError where nothing can be."""
    path_hash = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
    return home.cache() / "runs" / f"{folder.name}-{path_hash}"


def environment() -> Environment:
    """The machine and its software, asked of a child: the parent itself never starts torch's threads.

    UsageError where torch can't be used, or no temporary file can be written.
    """
    home.temporary()
    variables = child.environment_of(Variant(), {}, Path())
    limit_s = ASK_LIMIT_S * schedule.patience(cpu_quota())
    reply = child.ask({"task": "environment"}, variables, limit_s)
    if reply["status"] != "ok":
        msg = f"torch can't be used here: {reply['reason']}"
        raise UsageError(msg)
    return msgspec.convert(reply["environment"], Environment)


def find_inputs(choices: Choices) -> tuple[Inputs, Data]:
    """What the trials are fed, and how run.json describes it; UsageError if it is missing."""
    from nin.data import RANDOM_IMAGES, DataError, find, load  # noqa: PLC0415 - imports torch

    if choices.shape is not None:
        name = f"seeded random images of {choices.shape}"
        inputs = Inputs(folder=None, shape=parse_shape(choices.shape), classes=choices.classes)
        return inputs, Data(name=name, is_subset=False, train_images=RANDOM_IMAGES)
    if choices.classes != DATA_CLASSES:
        msg = "--classes goes with --input: Fashion-MNIST has 10"
        raise UsageError(msg)
    try:
        source = find(choices.data, download=choices.download)
        count = len(load(source, train=True))
    except DataError as error:
        raise UsageError(str(error)) from error
    folder = None if source.is_subset else without_home(str(source.folder))
    inputs = Inputs(folder=folder, shape=None, classes=DATA_CLASSES)
    return inputs, Data(name=source.name, is_subset=source.is_subset, train_images=count)


def start(choices: Choices, entries: list[Entry], folder: Path, shown: RunProgress) -> Run:
    """A new run with its folder made, its code trees copied and tried.

    UsageError for options that can't be met, RecordError for a folder or a tree that can't be used.
    """
    if folder.exists():
        raise RecordError(already_there(folder))
    scratch = scratch_of(folder)
    prune(scratch.parent)
    shutil.rmtree(scratch, ignore_errors=True)  # a run of this name before: its code would make cold compiling warm
    try:
        taken = trees.take(choices.base, scratch) if choices.base else {}
        described = environment()
        here = machine(described)
        reasons = exclusions(entries, here)
        lines = not_run(told_of(entries, choices, here), reasons)
        if choices.kind != "run" and not choices.names_device and here.cuda.unseen:
            entries = [e for e in entries if not e.variant.on_cuda]  # nobody asked for it
        runnable = runnable_of(entries, reasons)
        header = new_header(choices, runnable, folder.name, described)
        for line in lines:
            shown.say(line)
        header.trees = msgspec.convert(taken, Trees) if taken else None
        run_trees = trees_of(header, scratch)
        variants, dry = [entry.variant for entry in runnable], dry_of(header, scratch)
        for name, root in run_trees.items():
            dry.check_tree(f"{name} ({taken[name]['name']})", root, variants)
        if not run_trees:
            dry.check_models(variants, shown)
        opened = RunFolder.create(folder, header, variant_rows(entries, reasons))
        scratch.mkdir(parents=True, exist_ok=True)
        (scratch / OWNER).write_text(str(folder.resolve()), encoding="utf-8")
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    shown.say(f"data: {header.data.name}")
    return Run(opened, header, runnable, shown, scratch, trees=run_trees, libraries=described.libraries)


def runnable_of(entries: list[Entry], reasons: dict[str, str]) -> list[Entry]:
    """The entries without a reason against them; UsageError where there are none."""
    runnable = [entry for entry in entries if not reasons[entry.variant.id]]
    if not runnable:
        msg = f"no variant can run here: {'; '.join(sorted(set(reasons.values())))}"
        raise UsageError(msg)
    return runnable


def told_of(entries: list[Entry], choices: Choices, here: Machine) -> list[Entry]:
    """The entries of which it is told why they can't run: who names no device is content where there is no GPU."""
    content = not choices.names_device and here.cuda.unseen is Unseen.NO_DRIVER
    return [entry for entry in entries if not (content and entry.variant.on_cuda)]


def not_run(entries: list[Entry], reasons: dict[str, str]) -> list[str]:
    """A line for each reason that keeps variants from running here."""
    found: dict[str, list[str]] = {}
    for entry in entries:
        if reason := reasons[entry.variant.id]:
            found.setdefault(reason, []).append(entry.variant.id)
    return [f"not run, {reason}: {', '.join(ids)}" for reason, ids in found.items()]


def new_header(choices: Choices, runnable: list[Entry], run_id: str, described: Environment) -> Header:
    """run.json of a run that begins now; UsageError for options that can't be met."""
    inputs, data = find_inputs(choices)
    return Header(
        kind=choices.kind,
        run_id=run_id,
        command=without_home(shlex.join(["python", "-m", "bench", *sys.argv[1:]])),
        seed=choices.weights_seed,
        order_seed=choices.draw_order_seed() if choices.kind != "profile" else None,
        preset=None if choices.variants or choices.kind != "run" else choices.known_preset,
        by_nox="NOX_CURRENT_SESSION" in os.environ,
        status="running",
        started_at=now(),
        finished_at=None,
        ended_because=None,
        data=data,
        inputs=inputs,
        plan=Plan(
            rounds=choices.wanted_rounds,
            budget_s=choices.budget_s,
            verdicts=not choices.is_look,
            pilot_counts=PilotCounts(plain=1, stamped=1) if choices.is_look else PilotCounts(plain=3, stamped=2),
            pilot_only=[e.variant.id for e in runnable if e.pilot_only],
            memory_limit_bytes=memory_limits(choices, runnable, described),
        ),
        environment=described,
    )


def memory_limits(choices: Choices, runnable: list[Entry], described: Environment) -> MemoryLimits:
    """By kind of device, the bytes under which the largest batch is sought; None for all that the device has.

    UsageError where a limit is given and no variant has the largest batch.
    """
    if choices.memory_limit is not None:
        if all(entry.variant.batch_size != LARGEST for entry in runnable):
            msg = "--memory-limit bounds the largest batch: add --axis batch_size=max, or name a variant with bmax"
            raise UsageError(msg)
        size = parse_size(choices.memory_limit)
        return {"cpu": size, "cuda": size}
    available = described.memory_available_bytes
    return {"cpu": available and int(AVAILABLE_SHARE * available), "cuda": None}


def prune(scratches: Path) -> None:
    """Remove what runs left here whose own folder is gone: nobody can go on with them."""
    for owner in scratches.glob(f"*/{OWNER}"):
        if not Path(owner.read_text(encoding="utf-8")).is_dir():
            shutil.rmtree(owner.parent, ignore_errors=True)


def trees_of(header: Header, scratch: Path) -> dict[str, Path]:
    """Where the code trees of a run lie; empty where it has none."""
    return {name: scratch / name for name in TREES} if header.trees else {}


def dry_of(header: Header, cache: Path) -> Dry:
    """What tries the models of a run on what it is fed."""
    return Dry(inputs=header.inputs, seed=header.seed, environment=header.environment, cache=cache)


def try_again(run: Run, ids: Sequence[str]) -> None:
    """UsageError, and the run closed, where a model of these variants of a run can't be measured (any more).

    A code tree is not tried again: it is a copy, and stays as it was.
    """
    try:
        if not run.trees:
            needed = [entry.variant for entry in run.entries if entry.variant.id in ids]
            dry_of(run.header, run.cache).check_models(needed, run.progress)
    except BaseException:
        run.folder.close()
        raise


def exclusions(entries: Iterable[Entry], here: Machine) -> dict[str, str]:
    """Why each variant can't run here, by id; empty where it can."""
    return {entry.variant.id: excluded_reason(entry.variant, here) for entry in entries}


def variant_rows(entries: Iterable[Entry], reasons: dict[str, str]) -> list[dict[str, object]]:
    """The rows of variants.csv."""
    return [
        {
            "variant_id": entry.variant.id,
            **as_row(entry.variant),
            "baseline": entry.variant.is_baseline,
            "excluded_reason": reasons[entry.variant.id],
        }
        for entry in entries
    ]


def listed(choices: Choices, described: Environment) -> Dry:
    """What tries the models of `list`, without the data, whose images have the subset's shape."""
    shape = None if choices.shape is None else parse_shape(choices.shape)
    inputs = Inputs(folder=None, shape=shape, classes=choices.classes)
    return Dry(inputs=inputs, seed=choices.weights_seed, environment=described, cache=Path())


def describe(choices: Choices, entries: list[Entry]) -> str:
    """The matrix in lines: what runs in rounds, what in the pilot alone, what not and why, how long."""
    described = environment()
    reasons = exclusions(entries, machine(described))
    variants = [entry.variant for entry in entries if not reasons[entry.variant.id]]
    failing = dict(listed(choices, described).failing(variants))
    reasons |= {variant.id: failing.get(variant.model, "") for variant in variants}
    runnable = [entry for entry in entries if not reasons[entry.variant.id]]
    lines = []
    for entry in entries:
        reason = shortened(reasons[entry.variant.id], MOST_OF_A_REASON)
        note = f"excluded: {reason}" if reason else "pilot only" if entry.pilot_only else ""
        role = "baseline" if entry.variant.is_baseline else "notebook's loop" if entry.variant.is_notebook else ""
        shown = shortened(entry.variant.id, MOST_OF_A_REASON)
        lines.append("  ".join(filter(None, (f"{shown:52}", role, note))).rstrip())
    rounds = choices.wanted_rounds
    arms = schedule.arms(runnable, set(), twice=not choices.is_look)
    light = schedule.light(verdicts=not choices.is_look, budget_s=choices.budget_s)
    trials = len(schedule.pilot(runnable, light=light)) + rounds * len(arms)
    expected_s = trials * schedule.UNSEEN_TRIAL_S * schedule.patience(described.cpu_quota)
    budget_s = choices.budget_s
    limit = "" if budget_s is None else f", at most {duration(budget_s)} (--budget)"
    lines.append(
        f"{len(runnable)} of {len(entries)} variants run here; {rounds} rounds of {len(arms)} arms and the pilot "
        f"are {trials} trials: about {duration(expected_s)} before any is measured{limit}"
    )
    return "\n".join(lines)
