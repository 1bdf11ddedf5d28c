"""Opens a run to resume it or to add to it, after a check that this machine and this call fit it.

The run's files do not decide about models, data and libraries. A model is imported only if this call names it; data
and libraries are looked for as in a first call.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from bench.core.axes.model import without_settings
from bench.core.exits import called
from bench.core.facts import Environment
from bench.core.header import Header, Inputs, read_run
from bench.core.home import without_home
from bench.core.progress import RunProgress
from bench.core.reading import read_variants
from bench.core.records import RecordError, found_words
from bench.core.variants import UsageError, Variant, runnable_variants
from bench.plan.choices import Choices, default_budget, parse_budget
from bench.plan.matrix import parse_axis
from bench.run.prepare import trees
from bench.run.prepare.inputs import find_inputs
from bench.run.prepare.machine import environment
from bench.run.prepare.scratch import scratch_of
from bench.run.record import Run, resume

SAME = (
    "cpu",
    "cores",
    "cpu_quota",
    "memory_limit_bytes",
    "torch",
    "cuda_devices",
    "accelerators",
    "torch_threads",
    "code",
)
"""The facts that may not change between two parts of one run, unless the user allows it."""


def go_on(choices: Choices, folder: Path, progress: RunProgress) -> Run:
    """A run that was interrupted, with this call's budget and, if given, rounds.

    Raises UsageError if an option can't be met, RecordError if the folder can't be resumed.
    """
    refuse_axes(choices)
    header = read_run(folder)
    budget_s = parse_budget(choices.budget or default_budget(header.preset))
    if header.kind != choices.kind:
        way = f"profile {folder}" if header.kind == "profile" else f"{header.kind} --resume"
        msg = f"{folder} was begun by {header.kind}: go on with {called()} {way}"
        raise UsageError(msg)
    # The prediction was for one uninterrupted run.
    again = replace(
        header,
        plan=replace(header.plan, budget_s=budget_s, rounds=choices.rounds or header.plan.rounds),
        learned=replace(header.learned, predicted_s=0),
    )
    run = opened(choices, again, folder, progress)
    try:
        check_rounds(choices, run)
        run.trees = trees_of(run)
    except BaseException:
        run.folder.close()
        raise
    return run


def check_rounds(choices: Choices, run: Run) -> None:
    """Raises UsageError for --rounds if the first rounds, to which it would add, are over."""
    if choices.rounds and any(trial.stage == "confirm" for trial in run.trials):
        msg = "the fresh rounds have begun: take back --rounds"
        raise UsageError(msg)


def trees_of(run: Run) -> dict[str, Path]:
    """The folders of a run's code trees. Raises RecordError if one is gone."""
    roots = trees.folders(run.header, run.cache)
    if gone := [name for name, root in roots.items() if not root.is_dir()]:
        msg = f"{run.folder.folder}: the copy of its {gone[0]} is gone: begin a new run"
        raise RecordError(msg)
    return roots


def add_to(choices: Choices, folder: Path, progress: RunProgress, ids: Sequence[str] = ()) -> Run:
    """A run to which traces are added, of the variants with these ids, or of all if there are none.

    Raises UsageError if the run has already decided an option, RecordError if nothing can be added to the folder.
    """
    header = read_run(folder)
    if header.kind == "ab":
        msg = f"{folder}: an ab measured two code trees; profile measures one: name a run of bench run, or none"
        raise RecordError(msg)
    return opened(choices, header, folder, progress, ids)


def refuse_axes(choices: Choices) -> None:
    """Raises UsageError for an axis that the run has already decided: only models are named again."""
    if decided := [axis for axis in choices.axes if parse_axis(axis)[0] != "model"]:
        msg = f"--resume goes on with the run as it was begun: take back --axis {', '.join(decided)}"
        raise UsageError(msg)


def opened(choices: Choices, header: Header, folder: Path, progress: RunProgress, ids: Sequence[str] = ()) -> Run:
    """The run with the models, data and libraries of this call and this machine.

    `ids` are the variants whose models are needed; without ids, all are.
    """
    here = check_same(header, folder, progress, allowed=choices.allow_changed)
    variants = runnable_variants(read_variants(folder))
    check_models([v for v in variants if v.id in ids] or variants, named_models(choices))
    changed = header.state.changed + differences(header.environment, here)
    inputs = inputs_again(choices, header, progress)
    again = replace(header, inputs=inputs, state=replace(header.state, changed=changed))
    run = resume(folder, again, progress, scratch_of(folder))
    run.libraries = here.libraries
    return run


def named_models(choices: Choices) -> set[str]:
    """The models that a call names."""
    by_axis = [parse_axis(axis)[1] for axis in choices.axes]
    return {choices.trained, *(str(value) for values in by_axis for value in values)}


def check_models(variants: list[Variant], named: set[str]) -> None:
    """Raises UsageError if the run has a model of the user's own code that this call does not name, or the reverse."""
    own = {without_settings(variant.model) for variant in variants if variant.is_own_model}
    named = {without_settings(name) for name in named}
    if foreign := sorted(named - {without_settings(variant.model) for variant in variants} - {"nin"}):
        msg = f"the run has no model {foreign[0]}: take back --model, --task or the axis that names it"
        raise UsageError(msg)
    if missing := sorted(own - named):
        msg = (
            f"the run has the model {found_words(missing[0])}, which is code: name it again, "
            "by --task, --model or --axis model=..., so that it is imported"
        )
        raise UsageError(msg)


def inputs_again(choices: Choices, header: Header, progress: RunProgress) -> Inputs:
    """The run's data, as this call finds it. Raises UsageError if it is not the data that the run began with."""
    if header.inputs.shape is not None:
        if choices.data or choices.download:
            msg = "the run was begun with random images (--input): take back --data and --download"
            raise UsageError(msg)
        return header.inputs
    if header.inputs.task:
        return header.inputs
    inputs, data = find_inputs(choices)
    if (data.is_subset, data.train_images) != (header.data.is_subset, header.data.train_images):
        msg = (
            f"the run was begun with {found_words(header.data.name)}, and this call finds {data.name}: "
            "name its folder again by --data"
        )
        raise UsageError(msg)
    progress.say(f"data: {data.name}")
    return inputs


def check_same(header: Header, folder: Path, progress: RunProgress, *, allowed: bool = False) -> Environment:
    """The environment now. Raises RecordError if the run began in another one; if that is allowed, prints a warning."""
    here = environment()
    if changes := "; ".join(differences(header.environment, here)):
        if not allowed:
            msg = f"{folder}: begun elsewhere ({changes}): begin a new run, or mix the two by --allow-changed"
            raise RecordError(msg)
        progress.say(f"warning: the run was begun elsewhere ({changes})")
    return here


def differences(begun: Environment, here: Environment) -> list[str]:
    """The differences of machine, software and code in words."""
    names = [name for name in SAME if name != "code" or None not in (begun.code, here.code)]
    if "code" not in names:
        names.append("commit")  # a run from before the code had a digest of its own
    pairs = [(name, getattr(begun, name), getattr(here, name)) for name in names]
    return [without_home(f"{name} was {fact_words(a)}, is {fact_words(b)}") for name, a, b in pairs if a != b]


def fact_words(value: object) -> str:
    """A fact for one line of a message."""
    return found_words(None if value is msgspec.UNSET else msgspec.to_builtins(value))
