"""A run that is there, to be gone on with or added to: what of it still holds on this machine and in this call.

What the run's files say of models, data and libraries is not followed: a model is imported only where this call names
it, data and libraries are looked for as in a first call.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.core.facts import Environment
from bench.core.header import Header, read_run
from bench.core.progress import RunProgress
from bench.core.records import RecordError, found_words
from bench.core.variants import UsageError, Variant
from bench.machine.environment import without_home
from bench.plan.choices import Choices, default_budget, parse_budget
from bench.plan.matrix import parse_axis
from bench.run.launch import resume
from bench.run.prepare.setup import environment, find_inputs, scratch_of, trees_of
from bench.run.trial import Run

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
    run = opened(choices, header, folder, shown)
    run.trees = trees_of(header, run.cache)
    if gone := [name for name, root in run.trees.items() if not root.is_dir()]:
        run.folder.close()
        msg = f"{folder}: the copy of its {gone[0]} is gone: begin a new run"
        raise RecordError(msg)
    run.plan.budget_s = budget_s
    run.plan.predicted_s = 0  # what was predicted of one sitting says nothing of two
    if choices.rounds and any(t["stage"] == "confirm" for t in run.trials):
        run.folder.close()
        msg = "the fresh rounds have begun: take back --rounds"
        raise UsageError(msg)
    run.plan.rounds = choices.rounds or run.plan.rounds
    return run


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
    run = resume(folder, shown, scratch_of(folder))
    try:
        variants = [entry.variant for entry in run.entries]
        check_models([v for v in variants if v.id in ids] or variants, named_models(choices))
        find_again(choices, run.header, shown)
    except BaseException:
        run.folder.close()
        raise
    run.libraries = here.libraries
    run.header.changed += differences(header.environment, here)
    return run


def named_models(choices: Choices) -> set[str]:
    """The models that a call names."""
    by_axis = [parse_axis(axis)[1] for axis in choices.axes]
    return {choices.model, *(str(value) for values in by_axis for value in values)}


def check_models(variants: list[Variant], named: set[str]) -> None:
    """UsageError where a run has a model of the user's own code that this call does not name, or the reverse."""
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


def find_again(choices: Choices, header: Header, shown: RunProgress) -> None:
    """Have the run fed by what this call finds; RecordError where that is other data than the run was begun with."""
    if header.inputs.shape is not None:
        if choices.data or choices.download:
            msg = "the run was begun with random images (--input): take back --data and --download"
            raise UsageError(msg)
        return
    inputs, data = find_inputs(choices)
    if (data.is_subset, data.train_images) != (header.data.is_subset, header.data.train_images):
        msg = (
            f"the run was begun with {found_words(header.data.name)}, and this call finds {data.name}: "
            "name its folder again by --data"
        )
        raise UsageError(msg)
    header.inputs = inputs
    shown.say(f"data: {data.name}")


def check_same(header: Header, folder: Path, shown: RunProgress, *, allowed: bool = False) -> Environment:
    """The environment now; RecordError where the run was begun in another one, or a line that says so if allowed."""
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
