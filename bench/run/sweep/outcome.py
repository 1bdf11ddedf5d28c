"""How an attempt ended: by its run's files, by its job's last word, and by what the cluster says."""

from pathlib import Path

from bench.core.exits import INTERRUPTED, NOTHING, USAGE
from bench.core.sweep.status import Cause
from bench.run.commits.measure import is_complete
from bench.run.sweep.cluster import Seen
from bench.run.sweep.files import Ended

BY_ITSELF = {USAGE: Cause.USAGE, NOTHING: Cause.NOTHING_MEASURED, INTERRUPTED: Cause.CANCELLED}
"""Exit codes of `bench run` that say why it has no complete run."""


def cause_of(run: Path, ended: Ended | None, seen: Seen) -> Cause | None:
    """Why an attempt that is over has no complete run; None if it has one.

    | run.json | exit code | the cluster | cause |
    | --- | --- | --- | --- |
    | complete | not 4 | any | none |
    | any | 2, 4 or 130 | any | usage, nothing_measured, cancelled |
    | not complete | any | says why | what it says |
    | not complete | none, or a signal | is silent | killed |
    | not complete | another | is silent | incomplete |
    """
    code = None if ended is None else ended.exit_code
    if is_complete(run) and code != NOTHING:
        return None
    if code in BY_ITSELF:
        return BY_ITSELF[code]
    if seen.cause is not None:
        return seen.cause
    return Cause.KILLED if code is None or code < 0 else Cause.INCOMPLETE
