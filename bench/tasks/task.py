"""What a user declares to have a training step measured: a model, its batches and its loss."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import nn, optim

MODEL, BATCHES = {"model": "model()"}, {"batches": "batches(batch_size)"}
REQUIRED = MODEL | BATCHES | {"loss": "loss(model, batch)"}
"""The parts that a task has, with how each is called."""
OWN_STEP, MODELS = {"step": "step(batches, phase)"}, {"models": "models()"}
"""What it may have in place of `loss` and `model`: a step that calls backward and optimizers itself, several models."""
OWN_LOOP = {"train": "train(step_done, steps, device)"}
"""What it may have in place of all of these: a loop."""
SETTINGS = ("unit", "accumulate", "clip")
OPTIONAL = ("optimizer", "items", "after_step", "to_device", "predict", "periodic")


class TaskError(Exception):
    """The task can't be made or can't be trained; the text is one line that says what to do."""


class Task:
    """What is trained. The harness does the rest of a step: backward, autocast, scaler, compiling, optimizer.

    A subclass is one way to declare a task. Any object with these names works as well: one of a plain class, or a
    module. `model`, `batches` and `loss` are needed, all else has a default.
    """

    unit = "samples"
    """What `items` counts: samples, tokens, images, ..."""
    accumulate = 1
    """How many batches a step takes before its optimizer runs. Gradients are those of the mean loss."""
    clip: float | None = None
    """The largest norm of all gradients together; None clips nothing."""

    def model(self) -> nn.Module:
        """The model, on the CPU and in training mode, with the initial weights."""
        raise NotImplementedError

    def batches(self, batch_size: int) -> Iterable[Any]:
        """Batches: tensors in any nest of tuples, lists, dicts and objects; one DataLoader, or any other iterable.

        If they end, they are begun again.
        """
        raise NotImplementedError

    def loss(self, model: nn.Module, batch: Any) -> torch.Tensor:  # noqa: ANN401
        """The loss of a batch on the device, a single number. `model` may be compiled."""
        raise NotImplementedError

    def predict(self, model: nn.Module, batch: Any) -> Any:  # noqa: ANN401
        """What inference calls for a batch on the device: the model, with the first part of a tuple or list."""
        return model(batch[0] if isinstance(batch, (tuple, list)) else batch)

    def optimizer(self, parameters: Iterator[nn.Parameter]) -> optim.Optimizer | None:  # noqa: ARG002 - for subclasses
        """The optimizer; None for Adam, whose implementation is an axis."""
        return None

    def items(self, batch: Any) -> int | None:  # noqa: ANN401, ARG002
        """How many units a batch has. It is called for each batch, so read shapes, and no values of tensors.

        None for the first dimension of the batch's first tensor.
        """
        return None

    def after_step(self, model: nn.Module) -> None:
        """What follows the optimizer in each step, such as an average of the weights."""

    def periodic(self, model: nn.Module) -> dict[str, tuple[int, Callable[[], Any]]]:  # noqa: ARG002
        """What is done once in some steps, by name: how many steps, and a function that does it.

        It is measured beside the step: an evaluation, a checkpoint, a schedule.
        """
        return {}

    def to_device(self, batch: Any, device: torch.device) -> Any:  # noqa: ANN401, ARG002
        """The batch on the device; None if the harness is to move its tensors."""
        return None


def understood(source: object, name: str) -> Task:
    """The task that an object declares. Raises TaskError if a part is missing or is none that can be called."""
    if isinstance(source, type):
        msg = f"task {name}: it returns a class: return an object of it"
        raise TaskError(msg)
    if isinstance(source, nn.Module):
        msg = f"task {name}: it is a model, and a task also says its batches and its loss: name it by --model"
        raise TaskError(msg)
    if isinstance(getattr(source, "model", None), nn.Module):
        msg = f"task {name}: model is a model: make it a function that returns a new one"
        raise TaskError(msg)
    missing = [call for part, call in required_of(source).items() if lacks(source, part)]
    if missing:
        msg = f"task {name}: {type(source).__name__} has no {' and no '.join(missing)}"
        raise TaskError(msg)
    task = source if isinstance(source, Task) else adapted(source)
    check_settings(task, name)
    return task


def owns_step(source: object) -> bool:
    """Whether a task calls backward and its optimizers itself."""
    return callable(getattr(source, "step", None))


def owns_loop(source: object) -> bool:
    """Whether a task has a loop, and neither a step nor a loss."""
    return callable(getattr(source, "train", None)) and not owns_step(source) and lacks(source, "loss")


def required_of(source: object) -> dict[str, str]:
    """The parts that an object must have to be a task, with how each is called."""
    if owns_loop(source):
        return OWN_LOOP
    if not owns_step(source):
        return REQUIRED
    return (MODELS if callable(getattr(source, "models", None)) else MODEL) | BATCHES | OWN_STEP


def lacks(source: object, part: str) -> bool:
    """Whether an object has no function of this name, or only that of Task, which does nothing."""
    if isinstance(source, Task) and part not in vars(source):
        return getattr(type(source), part, None) is getattr(Task, part, None)
    return not callable(getattr(source, part, None))


def adapted(source: object) -> Task:
    """A task with the parts of any other object, and the defaults of those that it lacks."""
    task = Task()
    for part in (*REQUIRED, *OWN_STEP, *MODELS, *OWN_LOOP, *SETTINGS, *OPTIONAL):
        if hasattr(source, part):
            setattr(task, part, getattr(source, part))
    return task


def check_settings(task: Task, name: str) -> None:
    """Raises TaskError if a setting has a value that it can't have."""
    settings: dict[str, Any] = {setting: getattr(task, setting) for setting in SETTINGS}
    unit, accumulate, clip = settings.values()
    if not isinstance(unit, str) or not unit.isidentifier():
        msg = f"task {name}: unit must be one word, such as tokens, got {unit!r}"
        raise TaskError(msg)
    if type(accumulate) is not int or accumulate < 1:
        msg = f"task {name}: accumulate must be a whole number of at least 1, got {accumulate!r}"
        raise TaskError(msg)
    if clip is not None and not (type(clip) in (int, float) and clip > 0):
        msg = f"task {name}: clip must be above 0 or None, got {clip!r}"
        raise TaskError(msg)
    for part in OPTIONAL:
        if not callable(getattr(task, part)):
            msg = f"task {name}: {part} must be a function, got {type(getattr(task, part)).__name__}"
            raise TaskError(msg)
