"""What a stamp between layers costs. The layers' own seconds come with the steps, whose stamps are theirs."""

from bench.core.exchange.probe import Probe
from bench.measure.probe import Measured, Subject, Then
from bench.measure.timing.stamps import stamp_costs


def measure(subject: Subject, so_far: Measured) -> Measured:
    """The cost of a stamp besides."""
    return so_far.plus(stamp_costs(subject.work, subject.clock))


probe = Then(name=Probe.LAYERS, measure=measure)
