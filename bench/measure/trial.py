"""One trial: it makes the model, verifies it, measures, and puts the reply together."""

import traceback
from collections.abc import Iterable

import msgspec

from bench.core.exchange.cause import Cause, Fault, fault
from bench.core.exchange.messages import Reply, Request
from bench.core.variants import from_row
from bench.measure import failures, sources
from bench.measure.devices.find import clock_for
from bench.measure.probe import First, Measured, Subject, Then
from bench.measure.ranks.peers import ALONE, Peers
from bench.measure.registry import in_order
from bench.measure.validity import verify
from bench.measure.workload import Inputs, build
from bench.process.turn import Turn


def answer(request: Request, peers: Peers = ALONE) -> Reply:
    """The reply to a request. What goes wrong is a cause with a reason; only a trial that is ok has samples."""
    try:
        return measure(request, peers)
    except Exception as error:  # noqa: BLE001 - every failure of a trial is a row
        traceback.print_exc()
        return failure(failures.fault_of(error))


def measure(request: Request, peers: Peers = ALONE) -> Reply:
    """The reply of the requested probes, verified before and after."""
    first, _ = in_order(request.probes)
    first.prepare(request)
    inputs = Inputs(**msgspec.structs.asdict(request.inputs))
    work = build(from_row(request.variant), inputs, request.seed, peers)
    subject = Subject(request=request, work=work, clock=clock_for(work.device), turn=Turn(request.turns))
    differs = fault(Cause.SETTINGS_DIFFER, verify.before_steps(work)) if first.checked else None
    if why := misplaced(request) or differs:
        return failure(why)
    subject.turn.wait()
    return run_probes(subject)


def run_probes(subject: Subject) -> Reply:
    """The reply of the requested probes, on a workload that is made."""
    return run_in_order(subject, *in_order(subject.request.probes))


def run_in_order(subject: Subject, first: First, then: Iterable[Then]) -> Reply:
    """The reply of the first probe and the others, which run while its result stands."""
    result = first.measure(subject)
    if why := misplaced(subject.request):  # a step may import, too
        result = result.plus(fault=result.fault or why)
    once_s = 0.0
    for probe in then:
        if result.fault is None:
            began = subject.clock.host_s()
            result = probe.measure(subject, result)
            once_s += subject.clock.host_s() - began if probe.once else 0.0
    return reply_of(result, once_s)


def misplaced(request: Request) -> Fault | None:
    """Why the code measured is not the tree's; None if it is, or if there is no tree."""
    return fault(Cause.NOT_IN_TREE, sources.misplaced(request.variant["model"], request.tree, request.caller))


def reply_of(result: Measured, once_s: float) -> Reply:
    """The reply of a trial that came to its end."""
    if result.fault and not result.ok:
        return failure(result.fault)
    return Reply(
        cause=result.fault.cause if result.fault else None,
        reason=result.fault.reason if result.fault else "",
        samples=tuple(result.samples.rows),
        layers=tuple(result.layers),
        state=result.state,
        counts=result.counts,
        items=result.items,
        understood=result.understood,
        peak_bytes=result.peak_bytes,
        once_s=once_s,
    )


def failure(why: Fault) -> Reply:
    """The reply of a trial without a result."""
    return Reply(cause=why.cause, reason=why.reason)
