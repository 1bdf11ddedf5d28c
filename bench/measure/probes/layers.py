"""What a stamp between layers costs. The layers' seconds come from the stamped steps, which another probe takes."""

from bench.core.exchange.probe import Probe
from bench.measure.probe import Measured, Subject, Then
from bench.measure.timing.stamps import stamp_costs


def measure(subject: Subject, so_far: Measured) -> Measured:
    """What was measured so far, and the cost of a stamp."""
    return so_far.plus(stamp_costs(subject.work, subject.clock))


probe = Then(name=Probe.LAYERS, measure=measure)
