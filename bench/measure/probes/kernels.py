"""What one step really called: the heaviest operator or kernel of each leaf, and how often tensors changed layout."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import torch
from msgspec.structs import replace
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

from bench.core.exchange.probe import Probe
from bench.core.traces import owner_of
from bench.measure.clock import HostClock
from bench.measure.devices.find import backend_of
from bench.measure.probe import Measured, Subject, Then
from bench.measure.probes.trace import Ranges
from bench.measure.samples import Samples
from bench.measure.timing.layers import stamped
from bench.measure.timing.steps import take_step
from bench.measure.validity.verify import format_of
from bench.measure.work.turns import Turns
from bench.measure.workload import Workload
from bench.tasks.nest import tensors
from nin.train import MEMORY_FORMATS

COPIES = (torch.ops.aten.clone, torch.ops.aten._to_copy, torch.ops.aten.copy_)  # noqa: SLF001 - its public name
OPERATORS = "aten::"


def measure(subject: Subject, so_far: Measured) -> Measured:
    """What was measured so far, the conversions of layout and of type a step, and each layer's heaviest kernel.

    That is the one that ran longest in the leaf's forward: on the CPU an operator by itself, on CUDA a kernel. Where
    the profiler sees nothing of the device's own work, it is not known.
    """
    samples = Samples("kernels")
    for name, value in copies_of(subject.work).items():
        samples.add(name, value)
    kernels = heaviest(forward_events(subject.work)) if subject.work.kind.profiled else {}
    layers = [replace(fact, kernel=kernels.get(fact.layer, "")) for fact in so_far.layers]
    return so_far.plus(samples, layers=layers)


def copies_of(work: Workload) -> dict[str, int]:
    """How many conversions of layout and casts of type a step has."""
    copies = Copies()
    with copies:
        take_step(work)
    return copies.counts


def forward_events(work: Workload) -> list[FunctionEvent]:
    """The profiler's events of one forward, with a range for each leaf.

    Backward and optimizer would be four events in five, and the profiler takes longer to list events than to record
    them.
    """
    activities = [ProfilerActivity.CPU, *backend_of(work.device).activities]
    model, ranges = work.trainer.model, Ranges(HostClock())  # nobody reads its stamps
    if work.owns_step or work.variant.infers:
        with profile(activities=activities) as profiler, stamped(model, ranges, ranges.leave):
            work.step(next(work.batches), mark=ranges.begin)
            ranges.begin("end")
        return list(profiler.events())
    batch = work.trainer.move(*next(work.batches))
    with profile(activities=activities) as profiler, work.trainer.autocast(), stamped(model, ranges, ranges.leave):
        ranges.enter(("", "forward"))
        work.loss(model, *batch)
        ranges.enter(("", "end"))
    return list(profiler.events())


def heaviest(events: list[FunctionEvent]) -> dict[str, str]:
    """By layer, the name of what took most of its forward: a kernel if a device ran any, else an operator by itself."""
    times, on_device = defaultdict[str, Counter[str]](Counter), defaultdict[str, Counter[str]](Counter)
    for event in events:
        layer, phase = owner_of(event.name) or ("", "")
        if layer and phase == "forward":
            for inner in within(event):
                if inner.name.startswith(OPERATORS):  # the profiler adds marks of its own
                    times[layer][inner.name] += inner.self_cpu_time_total
                for kernel in inner.kernels:
                    on_device[layer][kernel.name] += kernel.duration
    return {layer: (on_device[layer] or own).most_common(1)[0][0] for layer, own in times.items() if own}


def within(event: FunctionEvent) -> Iterator[FunctionEvent]:
    """The events inside of an event, at any depth."""
    for child in event.cpu_children:
        yield child
        yield from within(child)


class Copies(Turns):
    """Counts the operators that turn a tensor from one memory format, or one float type, into another."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = {"conversions": 0, "casts": 0}
        self._taken: list[tuple[str, torch.dtype]] = []

    def before(self, args: tuple[Any, ...]) -> None:
        """Keep the formats and types of what an operator takes: it may change them in place."""
        self._taken = [(format_of(t), t.dtype) for t in tensors(args)]

    def after(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: object) -> None:  # noqa: ANN401, ARG002
        """Compare its result with them."""
        if getattr(func, "overloadpacket", None) in COPIES and self._taken and isinstance(result, torch.Tensor):
            source_format, source_dtype = self._taken[-1]  # of copy_(target, source), else of the only one
            formats = {source_format, format_of(result)}
            self.counts["conversions"] += len(formats) > 1 and formats <= set(MEMORY_FORMATS)
            self.counts["casts"] += (
                source_dtype != result.dtype and source_dtype.is_floating_point and result.dtype.is_floating_point
            )


probe = Then(name=Probe.KERNELS, measure=measure, once=True)
