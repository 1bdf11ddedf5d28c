"""The latency of single calls in inference: each is timed alone, from its batch on the host to the end of its work."""

from statistics import quantiles

from bench.core.exchange.probe import Probe
from bench.measure.clock import Clock
from bench.measure.probe import Measured, Subject, Then
from bench.measure.samples import Samples
from bench.measure.workload import Workload

MOST_CALLS = 300
MOST_S = 2.0
"""Calls begin for so long at most, the time to make their batches included."""
NAMES = {50: "latency_p50", 90: "latency_p90", 99: "latency_p99"}
"""The metrics of percentiles."""


def call_s(work: Workload, clock: Clock) -> float:
    """Seconds of one call on an idle device, without those in which its batch is made."""
    batch = next(work.batches)
    clock.sync()
    start = clock.host_s()
    work.step(batch)
    clock.sync()
    return clock.host_s() - start


def calls_s(work: Workload, clock: Clock) -> list[float]:
    """Seconds of each of many calls: MOST_CALLS, or as many as begin within MOST_S, and at least one."""
    start, seconds = clock.host_s(), list[float]()
    while not seconds or (len(seconds) < MOST_CALLS and clock.host_s() - start < MOST_S):
        seconds.append(call_s(work, clock))
    return seconds


def percentiles(seconds: list[float]) -> dict[int, float]:
    """The percentiles of NAMES that the calls can show: those beyond which at least one call should lie.

    So p90 needs 10 calls, and p99 needs 100. Between two calls a percentile lies on the line through both, as numpy's.
    """
    known = [percent for percent in NAMES if len(seconds) * (100 - percent) >= 100]
    cuts = quantiles(seconds, n=100, method="inclusive") if known else []
    return {percent: cuts[percent - 1] for percent in known}


def latencies(work: Workload, clock: Clock) -> Samples:
    """The percentiles of the seconds of single calls, and how many calls there were."""
    samples, seconds = Samples("latency"), calls_s(work, clock)
    samples.add("latency_calls", len(seconds))
    for percent, value in percentiles(seconds).items():
        samples.add(NAMES[percent], value, iterations=len(seconds))
    return samples


def measure(subject: Subject, so_far: Measured) -> Measured:
    """What was measured so far, and the latency of single calls."""
    return so_far.plus(latencies(subject.work, subject.clock))


probe = Then(name=Probe.LATENCY, measure=measure)
