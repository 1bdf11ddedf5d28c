"""Whether a batch fits: one step of it under a limit of memory, its peak told."""

import resource

import torch

from bench.measure.clock import Clock
from bench.measure.probes.memory import process_peak_bytes
from bench.measure.probes.steps import take_step
from bench.measure.samples import Samples
from bench.measure.workload import Workload

FEW_IMAGES = 2
INDEX_WORDS = ("canUse32BitIndexMath", "integer out of range", "INT_MAX", "must be positive, but got N=-")
"""What is said of a tensor of 2^31 elements or more: by convolutions and pooling on CUDA, oneDNN, and a launch there.

pytorch/pytorch issues 80020, 167253 and 43476; libtorch_cpu of torch 2.14.
"""


def beyond_index(error: Exception) -> bool:
    """Whether an error says that a tensor has more elements than indices of 32 bits count, however much memory."""
    return isinstance(error, RuntimeError) and any(words in str(error) for words in INDEX_WORDS)


def limit(device: str, limit_bytes: int | None) -> None:
    """Let this process have no more memory than that; None leaves it as it is.

    On the CPU what the process may map to write (RLIMIT_DATA, getrlimit(2)), so that an allocation fails before the
    kernel kills a process; on CUDA what torch's allocator may take of the device.
    """
    if limit_bytes is None:
        return
    if device.startswith("cuda"):
        index = torch.device(device).index or 0
        total = torch.cuda.get_device_properties(index).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, limit_bytes / total), index)
    else:
        resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))


def measure(work: Workload, clock: Clock) -> Samples:
    """The batch that was tried, and the peak in a step of it: of the process, on CUDA of torch's allocator.

    Running out of memory is the caller's to tell.

    The optimizer's state is made beforehand, at little cost, as it is there in every later step.
    """
    if work.eager:
        x, y = next(work.batches)
        for count in (FEW_IMAGES, len(y)):
            work.trainer.step(x[:count], y[:count])
    else:
        for _ in range(2):
            take_step(work)
    clock.sync()
    samples = Samples("fit")
    samples.add("fit_batch", int(work.variant.batch_size))
    on_cuda = work.device.type == "cuda"  # there the limit is one on torch's allocator
    peak_bytes = torch.cuda.max_memory_reserved(work.device) if on_cuda else process_peak_bytes(work.device)
    if peak_bytes is not None:
        samples.add("fit_peak", peak_bytes)
    return samples
