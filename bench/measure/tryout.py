"""Whether a model answers as it must, before anything is measured."""

import torch

from bench.measure.factory import ModelError
from bench.measure.workload import Workload


def try_once(work: Workload) -> None:
    """Show the model two images; ModelError where it does not answer with a score of each class for each.

    It alters running statistics, so it is for a process that measures nothing.
    """
    x_NCHW, _ = next(work.batches)
    x_NCHW, name, classes = x_NCHW[:2].to(work.device), work.variant.model, work.inputs.classes
    try:
        scores = work.trainer.model(x_NCHW)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        shape = "x".join(map(str, x_NCHW.shape[1:]))
        msg = f"model {name} fails on images of {shape} (--input sets others): {type(error).__name__}: {error}"
        raise ModelError(msg) from error
    expected = (len(x_NCHW), classes)
    found = tuple(scores.shape) if isinstance(scores, torch.Tensor) else type(scores).__name__
    if found != expected:
        msg = f"model {name} must return scores of shape {expected} for {len(x_NCHW)} images, returned {found}"
        raise ModelError(msg)
    if not scores.requires_grad:
        msg = f"model {name} returns scores without a gradient (no_grad, detach or argmax): nothing could be trained"
        raise ModelError(msg)
