"""The precision in which a step computes."""

import math
from dataclasses import dataclass

from bench.core.axes.axis import Axis, SetBy, Value, by_name
from bench.core.axes.kind import OTHERS
from bench.core.axes.place import Capability, Place, dotted

AMPERE: Capability = (8, 0)
"""CUDA devices compute TensorFloat-32 and bfloat16 from this capability on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision(Value):
    """What measuring needs of a precision."""

    autocast: str = ""
    """The type of autocast in forward and loss; empty without autocast."""
    scaled: bool = False
    """Whether a GradScaler scales the loss, if there is one: inference has none."""
    roundoff: float = math.nan
    """Unit roundoff: half the distance from 1 to the next number. NaN if it depends on the device."""
    grain: float = math.nan
    """The share of its value by which a number may move.

    It is the unit roundoff if products are rounded to the precision and added up in float32. float32 itself rounds at
    each of many thousand additions: its grain is 256 times its roundoff. TensorFloat-32's grain is 32 times that one.
    NaN if it depends on the device.
    """
    own_kernels: bool = False
    """Whether it has kernels of its own, which may round more often than the products need."""
    capability: Capability = (0, 0)
    """The lowest that a CUDA device may have."""

    @property
    def computed_in(self) -> str:
        """The type in which layers compute and give their output."""
        return self.autocast or "float32"

    def why_not(self, place: Place) -> str:
        """Why it can't run on a device, in words; empty if nothing is known against it."""
        if place.gpu is not None and place.gpu.capability < self.capability:
            has = dotted(place.gpu.capability)
            return f"{self.name} needs compute capability {dotted(self.capability)}, this device has {has}"
        if self is TF32 and place.kind in OTHERS:
            return "tf32 is set on CUDA devices only"  # an XPU may have it, by flags that nothing here has tried
        return Value.why_not(self, place)


def _autocast(dtype: str) -> tuple[str, ...]:
    return (
        f"with torch.autocast(device.type, dtype=torch.{dtype}):  # around forward and loss",
        "    loss = criterion(model(x), y)",
    )


def _around_calls(dtype: str) -> tuple[str, ...]:
    return (f"with torch.autocast(device.type, dtype=torch.{dtype}):  # around every call",)


IEEE = Precision(
    "fp32",
    roundoff=2.0**-24,
    grain=2.0**-16,
    python=(
        'torch.backends.cuda.matmul.fp32_precision = "ieee"',
        'torch.backends.cudnn.conv.fp32_precision = "ieee"',
    ),
    flags={
        "backends.cuda.matmul.fp32_precision": "ieee",
        "backends.cudnn.conv.fp32_precision": "ieee",
        "backends.mkldnn.matmul.fp32_precision": "ieee",
        "backends.mkldnn.conv.fp32_precision": "ieee",
    },
)
TF32 = Precision(
    "tf32",
    roundoff=2.0**-11,
    grain=2.0**-11,
    own_kernels=True,
    flags={"backends.cuda.matmul.fp32_precision": "tf32", "backends.cudnn.conv.fp32_precision": "tf32"},
    needs_cuda="TF32 exists on CUDA devices only",
    capability=AMPERE,
)
BF16 = Precision(
    "bf16",
    autocast="bfloat16",
    roundoff=2.0**-8,
    grain=2.0**-8,
    own_kernels=True,
    python=_autocast("bfloat16"),
    inference=_around_calls("bfloat16"),
    capability=AMPERE,
)
FP16 = Precision(
    "fp16",
    autocast="float16",
    scaled=True,
    roundoff=2.0**-11,
    grain=2.0**-11,
    own_kernels=True,
    python=(
        "scaler = torch.amp.GradScaler(device.type)  # once",
        *_autocast("float16"),
        "scaler.scale(loss).backward()",
        "scaler.step(optimizer)",
        "scaler.update()",
    ),
    inference=_around_calls("float16"),
)
PRECISION = Axis(
    default="default",
    values=by_name(Precision("default"), IEEE, TF32, BF16, FP16),
    always_in_id=True,
    set_by=SetBy.TRAINER,
    overrides=("NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"),
)


def computed(name: str, capability: Capability | None) -> Precision:
    """The precision that really computes on a CUDA device of this capability, or on a CPU (None).

    torch's default is TF32 in the convolutions of newer GPUs, and IEEE float32 elsewhere.
    """
    if name != PRECISION.default:
        return PRECISION.value(name)
    return TF32 if capability is not None and capability >= TF32.capability else IEEE
