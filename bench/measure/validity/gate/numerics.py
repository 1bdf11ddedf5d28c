"""The numerics gate: whether a variant computes what an exact calculation does, as closely as its precision allows.

Both get the same images, and weights of unit variance (weights.py): the notebook's own weights leave logits dead and
gradients near zero, so any error would pass. Eager variants are compared with float64 layer by layer
(numerics_layers.py), compiled ones as a whole (numerics_whole.py).

A single rounding can tip a ReLU or a pooling's maximum over, which may be much in a small layer. It does not happen
again with other weights and images, but a wrong calculation does: a variant that misses is tried once more.
"""

import copy
from dataclasses import dataclass

import torch
from torch import nn

from bench.core.exchange.cause import Cause, Fault
from bench.measure.samples import Samples
from bench.measure.validity.borders import Passing, visited
from bench.measure.validity.gate import numerics_layers, numerics_whole
from bench.measure.validity.gate.calculation import Batch, Loss, returned
from bench.measure.validity.gate.finding import Finding, worst
from bench.measure.validity.gate.stored import NOTHING_STORED, Content, Store, fill, model_facts, settings, tensors_of
from bench.measure.validity.gate.weights import NotGatedError, new_model, unit_variance, without_noise
from bench.measure.workload import Workload
from bench.tasks.batches import Batches
from bench.tasks.nest import tensors
from nin.loaders import make_loader

