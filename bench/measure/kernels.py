"""What one step really called: the heaviest operator or kernel of each leaf, and how often tensors changed layout."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils._python_dispatch import TorchDispatchMode

from bench.measure.layers import leaves, tensors
from bench.measure.samples import Samples
from bench.measure.steps import take_step
from bench.measure.verify import format_of
from bench.measure.workload import Workload

COPIES = (torch.ops.aten.clone, torch.ops.aten._to_copy, torch.ops.aten.copy_)  # noqa: SLF001 - its public name
RANGE, OPERATORS = "layer:", "aten::"


def measure(work: Workload) -> tuple[Samples, dict[str, str]]:
    """Conversions of layout and of type a step, as samples; and the heaviest operator or kernel by leaf.

    A kernel is told of the leaf's forward: on the CPU the operator that ran longest by itself, on CUDA the kernel.
    """
    activities = [ProfilerActivity.CPU]
    if work.device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    copies = Copies()
    with profile(activities=activities) as profiler, named(work.trainer.model), copies:
        take_step(work)
    samples = Samples("kernels")
    for name, value in copies.counts.items():
        samples.add(name, "1", value)
    return samples, heaviest(profiler.events())


@contextmanager
def named(model: nn.Module) -> Iterator[None]:
    """Within, the forward of each leaf is a range of the profile by the leaf's path."""
    open_ranges: list[Any] = []

    def begin(path: str) -> None:
        open_ranges.append(record_function(RANGE + path))
        open_ranges[-1].__enter__()

    def end() -> None:
        open_ranges.pop().__exit__(None, None, None)

    handles = []
    for path, leaf in leaves(model).items():
        handles.append(leaf.register_forward_pre_hook(lambda _m, _x, path=path: begin(path)))
        handles.append(leaf.register_forward_hook(lambda _m, _x, _y: end()))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def heaviest(events: list[FunctionEvent]) -> dict[str, str]:
    """By leaf the name that took the most time within its range: a device's kernel, or an operator by itself."""
    found: dict[str, str] = {}
    for event in events:
        if event.name.startswith(RANGE) and event.name.removeprefix(RANGE) not in found:
            times: Counter[str] = Counter()
            on_device: Counter[str] = Counter()
            for inner in within(event):
                if inner.name.startswith(OPERATORS):  # the profiler has marks of its own among them
                    times[inner.name] += inner.self_cpu_time_total
                for kernel in inner.kernels:
                    on_device[kernel.name] += kernel.duration
            if top := (on_device or times).most_common(1):
                found[event.name.removeprefix(RANGE)] = top[0][0]
    return found


def within(event: FunctionEvent) -> Iterator[FunctionEvent]:
    """The events inside of an event, at any depth."""
    for child in event.cpu_children:
        yield child
        yield from within(child)


class Copies(TorchDispatchMode):
    """Counts the operators that turn a tensor from one memory format, or one float type, into another."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch's
        self.counts = {"conversions": 0, "casts": 0}

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        """The operator's own result."""
        before = [(format_of(t), t.dtype) for t in tensors(args)]
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket in COPIES and before and isinstance(result, torch.Tensor):
            source_format, source_dtype = before[-1]  # of copy_(target, source), else of the only one
            self.counts["conversions"] += {source_format, format_of(result)} == {"nchw", "nhwc"}
            self.counts["casts"] += (
                source_dtype != result.dtype and source_dtype.is_floating_point and result.dtype.is_floating_point
            )
        return result
