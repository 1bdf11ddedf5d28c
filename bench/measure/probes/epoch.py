"""Whole epochs, in a process of their own: they include what a projection from steps leaves out."""

from bench.core.exchange.probe import Probe
from bench.measure.clock import Clock
from bench.measure.probe import First, Measured, Subject
from bench.measure.samples import Samples
from bench.measure.workload import Workload
from bench.plan.schedule import WHOLE_EPOCHS
from nin.loaders import Loader


def whole_epochs(work: Workload, clock: Clock, count: int) -> Samples:
    """Seconds of `count` whole epochs over all train images, the last partial batch included.

    The first is a metric of its own. In a fresh process it starts workers, compiles (for the partial batch too) and
    fills caches. If CUDA graphs are replayed, the second epoch records that of the partial batch, and is left out.
    """
    samples = Samples("epoch")
    loader = work.whole_loader()
    samples.add("first_epoch", epoch_s(work, clock, loader))
    if work.variant.replays:
        epoch_s(work, clock, loader)
    for index in range(count):
        samples.add("epoch", epoch_s(work, clock, loader), index=index)
    samples.add("epoch_images", work.trainer.images)
    return samples


def epoch_s(work: Workload, clock: Clock, loader: Loader) -> float:
    """Seconds of one epoch over the loader's batches."""
    clock.sync()
    start = clock.host_s()
    work.trainer.epoch(loader)
    clock.sync()
    return clock.host_s() - start


def measure(subject: Subject) -> Measured:
    """The samples of as many whole epochs as a plan expects."""
    return Measured(samples=whole_epochs(subject.work, subject.clock, WHOLE_EPOCHS))


probe = First(name=Probe.EPOCH, measure=measure)
