"""Whether a model answers as it must and can be trained or called, before anything is measured."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F

from bench.measure.workload import Workload
from bench.tasks.declared import check_loss
from bench.tasks.factory import ModelError
from bench.tasks.find import described
from bench.tasks.nest import tensors
from bench.tasks.periodic import periodic_of
from bench.tasks.task import TaskError, owns_loop

TRIED = 3
"""Steps of a task that are taken to see a parameter change."""


def try_once(work: Workload) -> None:
    """Raise ModelError if the model does not answer two images with a score of each class, or has no backward.

    Of a task, raise TaskError if one batch can't be trained. Of a variant that infers, raise either if a call fails.

    It leaves gradients and changes running statistics, so call it in a process that measures nothing.
    """
    if work.variant.infers:
        try_call(work)
        return
    if work.task:
        try_task(work)
        return
    x_NCHW, y_N = next(work.batches)
    x_NCHW, name = x_NCHW[:2].to(work.device), work.variant.model
    try:
        scores = work.trainer.model(x_NCHW)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        shape = "x".join(map(str, x_NCHW.shape[1:]))
        why = f"{type(error).__name__}: {error}"
        msg = f"model {name} fails on images of {shape} alone, without targets (--input sets other images): {why}"
        raise ModelError(msg) from error
    if wrong := why_no_scores(scores, (len(x_NCHW), work.inputs.classes)):
        msg = f"model {name} {wrong}"
        raise ModelError(msg)
    try:
        F.cross_entropy(scores, y_N[:2].to(work.device)).backward()
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        msg = f"model {name} fails in the backward pass of a cross entropy: {type(error).__name__}: {error}"
        raise ModelError(msg) from error
    if all(parameter.grad is None for parameter in work.trainer.model.parameters()):
        msg = f"model {name} hands no gradient to its parameters: nothing could be trained"
        raise ModelError(msg)


def try_call(work: Workload) -> None:
    """Raise TaskError, or ModelError without a task, if a call in eval mode fails, or returns no tensor."""
    batch = next(work.batches)[0]
    error, who = (TaskError, "task") if work.task else (ModelError, "model")
    lead = f"{who} {work.variant.model}: predict(model, batch)"
    if not work.items > 0:
        msg = f"task {work.variant.model}: items(batch) counts {work.items:g} {work.unit}"
        raise TaskError(msg)
    with failing_as(f"{lead} fails on {shapes(batch)}", error):
        outputs = work.trainer.step(batch)
    if not any(True for _ in tensors(outputs)):
        msg = f"{lead} must return a tensor, or what holds one, returned {type(outputs).__name__}"
        raise error(msg)


def try_task(work: Workload) -> None:
    """Raise TaskError if one step's batches of a task can't be trained, or if it says wrongly what it does at times."""
    periodic_of(work.task, work.trainer.model, work.variant.model)  # type: ignore[arg-type]
    if work.owns_step:
        try_own_step(work)
        return
    name, batch = work.variant.model, next(work.batches)
    if not any(True for _ in tensors(batch)):
        msg = f"task {name}: a batch has no tensor: it is {type(batch[0]).__name__}"
        raise TaskError(msg)
    if not work.items > 0:
        msg = f"task {name}: items(batch) counts {work.items:g} {work.unit}"
        raise TaskError(msg)
    with failing_as(f"task {name}: loss(model, batch) fails on {shapes(batch[0])}"):
        loss = work.task.loss(work.trainer.model, work.trainer.move(*batch)[0])  # type: ignore[union-attr]
    check_loss(loss, name)
    with failing_as(f"task {name}: the backward pass fails"):
        loss.backward()
    if all(parameter.grad is None for parameter in work.trainer.model.parameters()):
        msg = f"task {name}: the loss hands no gradient to the model's parameters: nothing could be trained"
        raise TaskError(msg)
    if not changes_weights(work, f"task {name}: a step fails"):
        msg = f"task {name}: a step changed no parameter of the model: let optimizer(parameters) use those it is given"
        raise TaskError(msg)


def try_own_step(work: Workload) -> None:
    """Raise TaskError if a task's own step fails, pulls no batch, or changes no parameter."""
    name, called = work.variant.model, "train" if owns_loop(work.task) else "step(batches)"
    changed = changes_weights(work, f"task {name}: {called} fails")
    if not work.items > 0:
        msg = f"task {name}: step(batches) pulled {work.items:g} {work.unit}: it must call next(batches)"
        raise TaskError(msg)
    if not changed:
        msg = f"task {name}: {called} changed no parameter of the model: did it train another one?"
        raise TaskError(msg)


def changes_weights(work: Workload, lead: str) -> bool:
    """Whether a few marked steps change a parameter: a schedule may begin with a rate of 0.

    Raises TaskError, after `lead`, if one fails.
    """
    parameters = list(work.trainer.model.parameters())
    before = [p.detach().clone() for p in parameters]
    for _ in range(TRIED):
        with failing_as(lead):
            work.step(next(work.batches), mark=lambda _phase: None)
        if not all(torch.equal(old, new) for old, new in zip(before, parameters, strict=True)):
            return True
    return False


@contextmanager
def failing_as(lead: str, kind: type[Exception] = TaskError) -> Iterator[None]:
    """Raises an error of this kind with the error within, after `lead`. No memory stays what it is."""
    try:
        yield
    except (torch.OutOfMemoryError, TaskError):
        raise
    except Exception as error:
        msg = f"{lead}: {described(error)}"
        raise kind(msg) from error


def shapes(batch: object) -> str:
    """The shapes of a batch's tensors, in words."""
    return ", ".join("x".join(map(str, x.shape)) or "a number" for x in tensors(batch))


def why_no_scores(scores: object, expected: tuple[int, int]) -> str:
    """Why what a model returned is not scores of a shape (N, classes) that can be trained; empty if it is."""
    lead = f"must return scores of shape {expected} for {expected[0]} images, returned"
    if not isinstance(scores, torch.Tensor):
        way = "name a factory whose model returns one score a class, and no loss or box"
        return f"{lead} {type(scores).__name__}: {way}"
    if scores.shape != expected:
        return f"{lead} {tuple(scores.shape)}"
    if not scores.requires_grad:
        return "returns scores without a gradient (no_grad, detach or argmax): nothing could be trained"
    return ""
