"""A compiled variant against float64, as a whole: its leaves can't be held one by one.

The yardstick is how far plain eager code of the same precision is off on the same weights and images, and how far that
moves when weights and images are moved at random by one roundoff (several draws). Another yardstick has torch's own
layers in the variant's layout, and its batch: a sum over more images rounds more (numerics_layout.py). A deep network
with batch norms amplifies every rounding, so in half precision this tells only what is plainly wrong.

The variant gets the same images as often as fills its own batch: then the kernels that were timed are the ones that are
held, and nothing is compiled again for another shape. Repeating the images changes neither the statistics of a batch
norm nor the mean loss nor its gradients.
"""

import copy
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import torch
from torch import nn

from bench.measure.validity.numerics_layers import DRAWS, MOST_HALVINGS, MOST_WIDENED, Finding, train
from bench.measure.validity.numerics_layout import OwnLayers
from bench.measure.validity.rounding import moved, precision_of
from bench.measure.workload import Workload

MULTIPLE = 8.0
"""How many times as far as eager code a compiled variant may be off."""
LEAST_SCORE_ERROR, LEAST_GRADIENT_ERROR = 2.0**-20, 2.0**-12
"""Eager's own errors count as at least these: where they are smaller, chance made them so."""
SMALL = 1e-3
"""A parameter whose exact gradient is a smaller share of all gradients' norm is held against that share instead."""
NOTHING = 1e-6
"""One whose gradient is a smaller share (or than the roundoff) may have none at all."""
MOST_MOVED = 1e-6
"""By how much repeating the images may move a float64 score, as a share: more is no rounding."""
GRAPH_CALLS = 3
"""CUDA graphs are warmed up in the first call, recorded in the second and replayed in the third."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Scores, loss and gradients by parameter, in float64 on the CPU."""

    scores_NK: torch.Tensor
    loss: float
    gradients: dict[str, torch.Tensor]


def result_of(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    forward: Callable[[torch.Tensor], torch.Tensor] | None = None,
    context: AbstractContextManager[object] | None = None,
    scale: float = 1.0,
) -> Result:
    """Loss and gradients of a batch under a context; the loss is multiplied by `scale` for backward alone."""
    scores_NK, loss = train(model, x, y, forward, context, scale)
    scores_NK = scores_NK.to("cpu", torch.float64)
    gradients = {
        name: p.grad.detach().to("cpu", torch.float64) / scale
        for name, p in model.named_parameters()
        if p.grad is not None
    }
    model.zero_grad(set_to_none=True)
    return Result(scores_NK=scores_NK, loss=loss, gradients=gradients)