MOST_NOISE = 1e-3
"""The share by which two calculations of one batch may differ; a model with a larger difference is taken for random."""
ATTEMPTS = 2
LAYERED_IMAGES, MOST_IMAGES = 8, 32
"""Images of a batch: layer by layer, which keeps all that passes a border; and as a whole."""
LEAST_IMAGES = 8
"""Fewer images show too little: if a batch size has no divisor from here on, no images are repeated to fill it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What the variant is off by on the weights and images of one attempt."""

    values: Finding
    gradients: Finding
    loss_error: float
    own_weights: bool
    """Whether the weights are the model's own, because a layer's output can't get unit variance."""

    @property
    def wrong(self) -> Finding | None:
        """The finding beyond its bound, the values' before the gradients'; None if neither is."""
        return next((finding for finding in (self.values, self.gradients) if finding.share > 1), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """The last attempt of the gate, and the number of attempts."""

    last: Attempt
    attempts: int

    @property
    def fault(self) -> Fault | None:
        """Why the variant is invalid; None if it is not."""
        return Fault(Cause.NUMERICS_WRONG, self.last.wrong.sentence) if self.last.wrong else None

    def samples(self) -> Samples:
        """Errors with their bounds."""
        last = self.last
        values = {"loss_error": last.loss_error, "score_error": last.values.error, "score_bound": last.values.bound}
        values |= {"gradient_error": last.gradients.error, "gradient_bound": last.gradients.bound}
        values |= {"gate_attempts": self.attempts, "own_weights": int(last.own_weights)}
        samples = Samples("numerics")
        for name, value in values.items():
            samples.add(name, value)
        return samples


def measure(work: Workload, store: Store = NOTHING_STORED) -> GateResult:
    """Errors of a variant with their bounds, and why it is invalid if it is.

    It changes the weights: measure nothing after it. Raises NotGatedError if the gate can't judge: a model that does
    not compute the same twice, that has no numbers in float32, that amplifies rounding to the size of its scores, or
    whose baseline misses (a baseline is what the model's code does).
    """
    if work.owns_step:
        msg = "an own step or loop is not compared with float64: only a declared loss can be computed in both"
        raise NotGatedError(msg)
    for number in range(ATTEMPTS):
        attempt = attempt_of(work, number, store)
        if not attempt.wrong:
            break
    if attempt.wrong and work.variant.is_baseline:
        msg = f"plain eager code itself misses: {attempt.wrong.sentence}"
        raise NotGatedError(msg)
    if not work.eager and not attempt.wrong and attempt.values.bound >= 1:
        msg = "the gate can't judge this model as a whole: rounding alone moves its scores by their own size"
        raise NotGatedError(msg)
    return GateResult(last=attempt, attempts=number + 1)


def attempt_of(work: Workload, number: int, store: Store = NOTHING_STORED) -> Attempt:
    """What the variant is off by on the weights and images of an attempt, counted from 0."""
    batch = fixed_batch(work, number)
    model, own = model_with_weights(work, batch, number, store)
    take_weights(work, model)
    compare = eager_findings if work.eager else numerics_whole.findings
    values, gradients, loss_error = compare(work, model, batch, store)
    return Attempt(values=values, gradients=gradients, loss_error=loss_error, own_weights=own)


def model_with_weights(work: Workload, batch: Batch, number: int, store: Store) -> tuple[nn.Module, bool]:
    """The model on the CPU with the weights of an attempt, and whether they are its own.

    Raises NotGatedError if it does not compute the same twice.
    """
    model = new_model(work)

    def compute() -> bool:
        start = copy.deepcopy(tensors_of(model))
        own = not unit_variance(model, lambda: work.loss(model, *batch), work.seed + number)
        if own:
            fill(model, start)
        check_steady(work.loss, model, batch)
        return own

    def unpacked(content: Content) -> bool:
        own = bool(content["own"])
        fill(model, content["tensors"])
        return own

    def packed(own: bool) -> dict[str, object]:  # noqa: FBT001 - what `compute` returns
        return {"own": own, "tensors": tensors_of(model)}

    return model, store.once("weights", [model_facts(work, model), *tensors(batch), number], compute, packed, unpacked)


def eager_findings(work: Workload, model: nn.Module, batch: Batch, store: Store) -> tuple[Finding, Finding, float]:
    """The value and the gradient that are off by the largest shares of their bounds, and the loss's relative error."""
    reference = numerics_layers.stored_reference(work, model, batch, store)
    yardsticks = numerics_layers.stored_yardsticks(work, model, reference, batch, store)
    moved = work.trainer.move(*batch)
    comparison = numerics_layers.compared(work, work.trainer.model, reference, moved, work.trainer.forward)
    values, gradients = worst(comparison.misses, yardsticks)
    return values, gradients, abs(comparison.loss - reference.loss) / abs(reference.loss)


def fixed_batch(work: Workload, number: int) -> Batch:
    """What one step takes in an attempt, on the CPU: the first of the data for attempt 0, the next for attempt 1.

    Of a task it is one batch, of an eager variant a small one.
    """
    if work.task:
        size = int(work.variant.batch_size)
        of_task = Batches(work.task, min(size, LAYERED_IMAGES) if work.eager else size, work.variant.model)
        return [next(of_task)[:1] for _ in range(number + 1)][-1]
    images = work.inputs.images(work.seed)
    most = LAYERED_IMAGES if work.eager else MOST_IMAGES
    count = image_count(int(work.variant.batch_size), min(most, len(images) // ATTEMPTS))
    batches = iter(make_loader("resident", images.first(ATTEMPTS * count), count, device=torch.device("cpu")))
    return [next(batches) for _ in range(number + 1)][-1]


def image_count(batch_size: int, most: int) -> int:
    """The number of images that the reference gets: the most that fill the batch when repeated.

    If fewer than LEAST_IMAGES do, it is as many as the batch has, up to `most`.
    """
    divisor = max(count for count in range(1, most + 1) if batch_size % count == 0)
    return divisor if divisor >= LEAST_IMAGES else min(batch_size, most)


@torch.no_grad()
def check_steady(loss: Loss, model: nn.Module, batch: Batch) -> None:
    """Raise NotGatedError if a model computes other results from a batch the second time, or with borders."""

    def results() -> torch.Tensor:
        with returned(model) as outputs:
            value = loss(model, *batch)
        return torch.cat([x.double().flatten() for x in (*outputs, value)])

    first = results()
    with visited(model, Passing()):
        bordered = results()
    if differ(first, bordered):
        msg = "a layer writes to its input, and the model goes on with that and not with what the layer returns"
        if differ(first, results()):
            msg = "two calculations of a batch differ: it draws at random, or what it computes depends on earlier calls"
        raise NotGatedError(msg)
    if any(parameter.is_complex() for parameter in model.parameters()):
        msg = "it has complex parameters"
        raise NotGatedError(msg)


def differ(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Whether two results differ by more than another order of additions explains; results with NaN do not differ."""
    return bool((first - second).norm() > MOST_NOISE * first.norm())


@torch.no_grad()
def take_weights(work: Workload, model: nn.Module) -> None:
    """Give the variant's own model the weights and buffers of another, and switch its dropouts off."""
    state = model.state_dict()
    for name, tensor in work.trainer.model.state_dict().items():
        tensor.copy_(state[name])
    without_noise(work.trainer.model)


def live_logits(work: Workload, store: Store = NOTHING_STORED) -> int:
    """The number of classes whose score differs between images, under the initialisation of the model's own code.

    A score that no image moves gets no gradient, so its class is not learned: a ReLU after the last convolution leaves
    it at 0, or a coarse precision rounds small differences away.
    """
    images = work.inputs.images(work.seed).first(MOST_IMAGES)
    x, _ = next(iter(make_loader("resident", images, len(images), device=torch.device("cpu"))))
    model = new_model(work)

    def compute() -> int:
        with torch.no_grad(), work.trainer.autocast():
            scores_NK = model.to(work.device)(x.to(work.device)).float()
        return int((scores_NK.amax(dim=0) > scores_NK.amin(dim=0)).sum())

    return store.once("logits", [model_facts(work, model), x, settings(work)], compute, int, int)
