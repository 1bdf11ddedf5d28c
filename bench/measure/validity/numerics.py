"""The numerics gate: whether a variant computes what an exact calculation does, as closely as its precision allows.

Both get the same images, and weights of unit variance (weights.py): the notebook's own leave logits dead and gradients
near zero, where any error would pass. Eager variants are held against float64 layer by layer (numerics_layers.py),
compiled ones as a whole (numerics_whole.py).

A single rounding can tip a ReLU or a pooling's maximum over, which may be much where a layer is small. It does not come
again with other weights and images, as a wrong calculation does: what misses is tried once more.
"""

from dataclasses import dataclass

import torch
from torch import nn

from bench.measure.samples import Samples
from bench.measure.validity import numerics_layers, numerics_whole
from bench.measure.validity.borders import Passing, visited
from bench.measure.validity.numerics_layers import Finding
from bench.measure.validity.weights import NotGatedError, new_model, unit_variance, without_noise
from bench.measure.workload import Workload
from nin.loaders import Batch, make_loader

MOST_NOISE = 1e-3
"""By so much two calculations of one batch may differ before a model is taken for random."""
ATTEMPTS = 2
LAYERED_IMAGES, MOST_IMAGES = 8, 32
"""Images of a batch: layer by layer, where all that passes a border is kept; and as a whole."""
LEAST_IMAGES = 8
"""Fewer images tell too little: a batch size without a divisor from here on is not filled by repeating images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What the gate found on the weights and images of one attempt."""

    values: Finding
    gradients: Finding
    loss_error: float
    own_weights: bool
    """Whether the weights are the model's own, since others could not be found."""

    @property
    def reason(self) -> str:
        """What is wrong, in words; empty where nothing is."""
        return next((wrong_words(found) for found in (self.values, self.gradients) if found.share > 1), "")


def measure(work: Workload) -> tuple[Samples, str]:
    """Errors of a variant with their bounds, as samples; and why it is invalid, else empty.

    It changes the weights: nothing is measured behind it. Raises NotGatedError where it can't tell: of a model that
    does not compute the same twice, that has no numbers in float32, that amplifies rounding to the size of its scores,
    or whose baseline misses (which is what its code does).
    """
    for attempt in range(ATTEMPTS):
        found = attempted(work, attempt)
        if not found.reason:
            break
    if found.reason and work.variant.is_baseline:
        msg = f"plain eager code itself misses: {found.reason}"
        raise NotGatedError(msg)
    if not work.eager and not found.reason and found.values.bound >= 1:
        msg = "of this model as a whole nothing can be told: rounding alone moves its scores by their own size"
        raise NotGatedError(msg)
    values = {"loss_error": found.loss_error, "score_error": found.values.error, "score_bound": found.values.bound}
    values |= {"gradient_error": found.gradients.error, "gradient_bound": found.gradients.bound}
    values |= {"gate_attempts": attempt + 1, "own_weights": int(found.own_weights)}
    samples = Samples("numerics")
    for name, value in values.items():
        samples.add(name, value)
    return samples, found.reason


def wrong_words(found: Finding) -> str:
    """How a result is off, in words."""
    many = found.what.startswith(("gradients", "the scores"))
    be, differ = ("are", "differ") if many else ("is", "differs")
    how = f"{be} off by a factor, by" if found.by_a_factor else f"{differ} from float64 by"
    return f"{found.what} {how} {found.error:.1e} of its size; rounding explains {found.bound:.1e}"


def attempted(work: Workload, attempt: int) -> Attempt:
    """What is found on the weights and images of an attempt."""
    x, y = fixed_batch(work, attempt)
    model = new_model(work)
    own = not unit_variance(model, x, work.seed + attempt)
    if own:
        model = new_model(work)
    check_steady(model, x)
    take_weights(work, model)
    if not work.eager:
        scores, gradients, loss_error = numerics_whole.findings(work, model, x, y)
        return Attempt(values=scores, gradients=gradients, loss_error=loss_error, own_weights=own)
    reference = numerics_layers.reference_of(model, x, y)
    if not reference.finite:
        msg = "float32 does not hold what the model computes from its own weights"
        raise NotGatedError(msg)
    yards = numerics_layers.yardsticks(work, model, reference, (x, y))
    mine = numerics_layers.held(work, work.trainer.model, reference, *work.trainer.move(x, y), work.trainer.forward)
    values, gradients = numerics_layers.findings(mine.misses, yards)
    error = abs(mine.loss - reference.loss) / abs(reference.loss)
    return Attempt(values=values, gradients=gradients, loss_error=error, own_weights=own)


def fixed_batch(work: Workload, attempt: int) -> Batch:
    """The first images of an attempt, on the CPU."""
    images = work.inputs.images(work.seed)
    most = LAYERED_IMAGES if work.eager else MOST_IMAGES
    count = image_count(int(work.variant.batch_size), min(most, len(images) // ATTEMPTS))
    batches = iter(make_loader("resident", images.first(ATTEMPTS * count), count, device=torch.device("cpu")))
    return [next(batches) for _ in range(attempt + 1)][-1]


def image_count(batch_size: int, most: int) -> int:
    """How many images the reference gets: the most that fill the batch when repeated, or all it may where few do."""
    divisor = max(count for count in range(1, most + 1) if batch_size % count == 0)
    return divisor if divisor >= LEAST_IMAGES else min(batch_size, most)


@torch.no_grad()
def check_steady(model: nn.Module, x: torch.Tensor) -> None:
    """Raise NotGatedError where a model does not compute the same from one batch twice, or between borders."""
    first, second = model(x), model(x)
    with visited(model, Passing()):
        bordered = model(x)
    if differ(first, second):
        msg = "two calculations of a batch differ: it draws at random, or what it computes depends on earlier calls"
        raise NotGatedError(msg)
    if differ(first, bordered):
        msg = "a layer writes to its input, and the model goes on with that and not with what the layer returns"
        raise NotGatedError(msg)
    if any(parameter.is_complex() for parameter in model.parameters()):
        msg = "it has complex parameters"
        raise NotGatedError(msg)


def differ(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Whether two results differ by more than threads do that add up in another order; no numbers do not."""
    return bool((first - second).norm() > MOST_NOISE * first.norm())


@torch.no_grad()
def take_weights(work: Workload, model: nn.Module) -> None:
    """Give the variant's own model the weights and buffers of another, and switch its dropouts off."""
    state = model.state_dict()
    for name, tensor in work.trainer.model.state_dict().items():
        tensor.copy_(state[name])
    without_noise(work.trainer.model)


def live_logits(work: Workload) -> int:
    """How many classes' scores differ between images, under the initialisation of the model's own code.

    A score that no image moves gets no gradient: its class is not learned (a ReLU behind the last convolution leaves
    it at 0, and a coarse precision rounds small differences away).
    """
    images = work.inputs.images(work.seed).first(MOST_IMAGES)
    x, _ = next(iter(make_loader("resident", images, len(images), device=torch.device("cpu"))))
    model = new_model(work).to(work.device)
    with torch.no_grad(), work.trainer.autocast():
        scores_NK = model(x.to(work.device)).float()
    return int((scores_NK.amax(dim=0) > scores_NK.amin(dim=0)).sum())
