"""The numerics gate on torchvision's classifiers: what it says of honest variants and of planted faults.

.nox/env/bin/python -m benchmarks.gate                      # honest variants, eager
.nox/env/bin/python -m benchmarks.gate --compiled           # the same, by inductor
.nox/env/bin/python -m benchmarks.gate --faults             # one fault at a time, which the gate must detect
.nox/env/bin/python -m benchmarks.gate --models resnet18,swin_t
"""

import argparse
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from bench.core.variants import Variant
from bench.measure.leaves import leaves as leaves_of
from bench.measure.validity.gate import numerics
from bench.measure.validity.gate.weights import NotGatedError
from bench.measure.workload import Inputs, Workload, build

SIDES = {"inception_v3": 96, "vit_b_16": 224}
"""Pixels of a side for models that do not take 64."""
MODELS = (
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "inception_v3",
    "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_x_400mf", "regnet_y_400mf", "resnet18", "resnet50",
    "resnext50_32x4d", "shufflenet_v2_x0_5", "squeezenet1_0", "swin_t", "swin_v2_t", "vgg11", "vgg11_bn", "vit_b_16",
    "wide_resnet50_2",
)  # fmt: skip
HONEST = [
    {"precision": precision, "memory_format": layout}
    for precision in ("default", "bf16", "fp16")
    for layout in ("nchw", "nhwc")
]
COMPILED = [{"precision": "default", "memory_format": "nchw"}, {"precision": "bf16", "memory_format": "nhwc"}]
BATCH = 8

Fault = Callable[[dict[str, nn.Module]], str]
"""Plants a fault in a leaf and returns the leaf's path; empty if no leaf can have it."""


