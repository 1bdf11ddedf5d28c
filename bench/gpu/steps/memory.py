"""The step `memory`: whether the bytes that this harness tells are those that the allocator and NVML tell."""

import math

import torch
from torch.nn import functional as F

from bench.core.variants import Variant
from bench.gpu.checks import Bounds
from bench.gpu.recorder import Recorder, Task
from bench.measure.probes import memory
from bench.measure.probes.steps import take_step
from bench.measure.system.nvml import Gpu
from bench.measure.workload import Inputs, Workload, build

HELD = {"parameter": 7_968_664, "gradient": 7_968_664, "optimizer": 15_937_424}
"""Bytes: 1,992,166 numbers of 4, and Adam's two of each with one count for each of 24 tensors."""
ALIKE = Bounds(lo=0.98, hi=1.02)
"""Bytes told over bytes found. The allocator gives out multiples of 512 bytes."""
CONTEXT_BYTES = 2 * 2**30
"""What CUDA, cuDNN and cuBLAS have beside the allocator, at the most."""


def measure(task: Task, to: Recorder) -> None:
    """Hold what the harness tells of a step's memory against what others tell of the same process."""
    work = build(Variant(device=task.device, batch_size=2 if task.rehearse else 128), Inputs(), 0)
    told = {s.metric: float(s.value) for s in memory.measure(work).rows if not s.layer}
    for metric, size in HELD.items():
        to.check(metric, told.get(metric, math.nan), Bounds(lo=size, hi=size), "B", of_gpu=False)
    saved_over_found(work, told, to)
    if work.device.type != "cuda":
        to.skip("what NVML and the CUDA allocator tell", "there is no CUDA device in a rehearsal")
        return
    allocator(work, told, to)
    process(work, to)


def saved_over_found(work: Workload, told: dict[str, float], to: Recorder) -> None:
    """Check what a forward saves for backward against what the allocator holds behind one."""
    found = held_by_forward(work)
    to.check("saved, told over what the allocator holds behind a forward", told["saved"] / found, ALIKE)


def held_by_forward(work: Workload) -> float:
    """Bytes that the allocator holds more than before, once a batch is made and its loss is there; NaN on the CPU."""
    if work.device.type != "cuda":
        return math.nan
    torch.cuda.synchronize(work.device)
    before = torch.cuda.memory_allocated(work.device)
    x, y = work.trainer.move(*next(work.batches))
    with work.trainer.autocast():
        loss = F.cross_entropy(work.trainer.model(x), y)
    torch.cuda.synchronize(work.device)
    held = torch.cuda.memory_allocated(work.device) - before
    del loss
    return float(held)


def allocator(work: Workload, told: dict[str, float], to: Recorder) -> None:
    """Check the peak that was told against that of another step, and against what must have been held at once."""
    memory.reset_peak(work.device)
    take_step(work)
    torch.cuda.synchronize(work.device)
    again = torch.cuda.max_memory_allocated(work.device)
    to.check("allocator's peak, told over that of a further step", told["allocator_peak"] / again, ALIKE)
    least = told["parameter"] + told["optimizer"] + told["saved"]
    to.check("allocator's peak", told["allocator_peak"], Bounds(lo=least, hi=told["reserved"]), "B")


def process(work: Workload, to: Recorder) -> None:
    """Check what the allocator reserves now against what NVML says that this process has."""
    reserved = torch.cuda.memory_reserved(work.device)
    used = Gpu(work.device).used_bytes()
    if used is None:
        to.skip("NVML's bytes of this process", "NVML does not tell them here, as in many containers")
        return
    to.check("NVML's bytes of this process", used, Bounds(lo=reserved, hi=reserved + CONTEXT_BYTES), "B")
