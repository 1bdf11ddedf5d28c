"""The backend of a device: the one place that tells kinds of device apart while something is measured."""

import torch

from bench.measure.clock import Clock
from bench.measure.devices.backend import Backend
from bench.measure.devices.cpu import Cpu
from bench.measure.devices.cuda import Cuda
from bench.measure.devices.mps import Mps
from bench.measure.devices.xpu import Xpu

BACKENDS: dict[str, Backend] = {backend.kind.name: backend for backend in (Cpu(), Cuda(), Mps(), Xpu())}


def backend_of(device: torch.device) -> Backend:
    """The backend of a device. Raises KeyError for a kind that is none of KINDS."""
    return BACKENDS[device.type]


def clock_for(device: torch.device) -> Clock:
    """The clock for work on a device."""
    return backend_of(device).clock(device)
