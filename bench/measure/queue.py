"""The queue of a loader with workers, brought to the state that it has in the long run before anything is timed.

Workers make batches in advance whenever the training process pauses: while it compiles, calibrates or checks. The next
steps find their batches ready, at any speed of the loader. In the long run the queue is empty where the loader is
slower than the step, and full where it is faster.
"""

from bench.measure.clock import Clock
from bench.measure.workload import Workload

WAITING = 0.02
"""A larger share of waiting for batches means that the loader is the slower one; a smaller error is let pass."""
MARGIN = 1.5
"""How much longer than expected a full queue is waited for."""


def steady(work: Workload, clock: Clock) -> bool:
    """Whether steps wait for the loader in the long run; the queue is then as it is in the long run.

    False where nothing is made in advance. It takes at most what the loader takes for three full queues (at two batches
    a worker), and as many steps as there are workers and one.
    """
    if not work.workers:
        return False
    batch_s = drain(work, clock)
    if waits(work, clock):
        return True
    fill(work, clock, batch_s)
    return False


def drain(work: Workload, clock: Clock) -> float:
    """Seconds a batch of the loader alone, once what it had made in advance is taken."""
    for _ in range(work.in_advance):
        next(work.batches)
    start = clock.host_s()
    for _ in range(work.workers):  # workers that began together end together: only a whole turn has their mean
        next(work.batches)
    return (clock.host_s() - start) / work.workers


def waits(work: Workload, clock: Clock) -> bool:
    """Whether steps behind an empty queue wait for their batches, over one turn of the workers."""
    work.trainer.step(*next(work.batches))
    start, waited_s = clock.host_s(), 0.0
    for _ in range(work.workers):
        asked = clock.host_s()
        batch = next(work.batches)
        waited_s += clock.host_s() - asked
        work.trainer.step(*batch)
    return waited_s > WAITING * (clock.host_s() - start)


def fill(work: Workload, clock: Clock, batch_s: float) -> None:
    """Let the queue fill, at `batch_s` seconds a batch: a pause does it sooner than steps would."""
    clock.sync()
    clock.pause(MARGIN * work.in_advance * batch_s)
