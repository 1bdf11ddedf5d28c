"""The numerics gate: whether a variant computes what an exact calculation does, as closely as its precision allows.

Loss and gradients of one fixed batch are held against float64. The yardstick is what plain float32 itself misses by on
the same weights: a variant may miss by a multiple of that, scaled by the unit roundoff of its precision. Weights are
He's (He et al., arXiv 1502.01852, with zero biases), since the notebook's own leave logits dead and gradients near
zero, where any error would pass. Dropout is off.
"""

import copy
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import nn

from bench.measure.samples import Samples
from bench.measure.workload import Workload, build_model
from nin.loaders import Batch, make_loader
from nin.train import AUTOCAST

MULTIPLE = 30.0
"""How many times float32's own error, scaled to the precision, a gradient may miss by."""
LEAST_ERROR = 2.0**-22
"""float32's own error counts as at least this: where it happens to be smaller, chance made it so."""
NEGLIGIBLE = 1e-6
"""A parameter whose exact gradient is a smaller share of all gradients' norm is held against that share instead."""
MOST_IMAGES = {"cpu": 32, "cuda": 128}
MOST_HALVINGS = 24
ROUNDOFF = {"fp32": 2.0**-24, "tf32": 2.0**-11, "fp16": 2.0**-11, "bf16": 2.0**-8}
"""Unit roundoff: half the distance from 1 to the next number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Loss and gradients by parameter, in float64 on the CPU."""

    loss: float
    gradients: dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """How far a result is from another: relative errors, and the parameter that comes nearest to its bound."""

    loss_error: float
    parameter: str
    gradient_error: float
    bound: float

    @property
    def beyond(self) -> bool:
        """Whether the gradient misses by more than it may; true of what is no number."""
        return not self.gradient_error <= self.bound


def measure(work: Workload) -> tuple[Samples, str]:
    """Errors of a variant with their bound and the live logits, as samples; and why it is invalid, else empty.

    It changes the weights: nothing is measured behind it.
    """
    x, y = fixed_batch(work)
    model = he_initialised(new_model(work), work.seed)
    exact = result_of(copy.deepcopy(model).double(), x.double(), y)
    plain = result_of(model, x, y)
    mine = variant_result(work, model.state_dict(), x, y)
    allowed = bounds(plain, exact, ROUNDOFF[kind_of(work)])
    found = deviation(mine, exact, allowed)
    samples = Samples("numerics")
    for name in ("loss_error", "gradient_error", "bound"):
        samples.add(name, "1", getattr(found, name), scope="process", layer=found.parameter)
    samples.add("live_logits", "1", live_logits(work, x), scope="process")
    return samples, reason_of(found, mine, eager_result(work, model, plain, x, y), allowed)


def kind_of(work: Workload) -> str:
    """The precision whose roundoff bounds the variant: `default` is float32, on CUDA with TF32 in convolutions."""
    precision = work.variant.precision
    if precision == "default":
        return "tf32" if work.device.type == "cuda" else "fp32"
    return precision


def reason_of(found: Deviation, mine: Result, eager: Result | None, allowed: dict[str, float]) -> str:
    """Why a variant does not compute what it should, in words; empty where it does."""
    if not math.isfinite(mine.loss):
        return f"the loss of the fixed batch is {mine.loss}"
    if found.beyond:
        return told(found, "float64")
    if eager is None:
        return ""
    against = deviation(mine, eager, allowed)
    return told(against, "eager in the default layout") if against.beyond else ""


def told(found: Deviation, reference: str) -> str:
    """A deviation beyond its bound, in words."""
    return (
        f"gradient of {found.parameter} differs from {reference} by {found.gradient_error:.1e} of its norm, "
        f"more than the {found.bound:.1e} that its precision explains"
    )


def fixed_batch(work: Workload) -> Batch:
    """The first images, as many as a step has but no more than MOST_IMAGES, on the CPU."""
    count = min(int(work.variant.batch_size), MOST_IMAGES[work.device.type])
    images = work.inputs.images(work.seed).first(count)
    return next(iter(make_loader("resident", images, count, device=torch.device("cpu"))))


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
        loss = F.cross_entropy((model if forward is None else forward)(x), y)
    (loss * scale).backward()
    gradients = {
        name: p.grad.detach().to("cpu", torch.float64) / scale
        for name, p in model.named_parameters()
        if p.grad is not None
    }
    model.zero_grad(set_to_none=True)
    return Result(loss=float(loss.detach()), gradients=gradients)


def variant_result(work: Workload, state: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> Result:
    """Loss and gradients as the variant computes them: its device, layout, precision, compiled where it compiles.

    Under fp16 the loss is scaled as the GradScaler does, and halved until no gradient overflows.
    """
    trainer = work.trainer
    with torch.no_grad():
        for name, tensor in trainer.model.state_dict().items():
            tensor.copy_(state[name])
    without_dropout(trainer.model)
    x, y = trainer.move(x, y)
    scale = float(trainer.scaler.get_scale())
    for _ in range(MOST_HALVINGS):
        found = result_of(trainer.model, x, y, trainer.forward, trainer.autocast(), scale)
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
    device, scale = work.device, float(work.trainer.scaler.get_scale())
    return result_of(model.to(device), x.to(device), y.to(device), context=work.trainer.autocast(), scale=scale)


def bounds(plain: Result, exact: Result, roundoff: float) -> dict[str, float]:
    """By parameter, by which share of its norm a gradient may miss."""
    times = MULTIPLE * roundoff / ROUNDOFF["fp32"]
    return {name: times * max(error, LEAST_ERROR) for name, error in errors(plain, exact).items()}


def errors(mine: Result, reference: Result) -> dict[str, float]:
    """By parameter, the norm of the gradient's difference over its norm (or a share of all gradients', if greater)."""
    total = torch.stack([g.norm() for g in reference.gradients.values()]).norm()
    return {
        name: float((mine.gradients[name] - g).norm() / max(g.norm(), NEGLIGIBLE * total))
        if name in mine.gradients
        else float("inf")
        for name, g in reference.gradients.items()
    }


def deviation(mine: Result, reference: Result, allowed: dict[str, float]) -> Deviation:
    """How far a result is from a reference, told of the parameter that is the furthest in terms of its bound."""
    found = errors(mine, reference)
    worst = max(found, key=lambda name: _rank(found[name] / allowed[name]))
    return Deviation(
        loss_error=abs(mine.loss - reference.loss) / abs(reference.loss),
        parameter=worst,
        gradient_error=found[worst],
        bound=allowed[worst],
    )


def _rank(excess: float) -> float:
    return float("inf") if excess != excess else excess  # noqa: PLR0124 - what is no number comes first


def live_logits(work: Workload, x: torch.Tensor) -> int:
    """How many classes' scores differ between images, under the initialisation of the model's own code.

    A score that no image moves gets no gradient: its class is not learned (a ReLU behind the last convolution leaves
    it at 0, and a coarse precision rounds small differences away).
    """
    model = new_model(work).to(work.device)
    with torch.no_grad(), work.trainer.autocast():
        scores_NK = model(x.to(work.device)).float()
    return int((scores_NK.amax(dim=0) > scores_NK.amin(dim=0)).sum())
