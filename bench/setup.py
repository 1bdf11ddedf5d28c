"""What a call of `bench run` asks for, made into a run: matrix, data, environment, run.json."""

import hashlib
import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import child, plan, trees
from bench.choices import DATA_CLASSES, Choices, default_budget, parse_budget, parse_shape, parse_size
from bench.environment import machine, without_home
from bench.fit import AVAILABLE_SHARE
from bench.folder import RunFolder, already_there
from bench.launch import resume
from bench.matrix import NO_CUDA, Entry, excluded_reason
from bench.progress import RunProgress, duration
from bench.records import SCHEMA_VERSION, RecordError, read_run
from bench.trial import Run, ask_in_tree, now
from bench.variants import UsageError, Variant, as_row

OWNER = "run"
"""The file of a scratch folder that names its run's folder."""
FIXED = (
    "preset", "device", "axes", "variants", "seed", "model", "shape", "classes", "data", "run_id", "base",
    "memory_limit",
)  # fmt: skip
"""Options that stay as a run was begun."""
SAME_MACHINE = ("cpu", "cores", "torch", "cuda_devices", "torch_threads")
"""What may not change between two parts of one run."""


def progress() -> RunProgress:
    """Where a run's progress is shown."""
    return RunProgress(Console())


def scratch_of(folder: Path) -> Path:
    """Where compiled code and code trees of this run are kept until it is complete."""
    from nin.data import cache_folder  # noqa: PLC0415 - imports torch

    path_hash = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
    return cache_folder() / "runs" / f"{folder.name}-{path_hash}"


def environment() -> dict[str, Any]:
    """The machine and its software, asked of a child: the parent itself never starts torch's threads."""
    variables = child.environment_of(Variant(), "", Path())
    reply = child.ask({"task": "environment"}, variables, limit_s=120)
    if reply["status"] != "ok":
        msg = f"torch can't be used here: {reply['reason']}"
        raise UsageError(msg)
    return dict(reply["environment"])


def find_inputs(choices: Choices) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the trials are fed (workload.Inputs), and how run.json describes it; UsageError if it is missing."""
    from nin.data import RANDOM_IMAGES, DataError, find, load  # noqa: PLC0415 - imports torch

    if choices.shape is not None:
        shape = parse_shape(choices.shape)
        inputs: dict[str, Any] = {"folder": None, "shape": shape, "classes": choices.classes}
        return inputs, {
            "name": f"seeded random images of {choices.shape}",
            "is_subset": False,
            "train_images": RANDOM_IMAGES,
        }
    if choices.classes != DATA_CLASSES:
        msg = "--classes goes with --input: Fashion-MNIST has 10"
        raise UsageError(msg)
    try:
        source = find(choices.data, download=choices.download)
        count = len(load(source, train=True))
    except DataError as error:
        raise UsageError(str(error)) from error
    inputs = {
        "folder": None if source.is_subset else without_home(str(source.folder)),
        "shape": None,
        "classes": DATA_CLASSES,
    }
    return inputs, {
        "name": source.name,
        "is_subset": source.is_subset,
        "train_images": count,
    }


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
        reasons = exclusions(entries, described)
        if choices.kind != "run" and choices.device == "all" and not choices.variants:
            entries = [e for e in entries if reasons[e.variant.id] != NO_CUDA]  # nobody asked for it
        runnable = runnable_of(entries, reasons)
        header = new_header(choices, runnable, folder.name, described) | ({"trees": taken} if taken else {})
        for name in taken:
            check_tree(name, scratch / name, runnable[0].variant, header)
        opened = RunFolder.create(folder, header, variant_rows(entries, reasons))
        scratch.mkdir(parents=True, exist_ok=True)
        (scratch / OWNER).write_text(str(folder.resolve()), encoding="utf-8")
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    shown.say(f"data: {header['data']['name']}")
    return Run(opened, header, runnable, shown, scratch, trees=trees_of(header, scratch))


def runnable_of(entries: list[Entry], reasons: dict[str, str]) -> list[Entry]:
    """The entries without a reason against them; UsageError where there are none."""
    runnable = [entry for entry in entries if not reasons[entry.variant.id]]
    if not runnable:
        msg = f"no variant can run here: {'; '.join(sorted(set(reasons.values())))}"
        raise UsageError(msg)
    return runnable


def new_header(choices: Choices, runnable: list[Entry], run_id: str, described: dict[str, Any]) -> dict[str, Any]:
    """run.json of a run that begins now; UsageError for options that can't be met."""
    budget_s = choices.budget_s
    inputs, data = find_inputs(choices)
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": choices.kind,
        "run_id": run_id,
        "command": without_home(shlex.join(["python", "-m", "bench", *sys.argv[1:]])),
        "seed": choices.seed,
        "preset": None if choices.variants or choices.kind != "run" else choices.preset,
        "status": "running",
        "started_at": now(),
        "finished_at": None,
        "ended_because": None,
        "data": data,
        "inputs": inputs,
        "plan": {
            "rounds": choices.wanted_rounds,
            "budget_s": budget_s,
            "verdicts": not choices.is_look,
            "pilot_counts": {"plain": 1, "stamped": 1} if choices.is_look else {"plain": 3, "stamped": 2},
            "pilot_only": [e.variant.id for e in runnable if e.pilot_only],
            "step_s": {},
            "trial_s": {},
            "counts": {},
            "arms": [],
            "flagged": None,
            "memory_limit_bytes": memory_limits(choices, described),
            "tried": {},
            "largest": {},
            "predicted_s": None,
        },
        "environment": described,
    }


