"""What of CUDA a machine has, and why a variant can't run on it. Pure."""

import re
from dataclasses import dataclass
from enum import Enum, auto

from bench.core.variants import Variant

LEAST_DRIVER = {11: 450, 12: 525, 13: 580}
"""By CUDA's major version, the least driver (NVIDIA, CUDA Compatibility, "Minor Version Compatibility")."""
LEAST_TO_TUNE = 68
"""Multiprocessors below which max-autotune tries no kernels (torch._inductor.utils.is_big_gpu, torch 2.14)."""
ANOTHER = "take a Python with another torch (nox takes the one that NIN_PYTHON names)"

Capability = tuple[int, int]


class Unseen(Enum):
    """Why torch sees no CUDA device."""

    NO_DRIVER = auto()
    OLD_DRIVER = auto()
    CPU_TORCH = auto()
    UNTOLD = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What of a CUDA device decides which variants run on it."""

    capability: Capability
    multiprocessors: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuda:
    """The devices that torch sees, and what lies between them and torch; empty for what is not there."""

    devices: tuple[Device, ...] = ()
    driver: str = ""
    torch: str = ""
    version: str = ""
    """Of the CUDA that torch is built for."""
    architectures: tuple[str, ...] = ()
    """For which torch has kernels: sm_80, compute_90."""

    @property
    def unseen(self) -> Unseen | None:
        """Why torch sees no device; None where it sees one."""
        if self.devices:
            return None
        if not self.driver:
            return Unseen.NO_DRIVER
        if not self.version:
            return Unseen.CPU_TORCH
        return Unseen.OLD_DRIVER if major(self.driver) < self.least_driver else Unseen.UNTOLD

    @property
    def least_driver(self) -> int:
        """The oldest driver that this torch works with; 0 where that is not known."""
        return LEAST_DRIVER.get(major(self.version), 0)


def major(version: str) -> int:
    """The first number of a version; 0 where it has none."""
    match = re.match(r"\d+", version)
    return int(match[0]) if match else 0


def why_not(variant: Variant, cuda: Cuda) -> str:
    """Why a variant can't run on its CUDA device, in words; empty where nothing is known against it."""
    index = int(variant.device.partition(":")[2] or 0)
    if cuda.unseen:
        return unseen_words(cuda, cuda.unseen)
    if index >= len(cuda.devices):
        return f"only {len(cuda.devices)} CUDA devices"
    device = cuda.devices[index]
    return _no_kernels(device, cuda) or _lacking(variant, device)


def unseen_words(cuda: Cuda, why: Unseen) -> str:
    """Why torch sees no device, with the way out."""
    return {
        Unseen.NO_DRIVER: "no CUDA device",
        Unseen.OLD_DRIVER: f"NVIDIA's driver {cuda.driver} is too old for torch {cuda.torch}, which is built for CUDA "
        f"{cuda.version} and needs driver {cuda.least_driver}: update it, or {ANOTHER}",
        Unseen.CPU_TORCH: f"torch {cuda.torch} is built without CUDA, though NVIDIA's driver {cuda.driver} is here: "
        f"{ANOTHER}",
        Unseen.UNTOLD: f"torch {cuda.torch} (CUDA {cuda.version}) sees no CUDA device, though NVIDIA's driver "
        f"{cuda.driver} is here: look at CUDA_VISIBLE_DEVICES, and whether a container was given the GPU",
    }[why]


def _no_kernels(device: Device, cuda: Cuda) -> str:
    if not cuda.architectures or any(runs_on(device.capability, name) for name in cuda.architectures):
        return ""
    return (
        f"torch {cuda.torch} has no kernels for this GPU, whose compute capability is {dotted(device.capability)}: "
        f"they are for {' '.join(cuda.architectures)}: {ANOTHER}"
    )


def runs_on(capability: Capability, architecture: str) -> bool:
    """Whether a device runs what is built for an architecture (CUDA C++ Programming Guide, compute capabilities).

    What is compiled (sm) runs on the same major version, PTX (compute) on any later one; with an `a` on that one
    capability alone, with an `f` within its family. True for a name of another kind.
    """
    match = re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", architecture)
    if match is None:
        return True
    built = (int(match[2]), int(match[3]))
    if match[4] == "a":
        return capability == built
    anywhere = match[1] == "compute" and not match[4]
    return capability >= built and (anywhere or capability[0] == built[0])


def _lacking(variant: Variant, device: Device) -> str:
    """What a variant needs that its device has not."""
    has = f"this device has {dotted(device.capability)}"
    if variant.precision in ("tf32", "bf16") and device.capability < (8, 0):
        return f"{variant.precision} needs compute capability 8.0, {has}"
    if variant.compile_mode != "eager" and device.capability < (7, 0):
        return f"inductor's Triton needs compute capability 7.0, {has}"
    count = device.multiprocessors
    if variant.compile_mode == "max-autotune" and count is not None and count < LEAST_TO_TUNE:
        return f"max-autotune tunes nothing on fewer than {LEAST_TO_TUNE} multiprocessors, this device has {count}"
    return ""


def dotted(capability: Capability) -> str:
    """A compute capability as it is written."""
    return f"{capability[0]}.{capability[1]}"
