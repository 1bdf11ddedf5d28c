"""The probe of traces: what torch.profiler sees of some steps, with ranges named as our tables name things.

The ranges open at the same borders at which stamped steps take their stamps. The stamps are taken too, so a trace can
be compared with them step by step.
"""

import traceback
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.profiler import ProfilerActivity, profile, record_function, schedule

from bench.core.exchange.probe import Probe
from bench.core.header import Counts
from bench.core.traces import BETWEEN, RAW, SNAPSHOT, Owner, range_name
from bench.measure import fusion
from bench.measure.clock import Clock, Timeline
from bench.measure.devices.find import backend_of
from bench.measure.probe import First, Measured, Subject
from bench.measure.queue import steady
from bench.measure.samples import Samples
from bench.measure.timing.first import first_step
from bench.measure.timing.layers import stamped
from bench.measure.timing.steps import Plain, plain_sample, plain_samples, take_step, warm_up
from bench.measure.validity import verify
from bench.measure.validity.effects import Effects, disturbed, settle
from bench.measure.workload import Workload

IN_A_ROW = 10
"""How many plain steps a sample averages on a GPU: the launch of the first, into an empty queue, takes long."""
WARMUP = 1
"""Steps in which the profiler is on and keeps nothing: its first step is slow."""


class Ranges(Timeline):
    """A timeline that the profiler sees: a range for each phase, and within it one for each layer.

    In backward a layer's range covers the node that made its output. What autograd does until the next border belongs
    to the layer as well, and has no range. A checkpoint without early stop interrupts a node to compute its layers
    again. What the node does after that lies in no range of its layer either: only the stamps give it to the layer.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._phase: tuple[str, Any] = ("", None)
        self._layer: Any = None

    def enter(self, owner: Owner) -> None:
        """From now on the time is `owner`'s."""
        self.leave()
        layer, phase = owner
        if not layer and phase != self._phase[0]:
            if self._phase[1] is not None:
                self._phase[1].__exit__(None, None, None)
            self._phase = (phase, None if phase == "end" else opened((layer, phase)))
        elif layer or phase == "backward":
            self._layer = opened((layer or BETWEEN, phase))
        super().enter(owner)

    def leave(self) -> None:
        """End the range of a layer, if one is open; its time goes on."""
        if self._layer is not None:
            self._layer.__exit__(None, None, None)
            self._layer = None


def opened(owner: Owner) -> Any:  # noqa: ANN401 - a context of torch's
    """The open range of a layer or a phase."""
    context = record_function(range_name(owner))
    context.__enter__()
    return context


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """What is measured of the steps besides their trace."""

    samples: Samples
    page_faults: list[float]
    """Of each plain step; empty if they are not counted."""


def traced(work: Workload, clock: Clock, count: int, folder: Path) -> Traced:
    """The seconds that the stamps give of `count` steps, whose trace is written to the folder.

    Before the trace it takes as many samples of plain steps with their loss, if they have one. After it, on CUDA,
    it writes the allocator's history of one step.
    """
    plain, losses = plain_losses(work, clock, count)
    samples = plain_samples(plain, "trace")
    for index, loss in enumerate([] if work.variant.infers else losses):
        samples.add("loss", loss, index=index)
    backend = backend_of(work.device)
    with profile(
        activities=[ProfilerActivity.CPU, *backend.activities],
        schedule=schedule(wait=0, warmup=WARMUP, active=count, repeat=1),
        on_trace_ready=lambda done: done.export_chrome_trace(str(folder / RAW)),
        record_shapes=True,
        profile_memory=True,
        with_stack=True,
    ) as profiler:
        timelines = []
        steady(work, clock)  # starting the profiler took time; it forgets what it sees before its first step
        for _ in range(WARMUP + count):
            timelines.append(traced_step(work, clock))
            profiler.step()
    for index, timeline in enumerate(timelines[WARMUP:]):  # after the profile, which would record the reading too
        add_stamps(samples, timeline, index, eager=work.eager)
    if backend.history:
        history(work, clock, backend.history, folder / SNAPSHOT)
    return Traced(samples=samples, page_faults=[sample.used.page_faults for sample in plain if sample.used])


def plain_losses(work: Workload, clock: Clock, count: int) -> tuple[list[Plain], list[float]]:
    """`count` plain samples, and the loss of each."""
    trainer, iterations = work.trainer, IN_A_ROW if work.kind.accelerates else 1
    samples, losses = list[Plain](), list[float]()
    for _ in range(count):
        before = float(trainer.loss_sum)
        samples.append(plain_sample(work, clock, iterations))
        losses.append((float(trainer.loss_sum) - before) / iterations)
    return samples, losses


def traced_step(work: Workload, clock: Clock) -> Ranges:
    """The stamps of one step under ranges."""
    timeline = Ranges(clock)
    clock.sync()
    with stamped(work.trainer.model, timeline, timeline.leave) if work.eager else nullcontext():
        timeline.begin("data")
        work.step(next(work.batches), mark=timeline.begin)
        timeline.begin("end")
    clock.sync()
    return timeline


def add_stamps(samples: Samples, timeline: Timeline, index: int, *, eager: bool) -> None:
    """Add the seconds of each owner in one traced step."""
    samples.add("stamped_wall", timeline.wall_s(), index=index)
    for (layer, phase), seconds in timeline.seconds().items():
        if eager and (layer or phase in ("forward", "backward")):
            samples.add(
                "traced_wall", seconds, layer=layer or BETWEEN, phase=phase, index=index
            )  # fmt: skip
        else:
            samples.add("traced_wall", seconds, phase=phase, index=index)


def history(work: Workload, clock: Clock, memory: Any, path: Path) -> None:  # noqa: ANN401 - a module of torch
    """Write what a device's allocator did in one step, for pytorch.org/memory_viz; apart, since it is slow."""
    try:
        memory._record_memory_history(stacks="python")  # noqa: SLF001 - documented under this name
        take_step(work)
        clock.sync()
        memory._dump_snapshot(str(path))  # noqa: SLF001
    except Exception:  # noqa: BLE001 - an allocator without a history, or no memory: the trace stands without it
        traceback.print_exc()
    finally:
        with suppress(Exception):
            memory._record_memory_history(enabled=None)  # noqa: SLF001


def measure(subject: Subject) -> Measured:
    """The samples of traced steps, verified as timed steps are; their trace is written to the requested folder.

    Raises ValueError if the request names no folder.
    """
    work, clock, requested = subject.work, subject.clock, subject.request.trace
    if requested is None:
        msg = "a trace needs a number of steps and a folder"
        raise ValueError(msg)
    watch = None if work.eager else fusion.watch()
    facts, _ = first_step(work, clock)
    if watch:
        fusion.write(watch, work.trainer.model, Path(requested.folder))  # exporting a trace discards it
    settle(work)
    warm_up(work, clock, Counts(warmup=1))
    before = Effects.of(work)
    result = traced(work, clock, requested.steps, Path(requested.folder))
    loss_sum, after = float(work.trainer.loss_sum), Effects.of(work)
    fault = disturbed(work.variant, loss_sum, before, after)
    fault = fault or verify.after_steps(work.variant, facts, result.page_faults)
    return Measured(samples=result.samples, fault=fault)


probe = First(name=Probe.TRACE, measure=measure)