def memory_limits(choices: Choices, described: dict[str, Any]) -> dict[str, int | None]:
    """By kind of device, the bytes under which the largest batch is sought; None for all that the device has."""
    if choices.memory_limit is not None:
        return dict.fromkeys(("cpu", "cuda"), parse_size(choices.memory_limit))
    available = described.get("memory_available_bytes")
    return {"cpu": available and int(AVAILABLE_SHARE * available), "cuda": None}


def prune(scratches: Path) -> None:
    """Remove what runs left here whose own folder is gone: nobody can go on with them."""
    for owner in scratches.glob(f"*/{OWNER}"):
        if not Path(owner.read_text(encoding="utf-8")).is_dir():
            shutil.rmtree(owner.parent, ignore_errors=True)


def trees_of(header: dict[str, Any], scratch: Path) -> dict[str, Path]:
    """Where the code trees of a run lie; empty where it has none."""
    return {name: scratch / name for name in header.get("trees", {})}


def check_tree(name: str, root: Path, variant: Variant, header: dict[str, Any]) -> None:
    """Build the variant's workload from a tree; RecordError where that fails."""
    request = {
        "task": "trial", "variant": as_row(variant), "probes": "build", "inputs": header["inputs"],
        "seed": header["seed"],
    }  # fmt: skip
    tcmalloc = header["environment"]["tcmalloc"] or ""
    variables = child.environment_of(variant, tcmalloc, root.parent)
    reply = ask_in_tree(request, variables, limit_s=120, tree=root)
    if reply["status"] != "ok":
        tree = header["trees"][name]
        msg = f"{name} ({tree['name']}) can't be measured: {reply['reason']}"
        raise RecordError(msg)


