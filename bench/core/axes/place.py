"""Place: the facts of a machine and its devices that decide whether a value of an axis can run there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from bench.core.axes.kind import Kind, index_of, kind_of

LEAST_DRIVER = {11: 450, 12: 525, 13: 580}
"""The oldest driver by CUDA's major version (NVIDIA, CUDA Compatibility, "Minor Version Compatibility")."""

Capability = tuple[int, int]


class Unseen(Enum):
    """Why torch sees no CUDA device."""

    NO_DRIVER = auto()
    OLD_DRIVER = auto()
    CPU_TORCH = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """The facts of a CUDA device that decide which variants run on it."""

    capability: Capability
    multiprocessors: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuda:
    """The devices that torch sees, and the software between them and torch; empty if something is not there."""

    devices: tuple[Device, ...] = ()
    driver: str = ""
    torch: str = ""
    version: str = ""
    """The version of CUDA that torch is built for."""
    architectures: tuple[str, ...] = ()
    """The architectures that torch has kernels for: sm_80, compute_90."""

    @property
    def unseen(self) -> Unseen | None:
        """Why torch sees no device; None if it sees one."""
        if self.devices:
            return None
        if not self.driver:
            return Unseen.NO_DRIVER
        if not self.version:
            return Unseen.CPU_TORCH
        return Unseen.OLD_DRIVER if major(self.driver) < self.least_driver else Unseen.UNKNOWN

    @property
    def least_driver(self) -> int:
        """The oldest driver that this torch works with; 0 if that is unknown."""
        return LEAST_DRIVER.get(major(self.version), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """The devices that are neither the CPU nor CUDA, as torch sees them."""

    counts: Mapping[str, int] = field(default_factory=dict)
    """How many there are, by kind."""
    built: frozenset[str] = frozenset()
    """The kinds that torch is built for."""
    torch: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The facts of a machine that decide which variants can run there."""

    cuda: Cuda = field(default_factory=Cuda)
    others: Others = field(default_factory=Others)
    cxx_compiler: bool = False
    c_compiler: bool = False
    python_headers: bool = False
    """Whether Python.h is there."""
    glibc: tuple[int, int] | None = None
    huge_pages: str = ""
    """The kernel's setting of transparent huge pages: always, madvise, never or unknown."""
    libraries: Mapping[str, str] = field(default_factory=dict)
    """The file of each library that is installed, by the name of the value that loads it first."""
    cores: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A device of a machine, on which a value of an axis can run or not."""

    device: str = "cpu"
    machine: Machine

    @property
    def kind(self) -> Kind:
        """The kind of the device."""
        return kind_of(self.device)

    @property
    def on_cuda(self) -> bool:
        """Whether it is a CUDA device."""
        return self.device.startswith("cuda")

    @property
    def index(self) -> int:
        """The number of the device among those of its kind."""
        return index_of(self.device)

    @property
    def gpu(self) -> Device | None:
        """The CUDA device; None for one of another kind, and if the device is not there."""
        devices = self.machine.cuda.devices
        return devices[self.index] if self.on_cuda and self.index < len(devices) else None


def major(version: str) -> int:
    """The first number of a version; 0 if it has none."""
    match = re.match(r"\d+", version)
    return int(match[0]) if match else 0


def dotted(capability: Capability) -> str:
    """A compute capability as text: `8.0`."""
    return f"{capability[0]}.{capability[1]}"
