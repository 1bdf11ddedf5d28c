"""Inference against float64, as a whole: what the model returns for a batch, in eval mode.

The yardstick is how far plain eager code of the same precision is off on the same weights and batch: as they are, moved
at random by one roundoff (several draws), and with torch's own layers in the variant's layout.
"""

import copy
import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from bench.measure.validity.gate.calculation import Batch, exactly, in_double, on_device, returned
from bench.measure.validity.gate.finding import MOST_WIDENED, Finding
from bench.measure.validity.gate.numerics_layers import DRAWS
from bench.measure.validity.gate.numerics_layout import TorchLayersIn
from bench.measure.validity.gate.numerics_whole import GRAPH_CALLS, LEAST_SCORE_ERROR, MULTIPLE
from bench.measure.validity.gate.rounding import moved, moved_floats, precision_of
from bench.measure.validity.gate.weights import NotGatedError
from bench.measure.workload import Workload
from bench.tasks.nest import changed


def finding(work: Workload, model: nn.Module, batch: Batch) -> Finding:
    """How far the outputs of a variant are from float64's, with their bound.

    `model` holds the weights, and is on the CPU in eval mode; the variant's own model has them already.
    """
    exact = outputs_of(work, copy.deepcopy(model).double(), in_double(batch))
    roundoff = precision_of(work).roundoff
    few = [error(plain(work, model, batch, 0.0, 0), exact)]
    few += [error(plain(work, model, batch, roundoff, seed), exact) for seed in range(DRAWS)]
    with TorchLayersIn(work.trainer.format):
        in_layout = error(plain(work, model, batch, 0.0, 0), exact)
    yardstick = max(LEAST_SCORE_ERROR, *few)
    bound = MULTIPLE * max(yardstick, min(MOST_WIDENED * yardstick, in_layout))
    times = times_of(work, batch)
    own = error(of_variant(work, repeated(batch, times)), repeated(exact, times))
    return Finding(what="the outputs", many=True, error=own, bound=bound, by_a_factor=False)


def times_of(work: Workload, batch: Batch) -> int:
    """How often the images come in a compiled variant's own batch: what was timed is compiled for its shape."""
    if work.task or work.eager:
        return 1
    times, rest = divmod(int(work.variant.batch_size), len(batch[0][0]))
    return 1 if rest else times


def repeated(value: Any, times: int) -> Any:  # noqa: ANN401 - of the same type
    """A value whose tensors come several times, one after the other in their first dimension."""
    return value if times == 1 else changed(value, lambda x: torch.cat([x] * times))


def of_variant(work: Workload, batch: Batch) -> list[torch.Tensor]:
    """What the variant itself returns, in float64 on the CPU."""
    with torch.inference_mode():
        moved_batch = work.trainer.move(*batch)
        for _ in range(GRAPH_CALLS if work.variant.replays else 1):
            if work.variant.replays:
                torch.compiler.cudagraph_mark_step_begin()
            outputs = outputs_of(work, work.trainer.forward, moved_batch, work.trainer.autocast())
    return outputs


def plain(work: Workload, model: nn.Module, batch: Batch, share: float, seed: int) -> list[torch.Tensor]:
    """What eager code of the variant's precision returns in the default layout, weights and batch moved by a share."""
    other, generator = copy.deepcopy(model), torch.Generator().manual_seed(seed)
    if share:
        with torch.no_grad():
            for parameter in other.parameters():
                moved(parameter, share, generator)
        batch = [changed(each, lambda x: moved_floats(x, share, generator)) for each in batch]
    return outputs_of(work, other.to(work.device), on_device(batch, work.device), work.trainer.autocast())


def outputs_of(
    work: Workload,
    model: Any,  # noqa: ANN401 - the model as it is, or compiled
    batch: Batch,
    context: AbstractContextManager[object] | None = None,
) -> list[torch.Tensor]:
    """The float tensors that a model returns for a batch, in float64 on the CPU.

    Raises NotGatedError if it returns no float tensor, as a model whose parts alone are called.
    """
    with torch.no_grad(), context or nullcontext(), returned(model) as outputs:
        work.trainer.task.predict(model, batch[0])
    if not outputs:
        msg = "the model returns no float tensor that could be compared with float64"
        raise NotGatedError(msg)
    return [exactly(x) for x in outputs]


def error(results: list[torch.Tensor], exact: list[torch.Tensor]) -> float:
    """The norm of all differences over the exact norm; infinite if it is no number.

    Raises NotGatedError if the shapes differ: then some output depends on how many images a batch has.
    """
    if [x.shape for x in results] != [x.shape for x in exact]:
        msg = "the shape of an output depends on how often an image is in the batch"
        raise NotGatedError(msg)
    result, reference = (torch.cat([x.flatten() for x in tensors]) for tensors in (results, exact))
    off = float((result - reference).norm() / reference.norm())
    return math.inf if math.isnan(off) else off