def go_on(choices: Choices, folder: Path, shown: RunProgress) -> Run:
    """A run that was interrupted, under the budget (and, if given, the rounds) of this call.

    UsageError for options that can't be met, RecordError for a folder that can't be gone on with.
    """
    if changed := [name for name in FIXED if getattr(choices, name) != getattr(Choices(), name)]:
        msg = f"--resume goes on with the run as it was begun: take back {', '.join(changed)}"
        raise UsageError(msg)
    header = read_run(folder)
    budget_s = parse_budget(choices.budget or default_budget(header["preset"]))
    if (kind := header["kind"]) != choices.kind:
        way = f"profile {folder}" if kind == "profile" else f"{kind} --resume"
        msg = f"{folder} was begun by {kind}: go on with python -m bench {way}"
        raise UsageError(msg)
    check_machine(header["environment"], folder, shown)
    scratch = scratch_of(folder)
    kept = trees_of(header, scratch)
    if gone := [name for name, root in kept.items() if not root.is_dir()]:
        msg = f"{folder}: the copy of its {gone[0]} is gone: begin a new run"
        raise RecordError(msg)
    run = resume(folder, shown, scratch)
    run.trees = kept
    run.plan["budget_s"] = budget_s
    run.plan["predicted_s"] = 0  # what was predicted of one sitting says nothing of two
    if choices.rounds and any(t["stage"] == "confirm" for t in run.trials):
        run.folder.close()
        msg = "the fresh rounds have begun: take back --rounds"
        raise UsageError(msg)
    if choices.rounds:
        run.plan["rounds"] = choices.rounds
    return run


def check_machine(begun: dict[str, Any], folder: Path, shown: RunProgress) -> None:
    """RecordError where a run was begun on another machine or software; a warning where at another commit."""
    here = environment()
    if other := [name for name in SAME_MACHINE if begun.get(name) != here.get(name)]:
        told = "; ".join(f"{name} was {begun.get(name)}, is {here.get(name)}" for name in other)
        msg = f"{folder}: begun on another machine or software ({told}): begin a new run"
        raise RecordError(msg)
    if begun.get("commit") != here.get("commit"):
        shown.say(f"warning: the run was begun at commit {begun.get('commit')}, this is {here.get('commit')}")


def add_to(choices: Choices, folder: Path, shown: RunProgress) -> Run:
    """A run as it is, to which traces are added.

    UsageError for options that the run has already decided, RecordError for a folder that can't be added to.
    """
    if changed := [n for n in FIXED if n not in ("variants", "axes") and getattr(choices, n) != getattr(Choices(), n)]:
        msg = f"profile takes a run's variants as they were measured: take back {', '.join(changed)}"
        raise UsageError(msg)
    header = read_run(folder)
    if header["kind"] == "ab":
        msg = f"{folder}: an ab measured two code trees; profile measures one: name a run of bench run, or none"
        raise RecordError(msg)
    check_machine(header["environment"], folder, shown)
    return resume(folder, shown, scratch_of(folder))


def exclusions(entries: Iterable[Entry], described: dict[str, Any]) -> dict[str, str]:
    """Why each variant can't run here, by id; empty where it can."""
    here = machine(described)
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


def describe(choices: Choices, entries: list[Entry]) -> str:
    """The matrix in lines: what runs in rounds, what in the pilot alone, what not and why, how long."""
    reasons = exclusions(entries, environment())
    runnable = [entry for entry in entries if not reasons[entry.variant.id]]
    lines = []
    for entry in entries:
        reason = reasons[entry.variant.id]
        note = f"excluded: {reason}" if reason else "pilot only" if entry.pilot_only else ""
        role = "baseline" if entry.variant.is_baseline else "notebook's loop" if entry.variant.is_notebook else ""
        lines.append("  ".join(filter(None, (f"{entry.variant.id:52}", role, note))).rstrip())
    rounds = choices.wanted_rounds
    arms = plan.arms(runnable, set(), twice=not choices.is_look)
    trials = len(plan.pilot(runnable, light=choices.is_look)) + rounds * len(arms)
    expected_s = trials * plan.UNSEEN_TRIAL_S
    budget_s = choices.budget_s
    limit = "" if budget_s is None else f", at most {duration(budget_s)} (--budget)"
    lines.append(
        f"{len(runnable)} of {len(entries)} variants run here; {rounds} rounds of {len(arms)} arms and the pilot "
        f"are {trials} trials: about {duration(expected_s)} before any is measured{limit}"
    )
    return "\n".join(lines)
