"""A run that is there, to be gone on with or added to: what of it still holds on this machine and in this call.

What the run's files say of models, data and libraries is not followed: a model is imported only where this call names
it, data and libraries are looked for as in a first call.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

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

SAME = ("cpu", "cores", "cpu_quota", "memory_limit_bytes", "torch", "cuda_devices", "torch_threads", "code")
"""What may not change between two parts of one run, unless the user allows it."""


def go_on(choices: Choices, folder: Path, shown: RunProgress) -> Run:
    """A run that was interrupted, under the budget (and, if given, the rounds) of this call.

    UsageError for options that can't be met, RecordError for a folder that can't be gone on with.
    """
    refuse_axes(choices)
    header = read_run(folder)
    budget_s = parse_budget(choices.budget or default_budget(header.preset))
    if header.kind != choices.kind:
        way = f"profile {folder}" if header.kind == "profile" else f"{header.kind} --resume"
        msg = f"{folder} was begun by {header.kind}: go on with python -m bench {way}"
        raise UsageError(msg)
    # What was predicted of one sitting says nothing of two.
    again = replace(
        header,
        plan=replace(header.plan, budget_s=budget_s, rounds=choices.rounds or header.plan.rounds),
        learned=replace(header.learned, predicted_s=0),
    )
    run = opened(choices, again, folder, shown)
    try:
        check_rounds(choices, run)
        run.trees = trees_of(run)
    except BaseException:
        run.folder.close()
        raise
    return run


def check_rounds(choices: Choices, run: Run) -> None:
    """UsageError for --rounds where those that they would add to are over."""
    if choices.rounds and any(trial.stage == "confirm" for trial in run.trials):
        msg = "the fresh rounds have begun: take back --rounds"
        raise UsageError(msg)


def trees_of(run: Run) -> dict[str, Path]:
    """Where the code trees of a run lie; RecordError if one is gone."""
    roots = trees.folders(run.header, run.cache)
    if gone := [name for name, root in roots.items() if not root.is_dir()]:
        msg = f"{run.folder.folder}: the copy of its {gone[0]} is gone: begin a new run"
        raise RecordError(msg)
    return roots


def add_to(choices: Choices, folder: Path, shown: RunProgress, ids: Sequence[str] = ()) -> Run:
    """A run as it is, to which traces of the variants with these ids are added; of all without any.

    UsageError for options that the run has already decided, RecordError for a folder that can't be added to.
    """
    header = read_run(folder)
    if header.kind == "ab":
        msg = f"{folder}: an ab measured two code trees; profile measures one: name a run of bench run, or none"
        raise RecordError(msg)
    return opened(choices, header, folder, shown, ids)


def refuse_axes(choices: Choices) -> None:
    """UsageError for an axis that a run has already decided: the models alone are named again."""
    if decided := [axis for axis in choices.axes if parse_axis(axis)[0] != "model"]:
        msg = f"--resume goes on with the run as it was begun: take back --axis {', '.join(decided)}"
        raise UsageError(msg)


def opened(choices: Choices, header: Header, folder: Path, shown: RunProgress, ids: Sequence[str] = ()) -> Run:
    """The run, with models, data and libraries as this call and this machine have them.

    `ids` are the variants whose models are needed; all without any.
    """
    here = check_same(header, folder, shown, allowed=choices.allow_changed)
    variants = runnable_variants(read_variants(folder))
    check_models([v for v in variants if v.id in ids] or variants, named_models(choices))
    changed = header.state.changed + differences(header.environment, here)
    again = replace(header, inputs=inputs_again(choices, header, shown), state=replace(header.state, changed=changed))
    run = resume(folder, again, shown, scratch_of(folder))
    run.libraries = here.libraries
    return run


def named_models(choices: Choices) -> set[str]:
    """The models that a call names."""
    by_axis = [parse_axis(axis)[1] for axis in choices.axes]
    return {choices.model, *(str(value) for values in by_axis for value in values)}


def check_models(variants: list[Variant], named: set[str]) -> None:
    """UsageError if a run has a model of the user's own code that this call does not name, or the reverse."""
    own = {variant.model for variant in variants if variant.is_own_model}
    if foreign := sorted(named - {variant.model for variant in variants} - {"nin"}):
        msg = f"the run has no model {foreign[0]}: take back --model, or the axis, that names it"
        raise UsageError(msg)
    if missing := sorted(own - named):
        msg = (
            f"the run has the model {found_words(missing[0])}, which is code: name it again, "
            "by --model or --axis model=..., so that it is imported"
        )
        raise UsageError(msg)


def inputs_again(choices: Choices, header: Header, shown: RunProgress) -> Inputs:
    """What the run is fed, as this call finds it; UsageError if that is other data than the run was begun with."""
    if header.inputs.shape is not None:
        if choices.data or choices.download:
            msg = "the run was begun with random images (--input): take back --data and --download"
            raise UsageError(msg)
        return header.inputs
    inputs, data = find_inputs(choices)
    if (data.is_subset, data.train_images) != (header.data.is_subset, header.data.train_images):
        msg = (
            f"the run was begun with {found_words(header.data.name)}, and this call finds {data.name}: "
            "name its folder again by --data"
        )
        raise UsageError(msg)
    shown.say(f"data: {data.name}")
    return inputs


def check_same(header: Header, folder: Path, shown: RunProgress, *, allowed: bool = False) -> Environment:
    """The environment now; RecordError if the run was begun in another one, or a line that says so if allowed."""
    here = environment()
    if told := "; ".join(differences(header.environment, here)):
        if not allowed:
            msg = f"{folder}: begun elsewhere ({told}): begin a new run, or mix the two by --allow-changed"
            raise RecordError(msg)
        shown.say(f"warning: the run was begun elsewhere ({told})")
    return here


def differences(begun: Environment, here: Environment) -> list[str]:
    """What differs of machine, software and code, in words."""
    names = [name for name in SAME if name != "code" or None not in (begun.code, here.code)]
    if "code" not in names:
        names.append("commit")  # a run of before the code was told by its own digest
    pairs = [(name, getattr(begun, name), getattr(here, name)) for name in names]
    return [without_home(f"{name} was {told(a)}, is {told(b)}") for name, a, b in pairs if a != b]


def told(value: object) -> str:
    """A fact as it may stand in a line."""
    return found_words(msgspec.to_builtins(value))
