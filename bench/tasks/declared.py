"""Tasks by name: how one is made, and whether one batch of it can be trained."""

import torch
from torch import nn

from bench.tasks.factory import why_unfit
from bench.tasks.find import FindError, described, made
from bench.tasks.task import Task, TaskError, understood


def make_task(name: str) -> Task:
    """The task of `package.module:attribute`. Raises TaskError if it can't be made, or lacks a part."""
    shown = name.removesuffix(":")  # a module
    try:
        return understood(made(name), shown)
    except FindError as error:
        msg = f"task {shown}: {error}"
        raise TaskError(msg) from error


def make_model(task: Task, name: str) -> nn.Module:
    """A task's model. Raises TaskError if it can't be made, or can't be measured."""
    try:
        several = getattr(task, "models", None)
        model: nn.Module = nn.ModuleDict(several()) if several else task.model()
    except Exception as error:
        msg = f"task {name}: model() failed: {described(error)}"
        raise TaskError(msg) from error
    if unfit := why_unfit(model):
        msg = f"task {name}: {unfit.replace('the factory', 'model()', 1)}"
        raise TaskError(msg)
    return model


def check_loss(loss: object, name: str) -> None:
    """Raises TaskError if a loss can't be trained on."""
    lead = f"task {name}: loss(model, batch) must return a tensor with one number"
    if not isinstance(loss, torch.Tensor):
        msg = f"{lead}, got {type(loss).__name__}"
        raise TaskError(msg)
    if loss.dim():
        msg = f"{lead}, got the shape {tuple(loss.shape)}: take its mean"
        raise TaskError(msg)
    if not loss.requires_grad:
        msg = f"task {name}: the loss has no gradient (no_grad, detach or argmax): nothing could be trained"
        raise TaskError(msg)