def without_overflow(
    work: Workload,
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    forward: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> Result:
    """Loss and gradients under the variant's autocast, its loss scaled and the scale halved until none overflows."""
    scale = work.loss_scale
    for _ in range(MOST_HALVINGS):
        for _ in range(GRAPH_CALLS if work.variant.replays and forward else 1):
            if work.variant.replays:
                torch.compiler.cudagraph_mark_step_begin()
            found = result_of(model, x, y, forward, work.trainer.autocast(), scale)
        if scale == 1 or all(bool(g.isfinite().all()) for g in found.gradients.values()):
            break
        scale = max(1.0, scale / 2)
    return found


def findings(work: Workload, model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[Finding, Finding, float]:
    """The scores, and the gradient that is off by the largest share of its bound; and the loss's relative error.

    `model` holds the weights, and is on the CPU; the variant's own model has them already.
    """
    roundoff = precision_of(work).roundoff
    double = copy.deepcopy(model).double()
    exact = result_of(double, x.double(), y)
    times = repeats(work, double, x.double(), exact)
    yards = [eager_result(work, model, x, y, 0.0, 0)]
    yards += [eager_result(work, model, x, y, roundoff, seed) for seed in range(DRAWS)]
    x, y = x.repeat(times, 1, 1, 1), y.repeat(times)
    with OwnLayers(work.trainer.format):
        large = eager_result(work, model, x, y, 0.0, 0)
    mine = without_overflow(work, work.trainer.model, *work.trainer.move(x, y), work.trainer.forward)
    yard = max(LEAST_SCORE_ERROR, *(score_error(yard, exact) for yard in yards))
    bound = MULTIPLE * max(yard, min(MOST_WIDENED * yard, score_error(large, exact)))
    scores = Finding(what="the scores", many=True, error=score_error(mine, exact), bound=bound, by_a_factor=False)
    mine_off, large_off, *yards_off = (
        errors(result, exact, max(NOTHING, roundoff)) for result in (mine, large, *yards)
    )
    bounds = gradient_bounds(yards_off, large_off, small_ones(exact))
    found = [
        Finding(what=f"gradients of {name}", many=True, error=error, bound=bounds[name], by_a_factor=False)
        for name, error in mine_off.items()
    ]
    return scores, max(found, key=lambda f: f.share), abs(mine.loss - exact.loss) / abs(exact.loss)


def gradient_bounds(
    yards_off: list[dict[str, float]], large_off: dict[str, float], small: set[str]
) -> dict[str, float]:
    """How far the gradient of each parameter may be off.

    By the largest error of all parameters: a ReLU that rounding tips over is much where a layer is small, and tips in
    another layer there. The errors of the large batch count up to MOST_WIDENED times the others: more is no rounding.
    What it leaves of a gradient that is next to nothing counts for that gradient alone.
    """
    yard = max(LEAST_GRADIENT_ERROR, *(error for off in yards_off for error in off.values()))
    large = {name: min(MOST_WIDENED * yard, error) for name, error in large_off.items()}
    largest = max([yard, *(error for name, error in large.items() if name not in small)])
    return {name: MULTIPLE * max(largest, error if name in small else 0.0) for name, error in large.items()}


def small_ones(exact: Result) -> set[str]:
    """The parameters whose gradient is a small share of all gradients' norm."""
    norms = {name: g.norm() for name, g in exact.gradients.items()}
    total = torch.stack(list(norms.values())).norm()
    return {name for name, norm in norms.items() if norm < SMALL * total}


def eager_result(work: Workload, model: nn.Module, x: torch.Tensor, y: torch.Tensor, share: float, seed: int) -> Result:
    """What eager code of the same precision has in the default layout, weights and images moved by a share of them."""
    other, generator = copy.deepcopy(model), torch.Generator().manual_seed(seed)
    if share:
        with torch.no_grad():
            for parameter in other.parameters():
                moved(parameter, share, generator)
        x = moved(x.clone(), share, generator)
    return without_overflow(work, other.to(work.device), x.to(work.device), y.to(work.device))


@torch.no_grad()
def repeats(work: Workload, double: nn.Module, x: torch.Tensor, exact: Result) -> int:
    """How often the images come in the variant's batch: as often as fills it.

    Once where no number of times does, or where a model's score depends on how often an image is in the batch.
    """
    times, rest = divmod(int(work.variant.batch_size), len(x))
    if rest or times == 1:
        return 1
    twice = replace(exact, scores_NK=double(x.repeat(2, 1, 1, 1)))
    return times if score_error(twice, exact) <= MOST_MOVED else 1


def score_error(mine: Result, exact: Result) -> float:
    """The norm of the scores' difference over their norm; of images that are repeated, the largest of all times."""
    off_RNK = mine.scores_NK.unflatten(0, (-1, len(exact.scores_NK))) - exact.scores_NK
    return float(off_RNK.flatten(1).norm(dim=1).max() / exact.scores_NK.norm())


def errors(mine: Result, reference: Result, nothing: float = NOTHING) -> dict[str, float]:
    """By parameter, the norm of the gradient's difference over its norm; infinite for one that is missing or all zero.

    A norm that is a small share of all gradients' counts as that share, and one that is next to nothing (as that of a
    bias in front of a batch norm, exactly 0) may be missing: what is left of it is rounding of the others.
    """
    total = torch.stack([g.norm() for g in reference.gradients.values()]).norm()
    found = {}
    for name, g in reference.gradients.items():
        own = mine.gradients.get(name)
        lost = (own is None or not own.any()) and bool(g.norm() > nothing * total)
        difference = g if own is None else own - g
        found[name] = math.inf if lost else float(difference.norm() / max(g.norm(), SMALL * total))
    return found
