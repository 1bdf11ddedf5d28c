"""The numerics gate, which comes last: it changes the weights."""

import traceback

from bench.core.exchange.cause import Cause, Fault
from bench.core.exchange.probe import Probe
from bench.measure.failures import reason_of
from bench.measure.probe import Measured, Subject, Then
from bench.measure.samples import Samples
from bench.measure.validity.gate import numerics
from bench.measure.validity.gate.stored import Store


def measure(subject: Subject, so_far: Measured) -> Measured:
    """What was measured so far, the errors against float64, and whether the variant is wrong.

    If the gate itself fails, what was measured stands.
    """
    samples, store = Samples("numerics"), Store(subject.request.references)
    try:
        if subject.work.task is None and not subject.work.variant.infers:
            samples.add("live_logits", numerics.live_logits(subject.work, store))
        gated = numerics.measure(subject.work, store)
    except Exception as error:  # noqa: BLE001 - such as a model that has no float64, or no memory for it
        traceback.print_exc()
        samples.add("not_gated", 1)
        return so_far.plus(samples, fault=Fault(Cause.NOT_GATED, reason_of(error)))
    return so_far.plus(samples, gated.samples(), fault=gated.fault)


probe = Then(name=Probe.NUMERICS, measure=measure, once=True)
