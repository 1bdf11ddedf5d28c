"""The step `memory`: whether the harness, the allocator and NVML report the same bytes."""

import math

import torch

from bench.core.variants import Variant
from bench.gpu.checks import Bounds
from bench.gpu.recorder import Recorder, Task
from bench.measure.probes import memory
from bench.measure.system.nvml import Gpu
from bench.measure.timing.steps import take_step
from bench.measure.workload import Inputs, Workload, build

HELD = {"parameter": 7_968_664, "gradient": 7_968_664, "optimizer": 15_937_424}
"""Bytes: 1,992,166 numbers of 4, and Adam's two of each with one count for each of 24 tensors."""
ALIKE = Bounds(lo=0.98, hi=1.02)
"""Bytes that the harness reports over those of the allocator, which gives out multiples of 512 bytes."""
CONTEXT_BYTES = 2 * 2**30
"""The most that CUDA, cuDNN and cuBLAS may hold outside of the allocator."""


def measure(task: Task, to: Recorder) -> None:
    """Compare the bytes that the harness reports of a step with those that others report of the same process."""
    work = build(Variant(device=task.device, batch_size=2 if task.rehearse else 128), Inputs(), 0)
    reported = {s.metric: float(s.value) for s in memory.held_and_peaks(work).rows if not s.layer}
    for metric, size in HELD.items():
        to.check(metric, reported.get(metric, math.nan), Bounds(lo=size, hi=size), "B", of_gpu=False)
    saved_bytes(work, reported, to)
    if work.device.type != "cuda":
        to.skip("what NVML and the CUDA allocator report", "there is no CUDA device in a rehearsal")
        return
    allocator(work, reported, to)
    process(work, to)


def saved_bytes(work: Workload, reported: dict[str, float], to: Recorder) -> None:
    """Compare the bytes that a forward saves for backward with those that the allocator holds after a forward."""
    held_bytes = held_by_forward(work)
    to.check("saved, over what the allocator holds after a forward", reported["saved"] / held_bytes, ALIKE)


def held_by_forward(work: Workload) -> float:
    """Bytes that the allocator holds after a forward and its loss, more than before the batch; NaN on the CPU."""
    if work.device.type != "cuda":
        return math.nan
    torch.cuda.synchronize(work.device)
    before = torch.cuda.memory_allocated(work.device)
    batch = work.trainer.move(*next(work.batches))
    with work.trainer.autocast():
        loss = work.loss(work.trainer.model, *batch)
    torch.cuda.synchronize(work.device)
    held = torch.cuda.memory_allocated(work.device) - before
    del loss
    return float(held)


def allocator(work: Workload, reported: dict[str, float], to: Recorder) -> None:
    """Compare the reported peak with that of another step, and with what must have been held at once."""
    memory.reset_peak(work.device)
    take_step(work)
    torch.cuda.synchronize(work.device)
    again = torch.cuda.max_memory_allocated(work.device)
    to.check("allocator's peak, over that of a further step", reported["allocator_peak"] / again, ALIKE)
    least = reported["parameter"] + reported["optimizer"] + reported["saved"]
    to.check("allocator's peak", reported["allocator_peak"], Bounds(lo=least, hi=reported["reserved"]), "B")


def process(work: Workload, to: Recorder) -> None:
    """Compare what the allocator reserves now with what NVML says that this process has."""
    reserved = torch.cuda.memory_reserved(work.device)
    used = Gpu(work.device).used_bytes()
    if used is None:
        to.skip("NVML's bytes of this process", "NVML does not report them here, as in many containers")
        return
    to.check("NVML's bytes of this process", used, Bounds(lo=reserved, hi=reserved + CONTEXT_BYTES), "B")