def main() -> None:
    """Print a line a variant, and how many the gate calls wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--faults", action="store_true")
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, batch {BATCH}, error / bound")
    wrong = total = 0
    for name in options.models.split(","):
        for axes in COMPILED if options.compiled else HONEST[:4] if options.faults else HONEST:
            chosen = axes | {"compile_mode": "inductor"} if options.compiled else axes
            if options.faults and axes["memory_format"] == "nhwc":
                continue
            for fault in FAULTS if options.faults else {"": None}:
                if fault == TF32 and axes["precision"] != "default":
                    continue
                wrong, total = wrong + line(name, chosen, fault), total + 1
    print(f"{wrong} of {total} are INVALID")


def line(name: str, axes: dict[str, str], fault: str) -> bool:
    """Print what the gate says of a variant of a model, and return whether it is INVALID."""
    side = SIDES.get(name, 64)
    # IEEE's float32 is asked for by name: a baseline that misses would be `not gated`.
    asked = axes | {"precision": "fp32" if axes["precision"] == "default" else axes["precision"]}
    variant = Variant(model=f"torchvision.models:{name}", batch_size=BATCH, **asked)  # type: ignore[arg-type]
    torch.compiler.reset()
    work = build(variant, Inputs(shape=(3, side, side)), seed=0)
    place = FAULTS[fault](called_leaves(work)) if fault else ""
    began = time.perf_counter()
    values, word, reason = outcome(work)
    errors = "  ".join(
        f"{values.get(f'{kind}_error', math.nan):.1e}/{values.get(f'{kind}_bound', math.nan):.1e}"
        for kind in ("score", "gradient")
    )
    planted = f" {fault}{f' in {place}' if place else ': no place'}," if fault else ""
    print(
        f"{name:19s} {asked['precision']} {axes['memory_format']} {axes.get('compile_mode', 'eager')}{planted} "
        f"{errors} {word} {time.perf_counter() - began:.1f} s {reason}",
        flush=True,
    )
    return word == "INVALID"


def outcome(work: Workload) -> tuple[dict[str, float], str, str]:
    """Errors and bounds; the word for the outcome; the reason, empty if it passed."""
    try:
        gated = numerics.measure(work)
    except NotGatedError as error:
        return {}, "not gated", str(error)
    values = {row.metric: row.value for row in gated.samples().rows}
    return values, "INVALID" if gated.fault else "passed", gated.fault.reason if gated.fault else ""


def called_leaves(work: Workload) -> dict[str, nn.Module]:
    """The leaves that a step calls, by path. Other leaves only hold weights that functional code uses."""
    called: dict[str, nn.Module] = {}
    known = leaves_of(work.trainer.model)
    handles = [
        leaf.register_forward_hook(lambda m, _x, _y, path=path: called.update({path: m}))
        for path, leaf in known.items()
    ]
    with torch.no_grad():
        work.trainer.model(next(work.batches)[0])
    for handle in handles:
        handle.remove()
    return called


def middle(leaves: dict[str, nn.Module], wanted: Callable[[Any], bool]) -> tuple[str, Any] | None:
    """The path and the leaf in the middle of those that are wanted; None if there is none."""
    fitting = [(path, leaf) for path, leaf in leaves.items() if wanted(leaf)]
    return fitting[len(fitting) // 2] if fitting else None


def scaled(leaves: dict[str, nn.Module]) -> str:
    """The output of a convolution or linear layer is multiplied by 1.01."""
    path, leaf = middle(leaves, computes) or ("", nn.Identity())
    leaf.register_forward_hook(lambda _m, _x, y: y * 1.01)
    return path


def dropped(leaves: dict[str, nn.Module]) -> str:
    """The gradient of a weight is lost."""
    path, leaf = middle(leaves, computes) or ("", nn.Identity())
    leaf.get_parameter("weight").register_hook(torch.zeros_like)
    return path


def transposed(leaves: dict[str, nn.Module]) -> str:
    """The filters of a convolution, or a square weight, are transposed."""
    path, leaf = middle(leaves, lambda m: computes(m) and m.weight.shape[-1] == m.weight.shape[-2] > 1) or ("", None)
    if leaf is not None:
        compute_with(leaf, lambda x, weight: (x, weight.transpose(-1, -2)))
    return path


def rounded_inputs(leaves: dict[str, nn.Module]) -> str:
    """A convolution or linear layer computes in TensorFloat-32: its inputs are rounded to eleven bits."""
    path, leaf = middle(leaves, computes) or ("", nn.Identity())
    compute_with(leaf, lambda x, weight: (to_tf32(x), to_tf32(weight)))
    return path


def other_epsilon(leaves: dict[str, nn.Module]) -> str:
    """The epsilon of a norm is a hundred times as large."""
    path, leaf = middle(leaves, lambda m: hasattr(m, "eps")) or ("", None)
    if leaf is not None:
        leaf.eps *= 100
    return path


def computes(module: object) -> bool:
    """Whether a leaf is a convolution or a linear layer."""
    return isinstance(module, nn.Conv2d | nn.Linear)


def compute_with(
    leaf: Any,  # noqa: ANN401 - either kind
    change: Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]],
) -> None:
    """Let a convolution or linear layer compute with other inputs and weights."""

    def forward(x: torch.Tensor) -> torch.Tensor:
        x, weight = change(x, leaf.weight)
        if isinstance(leaf, nn.Conv2d):
            return leaf._conv_forward(x, weight, leaf.bias)  # type: ignore[no-any-return] # noqa: SLF001
        return nn.functional.linear(x, weight, leaf.bias)

    leaf.forward = forward


def to_tf32(x: torch.Tensor) -> torch.Tensor:
    """The numbers, rounded to ten bits after the binary point; their gradient is not rounded."""
    bits = x.detach().view(torch.int32)
    rounded = ((bits + 0x1000) & ~0x1FFF).view(torch.float32)
    return x + (rounded - x.detach())


TF32 = "TF32 instead of IEEE"
FAULTS: dict[str, Fault] = {
    "a layer times 1.01": scaled,
    "a gradient dropped": dropped,
    "a weight transposed": transposed,
    TF32: rounded_inputs,
    "epsilon times 100": other_epsilon,
}

if __name__ == "__main__":
    main()
