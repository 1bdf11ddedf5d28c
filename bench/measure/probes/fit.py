"""Whether a batch fits: one step of it under a limit of memory, with its peak."""

import torch

from bench.core.exchange.cause import Cause
from bench.core.exchange.messages import Request
from bench.core.exchange.probe import Probe
from bench.measure.clock import Clock
from bench.measure.devices.find import backend_of
from bench.measure.probe import First, Measured, Subject
from bench.measure.samples import Samples
from bench.measure.timing.steps import take_step
from bench.measure.workload import UnsupportedError, Workload

FEW_IMAGES = 2


def limit(device: str, limit_bytes: int | None) -> None:
    """Limit the memory of this process to `limit_bytes`; None leaves it as it is.

    On the CPU it limits what the process may map, on a GPU what torch's allocator may take of the device. Raises
    UnsupportedError if this torch can't limit it.
    """
    if limit_bytes is None:
        return
    place = torch.device(device)
    if not backend_of(place).limit(place, limit_bytes):
        msg = f"torch {torch.__version__} can't limit the memory that a process takes of {device}"
        raise UnsupportedError(Cause.UNSUPPORTED_SETTING, msg)


def try_batch(work: Workload, clock: Clock) -> Samples:
    """The size of the batch, and the peak in a step of it: of the process, on a GPU of torch's allocator.

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
    backend = backend_of(work.device)  # on a GPU the limit is that of torch's allocator
    of = backend.reserved_peak_bytes if work.kind.accelerates else backend.held_bytes
    peak_bytes = of(work.device)
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
