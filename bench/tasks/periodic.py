"""What a task does once in many steps, such as an evaluation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from bench.tasks.find import described
from bench.tasks.task import Task, TaskError

MOST_NAME = 100


@dataclass(frozen=True, slots=True)
class Periodic:
    """Work that a training does once in some steps."""

    name: str
    steps: int
    call: Callable[[], Any]


def periodic_of(task: Task, model: nn.Module, name: str) -> list[Periodic]:
    """What a task says that it does once in many steps. Raises TaskError if `periodic(model)` fails or says it wrong.

    Nothing of it is called.
    """
    try:
        declared: object = task.periodic(model)
    except Exception as error:
        msg = f"task {name}: periodic(model) fails: {described(error)}"
        raise TaskError(msg) from error
    if not isinstance(declared, Mapping) or not all(map(is_declared, declared.items())):
        msg = f'task {name}: periodic(model) must return {{"a name": (steps, a function)}}, got {declared!r}'
        raise TaskError(msg)
    return [Periodic(what, steps, call) for what, (steps, call) in declared.items()]


def is_declared(item: tuple[object, object]) -> bool:
    """Whether an item of `periodic(model)` has a name, at least one step, and a function."""
    match item:
        case (str() as what, (int() as steps, call)):
            return 0 < len(what) <= MOST_NAME and steps >= 1 and callable(call)
    return False
