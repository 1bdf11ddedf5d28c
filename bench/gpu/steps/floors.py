"""The least time that a step can take on this device: what it must read and write, at the speed of a copy."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bench.gpu.steps.known import host_seconds
from bench.measure.clock import Clock
from bench.measure.timing.steps import take_step
from bench.measure.workload import Workload

COPIES = 8
NO_WRITE = ("aten::empty", "aten::new_empty")
"""Operators whose names begin so make a tensor and write nothing."""


def copy_bytes_per_s(device: torch.device, clock: Clock, size_bytes: int) -> float:
    """Bytes a second, read and written, of a copy within the device's memory."""
    source = torch.zeros(size_bytes // 4, device=device)
    target = torch.empty_like(source)

    def copies() -> None:
        for _ in range(COPIES):
            target.copy_(source)

    copies()
    return 2 * COPIES * size_bytes / host_seconds(copies, clock)


class Traffic(TorchDispatchMode):
    """Counts what operators read and write, as far as the device's cache can't hold it.

    A kernel may find in the cache what the one before it wrote, but of a tensor no more than the cache's size.
    """

    def __init__(self, cache_bytes: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch's
        self.cache_bytes = cache_bytes
        self.bytes = 0

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - torch's
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Run an operator and count it."""
        out = func(*args, **(kwargs or {}))
        read, written = storages((args, kwargs)), storages(out)
        changed = func._schema.is_mutable  # noqa: SLF001 - only the schema says it
        if not changed and written.keys() & read.keys():
            return out  # a view
        if not func.name().startswith(NO_WRITE):
            self.bytes += sum(max(0, size - self.cache_bytes) for size in (*read.values(), *written.values()))
        return out


def storages(values: object) -> dict[int, int]:
    """Bytes of the distinct tensors among values, by the address of their storage."""
    return dict(_sizes(values))


def _sizes(values: object) -> Iterator[tuple[int, int]]:
    for value in tree_leaves(values):
        if isinstance(value, torch.Tensor):
            storage = value.untyped_storage()
            yield storage.data_ptr(), min(storage.nbytes(), value.numel() * value.element_size())


def traffic_bytes(work: Workload, cache_bytes: int) -> int:
    """Bytes that a training step must read and write in the device's memory."""
    counted = Traffic(cache_bytes)
    with counted:
        take_step(work)
    return counted.bytes


def cache_bytes(device: torch.device) -> int:
    """The size of the device's last cache; 0 if torch does not say."""
    if device.type != "cuda":
        return 0
    return int(getattr(torch.cuda.get_device_properties(device), "L2_cache_size", 0))
