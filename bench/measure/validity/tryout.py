"""Whether a model answers as it must and can be trained, before anything is measured."""

import torch
import torch.nn.functional as F

from bench.measure.workload import Workload
from bench.tasks.factory import ModelError


def try_once(work: Workload) -> None:
    """Raise ModelError if the model does not answer two images with a score of each class, or has no backward.

    It leaves gradients and changes running statistics, so call it in a process that measures nothing.
    """
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
