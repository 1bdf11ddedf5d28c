"""One long stretch of steps in a fresh process: how fast a GPU trains once it is warm, and on how much energy.

A card whose power is limited, or whose heat builds up, is faster in the half second of a trial than in the minutes of
an epoch.
"""

from bench.core.exchange.probe import Probe
from bench.measure.clock import Clock
from bench.measure.devices.find import backend_of
from bench.measure.probe import First, Measured, Subject
from bench.measure.samples import Samples
from bench.measure.timing.steps import calibrate, first_step_s, take_step, warm_up
from bench.measure.validity.effects import settle
from bench.measure.workload import Workload
from bench.plan.schedule import SUSTAINED_S

BEGIN_S = 0.5
"""How long the beginning of the stretch is: about as long as a trial in a round."""
LEAST_ENERGY_S = 2.0
"""A shorter stretch gets no energy. NVML's counter moved every 0.1 s on an H100: each end of the stretch may be off by
the energy of that time, both together by a tenth of 2 s, or by a fiftieth of SUSTAINED_S."""


def stretch(work: Workload, clock: Clock, stretch_s: float = SUSTAINED_S) -> Samples:
    """Seconds a step in the first half second and in the last half of a stretch, and joules a step over all of it.

    It begins after the same warm-up as a trial in a round, so its beginning is what such a trial measures. Energy is
    blank if NVML does not report it.
    """
    samples, gpu = Samples("sustained"), backend_of(work.device).gpu(work.device)
    first_s = first_step_s(work, clock)
    settle(work)
    counts = warm_up(work, clock, calibrate(work, clock, first_s, plain=1, stamped=0))
    before_mj = gpu.energy_mj() if gpu else None
    ends_s = groups(work, clock, counts.iterations, stretch_s)
    after_mj = gpu.energy_mj() if gpu else None
    taken = counts.iterations * (len(ends_s) - 1)
    begin_s, last_s = (seconds / counts.iterations for seconds in begin_and_last(ends_s))
    samples.add("sustained_begin", begin_s)
    samples.add("sustained", last_s, iterations=taken)
    energy_j = joules(before_mj, after_mj, ends_s[-1])
    if energy_j is not None:
        samples.add("energy", energy_j / taken, iterations=taken)
    return samples


def groups(work: Workload, clock: Clock, steps: int, stretch_s: float) -> list[float]:
    """When each group of `steps` ended, in seconds from the stretch's start. The first entry is the start, 0.

    It waits for the device after each group, as after a plain sample: so both can be compared.
    """
    clock.sync()
    start, ends_s = clock.host_s(), [0.0]
    while ends_s[-1] < stretch_s:
        for _ in range(steps):
            take_step(work)
        clock.sync()
        ends_s.append(clock.host_s() - start)
    return ends_s


def begin_and_last(ends_s: list[float]) -> tuple[float, float]:
    """Seconds a group in the stretch's first half second, and in its last half: of whole groups, at least one."""
    begin = next((i for i, end_s in enumerate(ends_s) if end_s >= BEGIN_S), len(ends_s) - 1)
    half = next(i for i, end_s in enumerate(ends_s) if end_s >= ends_s[-1] / 2)
    half = min(half, len(ends_s) - 2)
    return ends_s[begin] / begin, (ends_s[-1] - ends_s[half]) / (len(ends_s) - 1 - half)


def joules(before_mj: int | None, after_mj: int | None, stretch_s: float) -> float | None:
    """Joules between two readings of the counter; None if a reading is missing, or the stretch is too short."""
    if before_mj is None or after_mj is None or stretch_s < LEAST_ENERGY_S:
        return None
    return (after_mj - before_mj) / 1e3


def measure(subject: Subject) -> Measured:
    """The samples of one stretch."""
    return Measured(samples=stretch(subject.work, subject.clock))


probe = First(name=Probe.SUSTAINED, measure=measure)
