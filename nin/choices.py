"""The choices that change the speed of a training and not its recipe: each value by its name. No torch here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """What a precision sets."""

    flag: str = ""
    """The value of torch's float32 flags, ieee or tf32; if empty, they stay as torch has them."""
    autocast: str = ""
    """torch's type of autocast around forward and loss; if empty, there is no autocast."""
    scaled: bool = False
    """Whether a GradScaler scales the loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileMode:
    """How torch.compile is called."""

    compiles: bool = True
    mode: str | None = None
    graphs: bool = False
    """Whether the mode uses CUDA graphs on CUDA devices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    """Which implementation of Adam torch takes; None leaves the choice to torch."""

    foreach: bool | None = None
    fused: bool | None = None


PRECISIONS = {
    "default": Precision(),
    "fp32": Precision(flag="ieee"),
    "tf32": Precision(flag="tf32"),
    "bf16": Precision(autocast="bfloat16"),
    "fp16": Precision(autocast="float16", scaled=True),
}
MEMORY_FORMATS = {"nchw": "contiguous_format", "nhwc": "channels_last"}
"""torch's names, by ours."""
COMPILE_MODES = {
    "eager": CompileMode(compiles=False),
    "inductor": CompileMode(),
    "reduce-overhead": CompileMode(mode="reduce-overhead", graphs=True),
    "max-autotune": CompileMode(mode="max-autotune", graphs=True),
}
OPTIMIZERS = {"default": Optimizer(), "foreach": Optimizer(foreach=True), "fused": Optimizer(fused=True)}
SYNCS = ("epoch", "step")
CUDNN_BENCHMARKS = ("off", "on")
CHOICES: Mapping[str, Iterable[str]] = {
    "precision": PRECISIONS,
    "memory_format": MEMORY_FORMATS,
    "compile_mode": COMPILE_MODES,
    "optimizer": OPTIMIZERS,
    "sync": SYNCS,
    "cudnn_benchmark": CUDNN_BENCHMARKS,
}
"""The names of the values of each choice, the default first."""


def words(name: str) -> str:
    """The values of a choice as part of a sentence: `default, foreach or fused`."""
    *others, last = CHOICES[name]
    return f"{', '.join(others)} or {last}"
