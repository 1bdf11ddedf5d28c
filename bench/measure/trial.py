"""One trial: the model is made, verified, measured, and the answer put together."""

import traceback
from collections.abc import Iterable

import msgspec

from bench.core.exchange.cause import Cause, Fault, fault
from bench.core.exchange.messages import Reply, Request
from bench.core.variants import from_row
from bench.measure import failures, sources
from bench.measure.clock import clock_for
from bench.measure.probe import First, Measured, Subject, Then
from bench.measure.registry import in_order
from bench.measure.validity import verify
from bench.measure.workload import Inputs, build
from bench.process.turn import Turn


def answer(request: Request) -> Reply:
    """The reply to a request. Whatever goes wrong is a cause with a reason; only a trial that is ok has samples."""
    try:
        return measure(request)
    except Exception as error:  # noqa: BLE001 - a trial's failure is a row, whatever it is
        traceback.print_exc()
        return failed(failures.fault_of(error))


def measure(request: Request) -> Reply:
    """Measure the probes that were asked for, verified before and after."""
    first, _ = in_order(request.probes)
    first.prepare(request)
    work = build(from_row(request.variant), Inputs(**msgspec.structs.asdict(request.inputs)), request.seed)
    subject = Subject(request=request, work=work, clock=clock_for(work.device), turn=Turn(request.turns))
    differs = fault(Cause.SETTINGS_DIFFER, verify.before_steps(work)) if first.checked else None
    if found := misplaced(request) or differs:
        return failed(found)
    subject.turn.wait()
    return taken(subject)


def taken(subject: Subject) -> Reply:
    """The reply of the probes that were asked for, on a workload that is there."""
    return followed(subject, *in_order(subject.request.probes))


def followed(subject: Subject, first: First, then: Iterable[Then]) -> Reply:
    """The reply of a probe and those that follow it while all is well."""
    result = first.measure(subject)
    if late := misplaced(subject.request):  # imported within a step
        result = result.plus(fault=result.fault or late)
    once_s = 0.0
    for probe in then:
        if result.ok:
            began = subject.clock.host_s()
            result = probe.measure(subject, result)
            once_s += subject.clock.host_s() - began if probe.once else 0.0
    return replied(result, once_s)


def misplaced(request: Request) -> Fault | None:
    """Why the tree is not what is measured; None if it is, or if there is no tree."""
    return fault(Cause.NOT_IN_TREE, sources.misplaced(request.variant["model"], request.tree, request.caller))


def replied(result: Measured, once_s: float) -> Reply:
    """The reply of a trial that came to its end."""
    if result.fault and not result.ok:
        return failed(result.fault)
    return Reply(
        cause=result.fault.cause if result.fault else None,
        reason=result.fault.reason if result.fault else "",
        samples=tuple(result.samples.rows),
        layers=tuple(result.layers),
        state=result.state,
        counts=result.counts,
        peak_bytes=result.peak_bytes,
        once_s=once_s,
    )


def failed(why: Fault) -> Reply:
    """The reply of a trial without a result."""
    return Reply(cause=why.cause, reason=why.reason)
