"""The facts of the machine and its software in run.json, and the ranges of their values."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from bench.core.axes.kind import CPU, CUDA, index_of, kind_of

Text = Annotated[str, Meta(max_length=100_000)]
Word = Annotated[str, Meta(max_length=1000)]
Name = Annotated[str, Meta(min_length=1, max_length=1000)]
Number = Annotated[float, Meta(ge=0, le=1e18)]
Positive = Annotated[float, Meta(gt=0, le=1e9)]
Count = Annotated[int, Meta(ge=0, le=2**31)]
PositiveCount = Annotated[int, Meta(ge=1, le=2**31)]
Bytes = Annotated[int, Meta(ge=0, le=2**62)]


class CudaDevice(Struct, frozen=True, kw_only=True):
    """A CUDA device as the run began."""

    name: Word
    memory_bytes: Bytes
    """For a MIG slice, the slice's own."""
    capability: tuple[Count, Count] = (0, 0)
    multiprocessors: Count | None = None
    power_limit_w: Number | None = None
    """The limit that the driver enforces."""
    max_sm_clock_hz: Number | None = None
    mig: bool | None = None
    """Whether the GPU is divided into slices."""


OtherKind = Literal["mps", "xpu"]
"""The kinds of device that are neither the CPU nor CUDA."""


class Accelerator(Struct, frozen=True, kw_only=True):
    """A device that is neither the CPU nor CUDA, as the run began."""

    kind: OtherKind
    name: Word
    memory_bytes: Bytes | None = None
    """An XPU's own; on MPS what Metal recommends as the most, of the memory that it shares with the CPU."""
    driver: Word | None = None
    compute_units: Count | None = None
    """An XPU's parallel compute units, the cores of Apple's GPU."""
    timing: Literal["events", "synchronised"]
    """How the parts of its steps are timed: by events in its own order of work, or by the host after a wait for it."""


class Environment(Struct, frozen=True, kw_only=True):
    """The machine and its software; None for what is unknown."""

    cpu: Word | None = None
    cores: PositiveCount | None = None
    """How many threads can run all the time: the smallest of affinity mask, cpuset and quota."""
    affinity_cores: PositiveCount | None = None
    cpu_quota: Positive | None = None
    """CPU seconds per second that the control groups grant."""
    memory_bytes: Bytes | None = None
    """The machine's memory, or the limit of the control groups if that is less."""
    memory_limit_bytes: Bytes | None = None
    memory_available_bytes: Bytes | None = None
    page_bytes: Annotated[int, Meta(ge=1, le=2**40)] | None = None
    os: Word | None = None
    architecture: Word | None = None
    libc: Word | None = None
    huge_pages: Word | None = None
    governor: Word | None = None
    tcmalloc: Word | None = None
    """The library in runs from before `libraries` existed."""
    libraries: dict[Word, Word] = {}
    """The files of the installed libraries that variants load first, by the name of the value that asks for one."""
    cxx_compiler: Word | None = None
    c_compiler: Word | None = None
    python: Word | None = None
    python_headers: bool | None = None
    """Whether Python.h is there: Triton needs it."""
    torch: Word | None = None
    torchvision: Word | None = None
    torch_threads: PositiveCount | None = None
    onednn: bool | None = None
    cpu_capability: Word | None = None
    cpu_half: Word | None = None
    cuda: Word | None = None
    """The version that torch is built for."""
    driver: Word | None = None
    """The version of NVIDIA's driver."""
    triton: Word | None = None
    cudnn: Count | None = None
    cudnn_benchmark: bool | None = None
    cudnn_deterministic: bool | None = None
    cuda_architectures: list[Word] = []
    """The architectures that torch has kernels for."""
    cuda_devices: list[CudaDevice] = []
    gpu_processes: list[Count] = []
    """How many other processes used each CUDA device when the run began."""
    accelerators: list[Accelerator] | UnsetType = UNSET
    """The devices that are neither the CPU nor CUDA. Not in the file if there is none."""
    built_for: list[OtherKind] | UnsetType = UNSET
    """Those kinds of them that torch is built for. Not in the file if there is none."""
    commit: Word | None = None
    code: Word | None = None
    """A digest of the code that measures."""
    variables: dict[Word, Text] = {}

    def others(self, kind: str) -> list[Accelerator]:
        """The devices of a kind that is neither the CPU nor CUDA, in torch's order."""
        return [device for device in self.accelerators or () if device.kind == kind]

    def hardware_of(self, device: str) -> str:
        """The name of a device's hardware, a GPU's or the processor's; empty if it is not known."""
        kind, index = kind_of(device), index_of(device)
        if kind is CPU:
            return self.cpu or ""
        names = [known.name for known in (self.cuda_devices if kind is CUDA else self.others(kind.name))]
        return names[index] if index < len(names) else ""

    def facts(self) -> dict[str, object]:
        """The known facts by name; each library has an entry of its own."""
        facts: dict[str, object] = msgspec.to_builtins(self)
        del facts["libraries"]
        facts |= {name: file for name, file in self.libraries.items() if facts.get(name) is None}
        return {name: value for name, value in facts.items() if value not in (None, "", [], {})}
