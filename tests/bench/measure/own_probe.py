"""A worker with a probe of a stranger's: `python own_probe.py REQUEST REPLY`."""

import sys

from bench.core.exchange.probe import Probe
from bench.measure import worker
from bench.measure.probe import Measured, Subject, Then
from bench.measure.registry import register
from bench.measure.samples import Samples


def measure(subject: Subject, so_far: Measured) -> Measured:
    """How many steps were taken by now."""
    samples = Samples("own")
    samples.add("own_steps", "1", subject.work.trainer.steps, scope="process")
    return so_far.plus(samples)


if __name__ == "__main__":
    register(Then(name=Probe.CANARY, measure=measure))
    worker.main(*sys.argv[1:])
