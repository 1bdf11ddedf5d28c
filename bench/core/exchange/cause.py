"""How a trial ended, and why. These decide what follows; the sentence with them (`reason`) is for people alone."""

from dataclasses import dataclass
from enum import StrEnum

MOST_LETTERS = 500
"""The longest reason of a trial."""


class Status(StrEnum):
    """How a trial ended."""

    OK = "ok"
    OOM = "oom"
    TOO_LARGE = "too_large"
    TIMEOUT = "timeout"
    UNSUPPORTED = "unsupported"
    INVALID = "invalid"
    ERROR = "error"


class Cause(StrEnum):
    """Why a trial is not ok, or why it is ok and still lacks something. A plain result has no cause."""

    NOT_GATED = "not_gated"
    """The numerics gate can't tell; all else was measured."""

    TOO_SLOW = "too_slow"
    """Its first step showed that it is hopeless; it was measured no further."""

    NO_DEVICE = "no_device"
    UNSUPPORTED_SETTING = "unsupported_setting"
    """The tree's `nin` is older than a setting that the variant asks for."""
    BATCH_BEYOND_DATA = "batch_beyond_data"
    """A batch has more images than there are."""

    OUT_OF_MEMORY = "out_of_memory"
    """An allocator reported it."""
    BEYOND_INDEX = "beyond_index"
    """A tensor has more elements than indices of 32 bits count."""

    TIME_LIMIT = "time_limit"
    """The trial's own limit."""
    BUDGET_ENDED = "budget_ended"

    SETTINGS_DIFFER = "settings_differ"
    """The process is not set as the variant asks."""
    LAYERS_DIFFER = "layers_differ"
    """Weights or layers have another type or format than the variant asks for."""
    DID_NOT_COMPILE = "did_not_compile"
    RECOMPILED = "recompiled"
    """torch compiled again in the timed region."""
    RECOMPILE_LIMIT = "recompile_limit"
    """torch gave up compiling, and would have gone on eagerly."""
    GRAPH_BROKE = "graph_broke"
    CUDA_GRAPHS_SKIPPED = "cuda_graphs_skipped"
    ALLOCATOR_INEFFECTIVE = "allocator_ineffective"
    STEPS_SKIPPED = "steps_skipped"
    """The GradScaler skipped them in the timed region."""
    LOSS_NOT_FINITE = "loss_not_finite"
    NUMERICS_WRONG = "numerics_wrong"
    """The results are further from float64 than rounding explains."""
    NOT_IN_TREE = "not_in_tree"
    """Code from outside the tree was measured."""

    KILLED = "killed"
    """SIGKILL ended the worker: the kernel sends it when memory runs out."""
    CRASHED = "crashed"
    """Another signal or an exit code ended the worker."""
    NO_REPLY = "no_reply"
    """The worker ended well and left no reply."""
    BAD_REPLY = "bad_reply"
    """The reply is damaged, or does not fit the request."""
    DATA_ERROR = "data_error"
    MODEL_ERROR = "model_error"
    """The model can't be made, does not return scores, or can't be trained."""
    EXCEPTION = "exception"
    """Python raised another exception."""

    @property
    def status(self) -> Status:
        """How a trial ends for this cause."""
        return STATUS_OF[self]


STATUS_OF: dict[Cause, Status] = {
    Cause.NOT_GATED: Status.OK,
    Cause.TOO_SLOW: Status.OK,
    Cause.OUT_OF_MEMORY: Status.OOM,
    Cause.BEYOND_INDEX: Status.TOO_LARGE,
    **dict.fromkeys((Cause.TIME_LIMIT, Cause.BUDGET_ENDED), Status.TIMEOUT),
    **dict.fromkeys((Cause.NO_DEVICE, Cause.UNSUPPORTED_SETTING, Cause.BATCH_BEYOND_DATA), Status.UNSUPPORTED),
    **dict.fromkeys(
        (
            Cause.SETTINGS_DIFFER, Cause.LAYERS_DIFFER, Cause.DID_NOT_COMPILE, Cause.RECOMPILED, Cause.RECOMPILE_LIMIT,
            Cause.GRAPH_BROKE, Cause.CUDA_GRAPHS_SKIPPED, Cause.ALLOCATOR_INEFFECTIVE, Cause.STEPS_SKIPPED,
            Cause.LOSS_NOT_FINITE, Cause.NUMERICS_WRONG, Cause.NOT_IN_TREE,
        ),
        Status.INVALID,
    ),
    **dict.fromkeys(
        (
            Cause.KILLED, Cause.CRASHED, Cause.NO_REPLY, Cause.BAD_REPLY, Cause.DATA_ERROR, Cause.MODEL_ERROR,
            Cause.EXCEPTION,
        ),
        Status.ERROR,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a trial does not count: the cause, and a sentence for people."""

    cause: Cause
    reason: str


def fault(cause: Cause, reason: str) -> Fault | None:
    """A fault for this reason; None without one."""
    return Fault(cause, reason) if reason else None
