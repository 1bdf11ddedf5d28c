"""The numerics gate: whether a variant computes what an exact calculation does, as closely as its precision allows.

Scores and gradients of a fixed batch are held against float64. The yardstick is what plain float32 itself misses by, in
the worse of the two layouts (torch's batch norm is coarser in channels_last), on the same weights: He's (He et al.,
arXiv 1502.01852, with zero biases), since the notebook's own leave logits dead and gradients near zero, where any error
would pass. Dropout is off.

The error of scores grows with the unit roundoff of a precision, that of gradients with its root only. Wherever rounding
tips a ReLU over, or another element becomes a pooling's maximum, a gradient jumps; as many elements lie that near to a
kink as the roundoff is large, and their jumps add up in quadrature. (NiN, batch 8, first layer: 8e-4 in float32, 0.03
in float16, 0.09 in bfloat16, where the root has 0.07 and 0.2.) A jump may be large where a layer is small; it does not
come again with other weights and images, as a wrong calculation does: what misses is tried once more.
"""

import copy
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import nn

from bench.measure.factory import build_model
from bench.measure.samples import Samples
from bench.measure.workload import Workload
from nin.loaders import Batch, make_loader
from nin.train import AUTOCAST

MULTIPLE = 8.0
"""How many times float32's own error, scaled to the precision, scores and gradients may miss by."""
LEAST_SCORE_ERROR, LEAST_GRADIENT_ERROR = 2.0**-22, 2.0**-12
"""float32's own errors count as at least these: where they are smaller, chance made them so."""
MOST_SCORE_BOUND, MOST_GRADIENT_BOUND = 0.2, 1.5
"""What misses by more computes something else, whatever the precision."""
MOST_NOISE = 1e-3
"""By so much two calculations of one batch may differ before a model is taken for random."""
ATTEMPTS = 2
NEGLIGIBLE = 1e-6
"""A parameter whose exact gradient is a smaller share of all gradients' norm (or than the roundoff) is held against
that share instead."""
MOST_IMAGES = 32
"""What float64 on the host bears of larger models, too."""
GRAPH_CALLS = 3
"""CUDA graphs are warmed up in the first call, recorded in the second and replayed in the third."""
MOST_HALVINGS = 24
ROUNDOFF = {"fp32": 2.0**-24, "tf32": 2.0**-11, "fp16": 2.0**-11, "bf16": 2.0**-8}
"""Unit roundoff: half the distance from 1 to the next number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Scores, loss and gradients by parameter, in float64 on the CPU."""

    scores_NK: torch.Tensor
    loss: float
    gradients: dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """By how much scores and gradients may miss, relative to what is exact."""

    scores: float
    gradient: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """How far a result is from another, relatively: loss, scores, and the gradient that is furthest off."""

    loss_error: float
    score_error: float
    parameter: str
    gradient_error: float


class NotGatedError(Exception):
    """The gate can't tell of this model; the text says why."""


def measure(work: Workload) -> tuple[Samples, str]:
    """Errors of a variant with their bounds and the live logits, as samples; and why it is invalid, else empty.

    It changes the weights: nothing is measured behind it. Raises NotGatedError where a model draws at random by
    itself, so that no two calculations agree.
    """
    samples = Samples("numerics")
    for attempt in range(ATTEMPTS):
        found, allowed, reason = attempted(work, attempt)
        if not reason:
            break
    values = {"loss_error": found.loss_error, "score_error": found.score_error, "score_bound": allowed.scores}
    values |= {"gradient_error": found.gradient_error, "gradient_bound": allowed.gradient, "gate_attempts": attempt + 1}
    values |= {"live_logits": live_logits(work)}
    for name, value in values.items():
        samples.add(name, "1", value, scope="process")
    return samples, reason


