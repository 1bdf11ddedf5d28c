"""The device that trains."""

import re

from bench.core.axes.axis import Axis, SetBy, Value
from bench.core.axes.kind import KINDS, MPS, OTHERS, XPU, Kind
from bench.core.axes.place import Capability, Cuda, Device, Others, Place, Unseen, dotted

ANOTHER = "take a Python with another torch (nox takes the one that NIN_PYTHON names)"


APPLE = "it needs Apple silicon and macOS 14 or later"
UNBUILT = {MPS.name: APPLE, XPU.name: ANOTHER}
"""What to do if torch is not built for a kind."""
UNSEEN = {MPS.name: APPLE, XPU.name: "look at Intel's driver, and at ZE_AFFINITY_MASK"}
"""What to look at if torch is built for a kind and sees no device of it (docs.pytorch.org, notes on MPS and XPU)."""


class DeviceValue(Value):
    """The CPU or another device."""

    __slots__ = ()

    def why_not(self, place: Place) -> str:
        """Why torch can't use the device, in words; empty if nothing is known against it."""
        if place.kind in OTHERS:
            return other_words(place.machine.others, place.kind, place.index)
        if not place.on_cuda:
            return ""
        cuda = place.machine.cuda
        if cuda.unseen:
            return unseen_words(cuda, cuda.unseen)
        if place.gpu is None:
            return f"only {len(cuda.devices)} CUDA devices"
        return no_kernels_words(place.gpu, cuda)


def unseen_words(cuda: Cuda, why: Unseen) -> str:
    """Why torch sees no device, and what to do about it."""
    return {
        Unseen.NO_DRIVER: "no CUDA device",
        Unseen.OLD_DRIVER: f"NVIDIA's driver {cuda.driver} is too old for torch {cuda.torch}, which is built for CUDA "
        f"{cuda.version} and needs driver {cuda.least_driver}: update it, or {ANOTHER}",
        Unseen.CPU_TORCH: f"torch {cuda.torch} is built without CUDA, though NVIDIA's driver {cuda.driver} is here: "
        f"{ANOTHER}",
        Unseen.UNKNOWN: f"torch {cuda.torch} (CUDA {cuda.version}) sees no CUDA device, though NVIDIA's driver "
        f"{cuda.driver} is here: look at CUDA_VISIBLE_DEVICES, and whether a container was given the GPU",
    }[why]


def other_words(others: Others, kind: Kind, index: int) -> str:
    """Why torch has no device of this kind and number, and what to do about it; empty if it has."""
    count = others.counts.get(kind.name, 0)
    if index < count:
        return ""
    if count:
        return f"only {count} {kind.words} device{'s' if count > 1 else ''}"
    if kind.name not in others.built:
        return f"no {kind.words} device: torch {others.torch} is built without {kind.words}: {UNBUILT[kind.name]}"
    return f"no {kind.words} device, though torch {others.torch} is built for {kind.words}: {UNSEEN[kind.name]}"


def no_kernels_words(device: Device, cuda: Cuda) -> str:
    """A sentence that torch has no kernels for a device; empty if it has some, or if that is unknown."""
    if not cuda.architectures or any(runs_on(device.capability, name) for name in cuda.architectures):
        return ""
    return (
        f"torch {cuda.torch} has no kernels for this GPU, whose compute capability is {dotted(device.capability)}: "
        f"they are for {' '.join(cuda.architectures)}: {ANOTHER}"
    )


def runs_on(capability: Capability, architecture: str) -> bool:
    """Whether a device runs code that is built for an architecture (CUDA C++ Programming Guide, compute capabilities).

    Compiled code (sm) runs on later devices of the same major version, PTX (compute) on any later device. With an `a`
    it runs on that one capability alone, with an `f` within its family. True for a name of another kind.
    """
    match = re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", architecture)
    if match is None:
        return True
    built = (int(match[2]), int(match[3]))
    if match[4] == "a":
        return capability == built
    anywhere = match[1] == "compute" and not match[4]
    return capability >= built and (anywhere or capability[0] == built[0])


DEVICE = Axis(
    default="cpu",
    pattern="|".join(rf"{name}(?::\d+)?" if kind.numbered else name for name, kind in KINDS.items()),
    pattern_words="cpu, cuda, cuda:N, mps, xpu or xpu:N",
    of=DeviceValue,
    always_in_id=True,
    in_baseline=True,
    set_by=SetBy.NIN,
)
