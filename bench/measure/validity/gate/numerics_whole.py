"""A compiled variant against float64, as a whole: it has no leaves that could be compared.

One yardstick is how far plain eager code of the same precision is off on the same weights and images, as they are and
moved at random by one roundoff (several draws). Another yardstick has torch's own layers in the variant's layout, and
its batch: a sum over more images rounds more (numerics_layout.py). A deep network with batch norms amplifies every
rounding, so in half precision this shows only what is plainly wrong.

The images are repeated until they fill the variant's own batch: then the kernels that were timed are the ones that are
checked, and nothing is compiled again for another shape. Repeated images change neither the statistics of a batch norm
nor the mean loss nor its gradients.
"""

import copy
import math
from contextlib import AbstractContextManager
from dataclasses import astuple, dataclass, replace
from typing import Any

import torch
from torch import nn

from bench.measure.validity.gate.calculation import (
    Batch,
    Loss,
    exactly,
    forward_backward,
    in_double,
    on_device,
)
from bench.measure.validity.gate.finding import MOST_WIDENED, Finding
from bench.measure.validity.gate.numerics_layers import DRAWS, MOST_HALVINGS
from bench.measure.validity.gate.numerics_layout import TorchLayersIn
from bench.measure.validity.gate.rounding import moved, moved_floats, precision_of
from bench.measure.validity.gate.stored import NOTHING_STORED, Content, Store, check_alike, model_facts, settings
from bench.measure.workload import Workload
from bench.tasks.nest import changed, tensors

MULTIPLE = 8.0
"""A compiled variant may be off by this many times as much as eager code."""
LEAST_SCORE_ERROR, LEAST_GRADIENT_ERROR = 2.0**-20, 2.0**-12
"""Eager's own errors count as at least these: smaller ones are small by chance."""
SMALL = 1e-3
"""The error of a gradient is relative to its norm, or to this share of all gradients' norm if that is larger."""
NOTHING = 1e-6
"""A parameter may lack a gradient if the exact one is a smaller share of all gradients' norm (or than the roundoff)."""
MOST_MOVED = 1e-6
"""The share by which repeated images may move a float64 score; a larger move is no rounding."""
GRAPH_CALLS = 3
"""CUDA graphs are warmed up in the first call, recorded in the second and replayed in the third."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Scores, loss and gradients by parameter, in float64 on the CPU."""

    scores_NK: torch.Tensor
    loss: float
    gradients: dict[str, torch.Tensor]


