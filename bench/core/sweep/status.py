"""How a job of a sweep stands, and why it has no complete run. These decide what follows; words are made last."""

from enum import StrEnum


class Status(StrEnum):
    """How a job, or one attempt at it, stands."""

    PENDING = "pending"
    """It waits for a node."""
    RUNNING = "running"
    OK = "ok"
    """Its run is complete."""
    LOST = "lost"
    """It has no complete run, and another attempt may have."""
    FAILED = "failed"
    """It has no complete run, and another attempt would end alike."""


ENDED = frozenset({Status.OK, Status.LOST, Status.FAILED})


class Cause(StrEnum):
    """Why an attempt has no complete run."""

    KILLED = "killed"
    """The job ended without a word, or by a signal."""
    NODE_FAILED = "node_failed"
    TIMEOUT = "timeout"
    PREEMPTED = "preempted"
    CANCELLED = "cancelled"
    """Somebody took it from the queue, or ended it there."""
    OUT_OF_MEMORY = "out_of_memory"
    INTERRUPTED = "interrupted"
    """The sweep itself was interrupted, and ended it: this counts as no attempt."""
    NOTHING_MEASURED = "nothing_measured"
    """The run ended by itself, and no variant could be measured on that node."""
    INCOMPLETE = "incomplete"
    """The run ended by itself, for another reason."""
    USAGE = "usage"
    """The run refused its options."""
    NOT_SUBMITTED = "not_submitted"
    """The cluster refused the job."""

    @property
    def status(self) -> Status:
        """How an attempt ends for this cause."""
        return Status.FAILED if self is Cause.USAGE else Status.LOST