def attempted(work: Workload, attempt: int) -> tuple[Deviation, Bounds, str]:
    """The variant's deviation on the weights and images of an attempt, its bounds, and what is wrong."""
    x, y = fixed_batch(work, attempt)
    model = he_initialised(new_model(work), work.seed + attempt)
    exact = result_of(copy.deepcopy(model).double(), x.double(), y)
    plain = result_of(model, x, y)
    again = result_of(model, x, y)
    if not torch.equal(plain.scores_NK, again.scores_NK) and deviation(plain, again).score_error > MOST_NOISE:
        msg = "two calculations of the same batch differ: the model draws at random by itself"
        raise NotGatedError(msg)
    last = torch.channels_last
    other = result_of(copy.deepcopy(model).to(memory_format=last), x.contiguous(memory_format=last), y)
    mine = variant_result(work, model.state_dict(), x, y)
    allowed = bounds([plain, other], exact, ROUNDOFF[kind_of(work)])
    roundoff = ROUNDOFF[kind_of(work)]
    found = deviation(mine, exact, roundoff)
    eager = eager_result(work, model, plain, x, y)
    return (
        found,
        allowed,
        reason_of(found, allowed, "float64")
        or (reason_of(deviation(mine, eager, roundoff), allowed, "eager in the default layout") if eager else ""),
    )


def reason_of(found: Deviation, allowed: Bounds, reference: str) -> str:
    """Why a variant does not compute what a reference does, in words; empty where it does. NaN is beyond any bound."""
    if not found.score_error <= allowed.scores:
        what, error, bound = "a batch's scores", found.score_error, allowed.scores
    elif not found.gradient_error <= allowed.gradient:
        what, error, bound = f"gradients of {found.parameter}", found.gradient_error, allowed.gradient
    else:
        return ""
    return f"{what} differ from {reference} by {error:.1e} of its size; rounding explains {bound:.1e}"


def kind_of(work: Workload) -> str:
    """The precision whose roundoff bounds the variant: `default` is float32, on CUDA with TF32 in convolutions."""
    precision = work.variant.precision
    if precision == "default":
        return "tf32" if work.device.type == "cuda" else "fp32"
    return precision


def fixed_batch(work: Workload, attempt: int) -> Batch:
    """The first images of an attempt, as many as a step has but no more than MOST_IMAGES, on the CPU."""
    images = work.inputs.images(work.seed)
    count = min(int(work.variant.batch_size), MOST_IMAGES, len(images) // ATTEMPTS)
    batches = iter(make_loader("resident", images.first(ATTEMPTS * count), count, device=torch.device("cpu")))
    return [next(batches) for _ in range(attempt + 1)][-1]


def new_model(work: Workload) -> nn.Module:
    """The variant's model on the CPU, initialised as its code does from the run's seed."""
    torch.manual_seed(work.seed)
    channels = work.inputs.images(work.seed).pixels_NCHW.shape[1]
    return without_dropout(build_model(work.variant.model, channels, work.inputs.classes).train())


def without_dropout(model: nn.Module) -> nn.Module:
    """The model with its dropout layers switched off."""
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):  # noqa: SLF001 - the base of all of them
            module.eval()
    return model


def he_initialised(model: nn.Module, seed: int) -> nn.Module:
    """The model with He's weights in convolutions and linear layers, and zero biases."""
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.modules.conv._ConvNd):  # noqa: SLF001
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model


def result_of(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    forward: Callable[[torch.Tensor], torch.Tensor] | None = None,
    context: AbstractContextManager[object] | None = None,
    scale: float = 1.0,
) -> Result:
    """Loss and gradients of a batch under a context; the loss is multiplied by `scale` for backward alone."""
    model.zero_grad(set_to_none=True)
    with context or nullcontext():
        scores_NK = (model if forward is None else forward)(x)
        loss = F.cross_entropy(scores_NK, y)
    scores_NK = scores_NK.detach().to("cpu", torch.float64)
    (loss * scale).backward()
    gradients = {
        name: p.grad.detach().to("cpu", torch.float64) / scale
        for name, p in model.named_parameters()
        if p.grad is not None
    }
    model.zero_grad(set_to_none=True)
    return Result(scores_NK=scores_NK, loss=float(loss.detach()), gradients=gradients)