def result_of(
    loss: Loss,
    model: nn.Module,
    batch: Batch,
    forward: Any = None,  # noqa: ANN401 - the model as it is, or compiled
    context: AbstractContextManager[object] | None = None,
    scale: float = 1.0,
) -> Result:
    """Scores, loss and gradients of a batch under a context; `scale` multiplies the loss for backward alone."""
    scores_NK, loss_of_batch = forward_backward(loss, model, batch, forward, context, scale)
    gradients = {name: exactly(p.grad) / scale for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    return Result(scores_NK=exactly(scores_NK), loss=loss_of_batch, gradients=gradients)


def without_overflow(
    work: Workload,
    model: nn.Module,
    batch: Batch,
    forward: Any = None,  # noqa: ANN401 - the model as it is, or compiled
) -> Result:
    """Scores, loss and gradients under the variant's autocast.

    The loss is scaled as the variant does it, and the scale halved until no gradient overflows.
    """
    scale = work.loss_scale
    for _ in range(MOST_HALVINGS):
        for _ in range(GRAPH_CALLS if work.variant.replays and forward else 1):
            if work.variant.replays:
                torch.compiler.cudagraph_mark_step_begin()
            result = result_of(work.loss, model, batch, forward, work.trainer.autocast(), scale)
        if scale == 1 or all(bool(g.isfinite().all()) for g in result.gradients.values()):
            break
        scale = max(1.0, scale / 2)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """What float64 computes, and how often the images come in the variant's batch."""

    result: Result
    repeats: int


@dataclass(frozen=True, slots=True)
class Errors:
    """How far plain eager code is off: its scores, and its gradients by parameter."""

    scores: float
    gradients: dict[str, float]

    @classmethod
    def of(cls, result: Result, exact: Result, roundoff: float) -> "Errors":
        """The errors of a result."""
        return cls(score_error(result, exact), gradient_errors(result, exact, max(NOTHING, roundoff)))


def findings(
    work: Workload, model: nn.Module, batch: Batch, store: Store = NOTHING_STORED
) -> tuple[Finding, Finding, float]:
    """The scores, the gradient that is off by the largest share of its bound, and the loss's relative error.

    `model` holds the weights, and is on the CPU; the variant's own model has them already.
    """
    stored = exact_of(work, model, batch, store)
    exact = stored.result
    few_images, full_batch = eager_errors(work, model, batch, stored, store)
    full = work.trainer.move(*repeated(batch, stored.repeats))
    result = without_overflow(work, work.trainer.model, full, work.trainer.forward)
    yardstick = max(LEAST_SCORE_ERROR, *(errors.scores for errors in few_images))
    bound = MULTIPLE * max(yardstick, min(MOST_WIDENED * yardstick, full_batch.scores))
    own = Errors.of(result, exact, precision_of(work).roundoff)
    scores = Finding(what="the scores", many=True, error=own.scores, bound=bound, by_a_factor=False)
    bounds = gradient_bounds([errors.gradients for errors in few_images], full_batch.gradients, small_ones(exact))
    gradients = [
        Finding(what=f"gradients of {name}", many=True, error=error, bound=bounds[name], by_a_factor=False)
        for name, error in own.gradients.items()
    ]
    return scores, max(gradients, key=lambda f: f.share), abs(result.loss - exact.loss) / abs(exact.loss)


def exact_of(work: Workload, model: nn.Module, batch: Batch, store: Store) -> Exact:
    """What float64 computes, once a run."""
    parameters = dict(model.named_parameters())

    def compute() -> Exact:
        double = copy.deepcopy(model).double()
        exact = result_of(work.loss, double, in_double(batch))
        return Exact(result=exact, repeats=repeats(work, double, in_double(batch), exact))

    def packed(exact: Exact) -> dict[str, object]:
        result = exact.result
        return {"scores": result.scores_NK, "loss": result.loss, "gradients": result.gradients, "times": exact.repeats}

    def unpacked(content: Content) -> Exact:
        check_alike(content["gradients"], parameters)
        if work.task is None and content["scores"].shape != (len(batch[0]), work.inputs.classes):
            msg = "it has the scores of other images"
            raise ValueError(msg)
        result = Result(scores_NK=content["scores"], loss=float(content["loss"]), gradients=content["gradients"])
        return Exact(result=result, repeats=int(content["times"]))

    depends_on = [model_facts(work, model), *tensors(batch), work.variant.batch_size]
    return store.once("whole", depends_on, compute, packed, unpacked)


def eager_errors(
    work: Workload, model: nn.Module, batch: Batch, exact: Exact, store: Store
) -> tuple[list[Errors], Errors]:
    """The errors of plain eager code on the images once, in several draws, and on a full batch in the variant's layout.

    Each is computed once a run for all variants that round alike.
    """
    roundoff = precision_of(work).roundoff

    def few_images() -> list[Errors]:
        results = [eager_result(work, model, batch, 0.0, 0)]
        results += [eager_result(work, model, batch, roundoff, seed) for seed in range(DRAWS)]
        return [Errors.of(result, exact.result, roundoff) for result in results]

    def full_batch() -> list[Errors]:
        with TorchLayersIn(work.trainer.format):
            result = eager_result(work, model, repeated(batch, exact.repeats), 0.0, 0)
            return [Errors.of(result, exact.result, roundoff)]

    def packed(errors: list[Errors]) -> list[tuple[object, ...]]:
        return [astuple(each) for each in errors]

    def unpacked(rows: list[tuple[float, dict[str, float]]]) -> list[Errors]:
        if not rows or any(gradients.keys() != exact.result.gradients.keys() for _, gradients in rows):
            msg = "it has the errors of other parameters"
            raise ValueError(msg)
        return [Errors(*row) for row in rows]

    alike = [model_facts(work, model), *tensors(batch), settings(work)]
    few = store.once("few", alike, few_images, packed, unpacked)
    full = store.once("full", [alike, exact.repeats, str(work.trainer.format)], full_batch, packed, unpacked)
    return few, full[0]


def gradient_bounds(
    few_images: list[dict[str, float]], full_batch: dict[str, float], small: set[str]
) -> dict[str, float]:
    """The error that the gradient of each parameter may have, from eager's errors on few images and on a full batch.

    It follows from the largest error of all parameters: rounding may tip a ReLU over, which is much in a small layer,
    and it tips another layer's there. The errors of the full batch count up to MOST_WIDENED times the others: more is
    no rounding. The full batch's error of a parameter in `small` counts for that parameter alone.
    """
    yardstick = max(LEAST_GRADIENT_ERROR, *(error for errors in few_images for error in errors.values()))
    full = {name: min(MOST_WIDENED * yardstick, error) for name, error in full_batch.items()}
    largest = max([yardstick, *(error for name, error in full.items() if name not in small)])
    return {name: MULTIPLE * max(largest, error if name in small else 0.0) for name, error in full.items()}


def small_ones(exact: Result) -> set[str]:
    """The parameters whose gradient is a small share of all gradients' norm."""
    norms = {name: g.norm() for name, g in exact.gradients.items()}
    total = torch.stack(list(norms.values())).norm()
    return {name for name, norm in norms.items() if norm < SMALL * total}


def eager_result(work: Workload, model: nn.Module, batch: Batch, share: float, seed: int) -> Result:
    """What eager code of the same precision computes in the default layout, weights and images moved by a share."""
    other, generator = copy.deepcopy(model), torch.Generator().manual_seed(seed)
    if share:
        with torch.no_grad():
            for parameter in other.parameters():
                moved(parameter, share, generator)
        batch = [changed(each, lambda x: moved_floats(x, share, generator)) for each in batch]
    return without_overflow(work, other.to(work.device), on_device(batch, work.device))


@torch.no_grad()
def repeats(work: Workload, double: nn.Module, batch: Batch, exact: Result) -> int:
    """How often the images come in the variant's batch: as often as fills it.

    Once if no number of times fills it, or if a model's score depends on how often an image is in the batch. A task's
    batch fills it already.
    """
    if work.task:
        return 1
    x = batch[0]
    times, rest = divmod(int(work.variant.batch_size), len(x))
    if rest or times == 1:
        return 1
    twice = replace(exact, scores_NK=double(x.repeat(2, 1, 1, 1)))
    return times if score_error(twice, exact) <= MOST_MOVED else 1


def repeated(batch: Batch, times: int) -> Batch:
    """The images and labels of a batch several times; any batch once."""
    if times == 1:
        return batch
    x, y = batch
    return x.repeat(times, 1, 1, 1), y.repeat(times)


def score_error(result: Result, exact: Result) -> float:
    """The norm of the scores' difference over their norm; the largest of all repetitions if images are repeated."""
    off_RNK = result.scores_NK.unflatten(0, (-1, len(exact.scores_NK))) - exact.scores_NK
    return float(off_RNK.flatten(1).norm(dim=1).max() / exact.scores_NK.norm())


def gradient_errors(result: Result, exact: Result, nothing: float = NOTHING) -> dict[str, float]:
    """By parameter, the norm of the gradient's difference over its norm; infinite for one that is missing or all zero.

    A norm that is a small share of all gradients' counts as that share. A gradient that is next to nothing may be
    missing, as that of a bias before a batch norm, which is exactly 0: what is left of it is rounding of the others.
    """
    total = torch.stack([g.norm() for g in exact.gradients.values()]).norm()
    errors = {}
    for name, g in exact.gradients.items():
        own = result.gradients.get(name)
        lost = (own is None or not own.any()) and bool(g.norm() > nothing * total)
        difference = g if own is None else own - g
        errors[name] = math.inf if lost else float(difference.norm() / max(g.norm(), SMALL * total))
    return errors
