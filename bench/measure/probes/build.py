"""The probe of whether a model can be trained: it shows the model two images, and measures nothing."""

from bench.core.exchange.probe import Probe
from bench.measure.probe import First, Measured, Subject
from bench.measure.samples import Samples
from bench.measure.validity.tryout import try_once


def measure(subject: Subject) -> Measured:
    """No samples. Raises ModelError if the model can't be trained."""
    try_once(subject.work)
    return Measured(samples=Samples("build"))


probe = First(name=Probe.BUILD, measure=measure, checked=False)
