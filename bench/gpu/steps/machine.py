"""The step `machine`: what GPU and software this is, and whether a fixed piece of work is steady on it."""

import importlib.util
import warnings
from collections import defaultdict

import msgspec
import torch

from bench.core.facts import Environment
from bench.gpu.checks import Bounds
from bench.gpu.plan import Need
from bench.gpu.recorder import Recorder, Task
from bench.gpu.steps.known import Products
from bench.machine import gpus
from bench.measure.clock import Clock
from bench.measure.devices.find import clock_for
from bench.measure.probes import canary
from bench.measure.system.environment import describe
from bench.measure.system.nvml import Gpu
from bench.measure.system.state import gpu_state
from nin.data import DataError, find

STEADY = 1.1
"""The most that the slowest of three samples of a canary may be over the fastest."""
LOAD_S = 1.0
"""How long the device is under load before its clock and power are read."""
DESCRIBED = ("python", "torch", "cuda", "cudnn", "driver", "triton", "cpu", "cores", "os", "commit", "code")


def measure(task: Task, to: Recorder) -> None:
    """Record the facts, and what later steps need. Check that the GPU is free, and that the canary is steady."""
    devices, why = usable_devices()
    described = describe()
    for name in DESCRIBED:
        to.fact(name, getattr(described, name))
    to.check("CUDA devices that torch can use", devices, Bounds(lo=1), reason=why)
    if importlib.util.find_spec("pytest"):
        to.has(Need.PYTEST)
    if has_images():
        to.has(Need.IMAGES)
    if devices and not task.rehearse:
        to.has(Need.CUDA)
    if devices or task.rehearse:
        record_device(torch.device(task.device), described, to)


def usable_devices() -> tuple[int, str]:
    """How many CUDA devices torch can use; if none, what torch and the driver say.

    Torch says it once in a process, so this must be asked first.
    """
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count:
        return count, ""
    built = f"this torch is built for CUDA {torch.version.cuda}" if torch.version.cuda else "this torch has no CUDA"
    driver = gpus.driver(gpus.nvml())
    driver_words = f"a driver {driver} is here" if driver else "NVML finds no driver"
    return 0, "; ".join([built, driver_words, *(str(warning.message).splitlines()[0] for warning in warned)])


def has_images() -> bool:
    """Whether all of Fashion-MNIST is here."""
    try:
        return not find().is_subset
    except DataError:
        return False


def record_device(device: torch.device, described: Environment, to: Recorder) -> None:
    """Record what the device is, idle and under load. Check what else uses it, and the canary."""
    if device.type == "cuda":
        for name, value in msgspec.structs.asdict(described.cuda_devices[device.index or 0]).items():
            to.fact(name, value)
        to.fact("ecc", Gpu(device).ecc())
    clock = clock_for(device)
    steadiness(device, clock, to)
    if processes := described.gpu_processes:  # asked before this one opened the device
        others = processes[device.index or 0]
        to.check("other processes on the GPU", others, Bounds(hi=0), reason="a desktop's count too" if others else "")
    else:
        to.skip("other processes on the GPU", "NVML does not say")
    if device.type == "cuda":
        Products.lasting(2 * LOAD_S, 4096, device, clock)()
        clock.pause(LOAD_S)
        for name, value in gpu_state(Gpu(device)).items():
            to.fact(f"{name} under load", value)
        clock.sync()


def steadiness(device: torch.device, clock: Clock, to: Recorder) -> None:
    """Check that each canary takes as long every time."""
    samples = defaultdict(list)
    for sample in canary.seconds_of_each(device, clock).rows:
        samples[sample.metric].append(sample.value)
    for metric, seconds in samples.items():
        to.check(f"{metric}: slowest over fastest of {len(seconds)}", max(seconds) / min(seconds), Bounds(hi=STEADY))
