"""The causes of trials that were measured before trials.csv had the column: the one place that reads sentences."""

from bench.core.exchange.cause import Cause, Status

NOT_GATED = "not gated: "
"""The beginning of such a reason in runs of schema 3."""
CAUSES: dict[Status, dict[str, Cause]] = {
    Status.OK: {"": Cause.NOT_GATED},
    Status.OOM: {"": Cause.OUT_OF_MEMORY},
    Status.TOO_LARGE: {"": Cause.BEYOND_INDEX},
    Status.TIMEOUT: {", when the budget ended": Cause.BUDGET_ENDED, "": Cause.TIME_LIMIT},
    Status.UNSUPPORTED: {
        "no CUDA device": Cause.NO_DEVICE,
        "no device ": Cause.NO_DEVICE,
        "nin of this tree has no ": Cause.UNSUPPORTED_SETTING,
        "train images there are": Cause.BATCH_BEYOND_DATA,
    },
    Status.INVALID: {
        "rounding explains": Cause.NUMERICS_WRONG,
        "not found in the tree": Cause.NOT_IN_TREE,
        "from the calling folder": Cause.NOT_IN_TREE,
        "compiled anew so often": Cause.RECOMPILE_LIMIT,
        "compiled anew in the timed region": Cause.RECOMPILED,
        "graph broke": Cause.GRAPH_BROKE,
        "CUDA graphs were skipped": Cause.CUDA_GRAPHS_SKIPPED,
        "the GradScaler skipped": Cause.STEPS_SKIPPED,
        "the loss is": Cause.LOSS_NOT_FINITE,
        "nothing was compiled": Cause.DID_NOT_COMPILE,
    },
    Status.ERROR: {
        "killed by SIGKILL": Cause.KILLED,
        "the worker was killed by": Cause.CRASHED,
        "the worker ended with exit code": Cause.CRASHED,
        "no reply that can be read": Cause.BAD_REPLY,
        "is not what was asked": Cause.BAD_REPLY,
    },
}
"""The causes by status and by a part of the reason. The first part that the reason contains decides."""


def migrated(status: Status, reason: str) -> tuple[Cause | None, str]:
    """The cause of a trial of an earlier run by its reason, and the reason as it is written now.

    The cause is None for a plain result, and if the reason names none.
    """
    if status is Status.OK and not reason:
        return None, reason
    cause = next((cause for words, cause in CAUSES[status].items() if words in reason), None)
    return cause, reason.removeprefix(NOT_GATED)
