"""What the device can do at most: operations and bytes a second."""

from bench.core.exchange.probe import Probe
from bench.measure.probe import Measured, Subject, Then
from bench.measure.work.roofs import measured


def measure(subject: Subject, so_far: Measured) -> Measured:
    """What was measured so far, and the roofs of the device."""
    return so_far.plus(measured(subject.work.device, subject.clock))


probe = Then(name=Probe.ROOFS, measure=measure, once=True)