def variant_result(work: Workload, state: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> Result:
    """Loss and gradients as the variant computes them: its device, layout, precision, compiled where it compiles.

    Under fp16 the loss is scaled as the GradScaler does, and halved until no gradient overflows.
    """
    trainer = work.trainer
    with torch.no_grad():
        for name, tensor in trainer.model.state_dict().items():
            tensor.copy_(state[name])
    without_dropout(trainer.model)
    return without_overflow(work, trainer.model, *trainer.move(x, y), trainer.forward)


def without_overflow(
    work: Workload,
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    forward: Callable[[torch.Tensor], torch.Tensor] | None,
) -> Result:
    """Loss and gradients under the variant's autocast, its loss scaled and the scale halved until none overflows."""
    graphs = work.device.type == "cuda" and work.variant.compile_mode in ("reduce-overhead", "max-autotune")
    scale = work.loss_scale
    for _ in range(MOST_HALVINGS):
        for _ in range(GRAPH_CALLS if graphs and forward else 1):
            if graphs:
                torch.compiler.cudagraph_mark_step_begin()
            found = result_of(model, x, y, forward, work.trainer.autocast(), scale)
        if scale == 1 or all(bool(g.isfinite().all()) for g in found.gradients.values()):
            break
        scale = max(1.0, scale / 2)
    return found


def eager_result(work: Workload, model: nn.Module, plain: Result, x: torch.Tensor, y: torch.Tensor) -> Result | None:
    """The same precision eager and in the default layout, which a compiler or another layout may not differ from.

    None where the variant is just that.
    """
    if work.variant == replace(work.variant, compile_mode="eager", memory_format="nchw"):
        return None
    if work.device.type == "cpu" and work.variant.precision not in AUTOCAST:
        return plain
    device = work.device
    return without_overflow(work, model.to(device), x.to(device), y.to(device), None)


def bounds(plain: Sequence[Result], exact: Result, roundoff: float) -> Bounds:
    """By how much a result of that roundoff may miss, from what plain float32 misses by."""
    own, times = [deviation(result, exact) for result in plain], roundoff / ROUNDOFF["fp32"]
    scores = MULTIPLE * times * max(LEAST_SCORE_ERROR, *(found.score_error for found in own))
    gradient = MULTIPLE * math.sqrt(times) * max(LEAST_GRADIENT_ERROR, *(found.gradient_error for found in own))
    return Bounds(scores=min(scores, MOST_SCORE_BOUND), gradient=min(gradient, MOST_GRADIENT_BOUND))


def errors(mine: Result, reference: Result, negligible: float = NEGLIGIBLE) -> dict[str, float]:
    """By parameter, the norm of the gradient's difference over its norm; infinite for one that is missing or all zero.

    A norm that is a negligible share of all gradients' (as that of a bias in front of a batch norm, exactly 0) counts
    as that share: what is left of it is rounding of the others.
    """
    total = torch.stack([g.norm() for g in reference.gradients.values()]).norm()
    found = {}
    for name, g in reference.gradients.items():
        own = mine.gradients.get(name)
        lost = own is None or (g.norm() > negligible * total and not own.any())
        found[name] = math.inf if lost else float((own - g).norm() / max(g.norm(), negligible * total))  # type: ignore[operator]
    return found


def deviation(mine: Result, reference: Result, roundoff: float = 0.0) -> Deviation:
    """How far a result is from a reference; a gradient that is missing, zero or no number is the furthest off."""
    told = errors(mine, reference, max(NEGLIGIBLE, roundoff))
    found = {name: math.inf if math.isnan(error) else error for name, error in told.items()}
    worst = max(found, key=lambda name: found[name])
    return Deviation(
        loss_error=abs(mine.loss - reference.loss) / abs(reference.loss),
        score_error=float((mine.scores_NK - reference.scores_NK).norm() / reference.scores_NK.norm()),
        parameter=worst,
        gradient_error=found[worst],
    )


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
