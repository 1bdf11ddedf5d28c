"""Whether a batch fits: one step of it under a limit of memory, with its peak."""

import resource

import torch

from bench.core.exchange.messages import Request
from bench.core.exchange.probe import Probe
from bench.measure.clock import Clock
from bench.measure.probe import First, Measured, Subject
from bench.measure.probes.memory import process_peak_bytes
from bench.measure.samples import Samples
from bench.measure.timing.steps import take_step
from bench.measure.workload import Workload

FEW_IMAGES = 2


def limit(device: str, limit_bytes: int | None) -> None:
    """Limit the memory of this process to `limit_bytes`; None leaves it as it is.

    On the CPU it limits what the process may map to write (RLIMIT_DATA, getrlimit(2)): an allocation then fails before
    the kernel kills a process. On CUDA it limits what torch's allocator may take of the device.
    """
    if limit_bytes is None:
        return
    if device.startswith("cuda"):
        index = torch.device(device).index or 0
        total = torch.cuda.get_device_properties(index).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, limit_bytes / total), index)
    else:
        resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))


def try_batch(work: Workload, clock: Clock) -> Samples:
    """The size of the batch, and the peak in a step of it: of the process, on CUDA of torch's allocator.

    An eager variant first takes a step of few images, which makes the optimizer's state at little cost: every later
    step has it. If memory runs out, torch's error is raised.
    """
    if work.eager and work.task is None and not work.variant.infers:
        x, y = next(work.batches)
        for count in (FEW_IMAGES, len(y)):
            work.trainer.step(x[:count], y[:count])
    else:
        for _ in range(2):
            take_step(work)
    clock.sync()
    samples = Samples("fit")
    samples.add("fit_batch", int(work.variant.batch_size))
    on_cuda = work.device.type == "cuda"  # there the limit is torch's allocator's
    peak_bytes = torch.cuda.max_memory_reserved(work.device) if on_cuda else process_peak_bytes(work.device)
    if peak_bytes is not None:
        samples.add("fit_peak", peak_bytes)
    return samples


def prepare(request: Request) -> None:
    """Limit the memory before anything is made in it."""
    limit(request.variant["device"], request.memory_limit_bytes)


def measure(subject: Subject) -> Measured:
    """The batch's size, and the peak in a step of it."""
    return Measured(samples=try_batch(subject.work, subject.clock))


probe = First(name=Probe.FIT, measure=measure, prepare=prepare)
