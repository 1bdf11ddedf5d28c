"""Whether torch compiles the model, and how."""

from dataclasses import dataclass

from bench.core.axes.axis import Axis, SetBy, Value, by_name
from bench.core.axes.place import Capability, Place, dotted

TRITON: Capability = (7, 0)
"""The lowest that Triton compiles for."""
LEAST_TO_TUNE = 68
"""Multiprocessors; on fewer max-autotune tries no kernels (torch._inductor.utils.is_big_gpu, torch 2.14)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileMode(Value):
    """What measuring needs of a way to compile."""

    compiles: bool = True
    graphs: bool = False
    """Whether it replays CUDA graphs on CUDA devices."""
    tunes: bool = False
    """Whether it tries several kernels on CUDA devices."""

    def why_not(self, place: Place) -> str:
        """Why it can't run on a device, in words; empty if nothing is known against it."""
        if not self.compiles:
            return ""
        return Value.why_not(self, place) or self._device_lacks(place) or self._compiler_lacks(place)

    def _device_lacks(self, place: Place) -> str:
        if self.tunes and not place.kind.tunes:
            return f"inductor has no kernels among which {self.name} could choose on {place.kind.words}"
        if place.gpu is None:
            return ""
        if place.gpu.capability < TRITON:
            has = dotted(place.gpu.capability)
            return f"inductor's Triton needs compute capability {dotted(TRITON)}, this device has {has}"
        count = place.gpu.multiprocessors
        if self.tunes and count is not None and count < LEAST_TO_TUNE:
            return f"{self.name} tunes nothing on fewer than {LEAST_TO_TUNE} multiprocessors, this device has {count}"
        return ""

    def _compiler_lacks(self, place: Place) -> str:
        machine = place.machine
        if not machine.cxx_compiler:
            return "no C++ compiler, which inductor needs"
        if place.kind.triton and not machine.c_compiler:
            return "no C compiler, which inductor's Triton needs"
        if place.kind.triton and not machine.python_headers:
            return "no Python.h, which inductor's Triton needs (Debian: python3-dev)"
        return ""


COMPILE_MODE = Axis(
    default="eager",
    values=by_name(
        CompileMode("eager", compiles=False),
        CompileMode("inductor", python=("model = torch.compile(model, dynamic=False)",)),
        CompileMode(
            "reduce-overhead",
            graphs=True,
            needs_cuda="reduce-overhead is CUDA graphs, which need a CUDA device",
            python=(
                'model = torch.compile(model, mode="reduce-overhead", dynamic=False)',
                "torch.compiler.cudagraph_mark_step_begin()  # before every step",
            ),
        ),
        CompileMode(
            "max-autotune",
            graphs=True,
            tunes=True,
            python=('model = torch.compile(model, mode="max-autotune", dynamic=False)',),
        ),
    ),
    always_in_id=True,
    set_by=SetBy.TRAINER,
    overrides=("TORCHDYNAMO_DISABLE", "TORCH_COMPILE_DISABLE"),
)
