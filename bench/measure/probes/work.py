"""What each layer and phase of a step has to do: floating-point operations, and bytes that must move at least."""

from collections.abc import Iterator
from contextlib import contextmanager

from bench.core.exchange.probe import Probe
from bench.core.traces import BETWEEN, Owner
from bench.measure.probe import Measured, Subject, Then
from bench.measure.samples import Samples
from bench.measure.timing.layers import stamped
from bench.measure.work.counter import Counter, Work
from bench.measure.workload import Workload

LAYERED = ("forward", "backward")
"""The phases in which what runs outside of every layer is a row of its own."""


def work_of(work: Workload) -> dict[Owner, Work]:
    """What each layer and phase has to do in one step."""
    counter = Counter()
    with counted(work, counter):
        counter.begin("data")
        work.step(next(work.batches), mark=counter.begin)
        counter.begin("end")
    return counter.work()


@contextmanager
def counted(work: Workload, counter: Counter) -> Iterator[None]:
    """Within, every operator of a step is counted as its layer's."""
    with counter, stamped(work.trainer.model, counter):  # type: ignore[arg-type] # it takes turns as a timeline does
        yield


def samples_of(by_owner: dict[Owner, Work]) -> Samples:
    """The work of each layer and phase; unknown operations are left out."""
    samples = Samples("work")
    for (layer, phase), done in by_owner.items():
        row = layer or (BETWEEN if phase in LAYERED else "")
        if done.flops is not None:
            samples.add("flops", done.flops, layer=row, phase=phase)
            samples.add("half_flops", done.half_flops, layer=row, phase=phase)
        samples.add("least_bytes", done.least_bytes, layer=row, phase=phase)
    return samples


def measure(subject: Subject, so_far: Measured) -> Measured:
    """What was measured so far, and the work of each layer and phase."""
    return so_far.plus(samples_of(work_of(subject.work)))


probe = Then(name=Probe.WORK, measure=measure, once=True)
