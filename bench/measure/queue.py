"""The queue of a loader with workers. Before anything is timed, it is brought to its state of the long run.

Workers make batches in advance whenever the training process pauses: while it compiles, calibrates or checks. The next
steps find their batches ready, at any speed of the loader. In the long run the queue is empty if the loader is
slower than the step, and full if it is faster.
"""

from bench.measure.clock import Clock
from bench.measure.workload import Workload

WAITING = 0.02
"""A larger share of the time spent waiting for batches means that the loader is slower; a smaller one is ignored."""
MARGIN = 1.5
"""The pause for a full queue is this multiple of the expected time."""


def steady(work: Workload, clock: Clock) -> bool:
    """Whether steps wait for the loader in the long run. It leaves the queue as it is in the long run.

    False if nothing is made in advance. It takes at most what the loader takes for three full queues (at two batches
    a worker), and one step more than there are workers.
    """
    if not work.workers:
        return False
    batch_s = drain(work, clock)
    if waits(work, clock):
        return True
    fill(work, clock, batch_s)
    return False


def drain(work: Workload, clock: Clock) -> float:
    """Seconds a batch of the loader alone, after the batches made in advance are taken."""
    for _ in range(work.in_advance):
        next(work.batches)
    start = clock.host_s()
    for _ in range(work.workers):  # workers that began together end together: only a whole turn gives their mean
        next(work.batches)
    return (clock.host_s() - start) / work.workers


def waits(work: Workload, clock: Clock) -> bool:
    """Whether steps wait for their batches once the queue is empty, over one turn of the workers."""
    work.trainer.step(*next(work.batches))
    start, waited_s = clock.host_s(), 0.0
    for _ in range(work.workers):
        asked_s = clock.host_s()
        batch = next(work.batches)
        waited_s += clock.host_s() - asked_s
        work.trainer.step(*batch)
    return waited_s > WAITING * (clock.host_s() - start)


def fill(work: Workload, clock: Clock, batch_s: float) -> None:
    """Let the queue fill, at `batch_s` seconds a batch: a pause does it sooner than steps would."""
    clock.sync()
    clock.pause(MARGIN * work.in_advance * batch_s)
