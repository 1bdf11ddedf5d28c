"""Several ranks side by side: computation, communication that nothing hides, and waiting for the others."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.analyse.kineto import nesting
from bench.analyse.kineto.reading.events import Events, Integers
from bench.analyse.kineto.steps import Part, Steps, kinds_of

COLUMNS = ["rank", "steps", "step_s", "computation_s", "communication_s", "exposed_s", "waiting_s"]


def table(names: Sequence[str], traces: Sequence[tuple[Events, Steps]]) -> pd.DataFrame:
    """A row a rank; seconds are means over its steps.

    computation_s: kernels that do not communicate; on a CPU the operators. communication_s: the collectives.
    exposed_s: the part of them during which no computation runs. waiting_s: what collectives took longer than on the
    rank where the same call was shortest, which is the time for which a rank waits for one that comes later; NaN if the
    ranks did not make the same calls.
    """
    rows, shortest = [], shortest_calls([events for events, _ in traces])
    for name, (events, steps) in zip(names, traces, strict=True):
        kinds = kinds_of(events)
        talks = kinds[Part.COMMUNICATION]
        works = kinds[Part.KERNEL] if len(kinds[Part.KERNEL]) else kinds[Part.OPERATOR]
        means = [
            float(nesting.covered(stretches(events, chosen), steps.begin_ns, steps.end_ns).mean()) / 1e9
            for chosen in (works, talks, np.concatenate([works, talks]))
        ]
        computation_s, communication_s, either_s = means
        waiting_s = waiting(events, talks, shortest, steps) if shortest is not None else math.nan
        step_s = float(steps.duration_ns.mean()) / 1e9
        rows.append(
            (name, len(steps.names), step_s, computation_s, communication_s, either_s - computation_s, waiting_s)
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def stretches(events: Events, chosen: Integers) -> tuple[Integers, Integers]:
    """The stretches that some events cover."""
    return nesting.merged(events.begin_ns[chosen], events.end_ns[chosen])


def in_order(events: Events, talks: Integers) -> Integers:
    """The collectives in the order of their begins."""
    return talks[np.argsort(events.begin_ns[talks], kind="stable")]


def shortest_calls(ranks: Sequence[Events]) -> Integers | None:
    """The shortest duration of each collective on any rank, in their order; None if their names are not the same."""
    calls = [(events, in_order(events, kinds_of(events)[Part.COMMUNICATION])) for events in ranks]
    names = [events.named(talks) for events, talks in calls]
    if len(ranks) < 2 or not names[0] or any(other != names[0] for other in names[1:]):
        return None
    return np.asarray(np.min([events.duration_ns[talks] for events, talks in calls], axis=0), dtype=np.int64)


def waiting(events: Events, talks: Integers, shortest: Integers, steps: Steps) -> float:
    """Seconds a step for which the collectives that began in the steps took longer than the shortest of any rank."""
    ordered = in_order(events, talks)
    begins = events.begin_ns[ordered]
    step = np.searchsorted(steps.begin_ns, begins, side="right") - 1
    inside = (step >= 0) & (begins < steps.end_ns[step])
    return float((events.duration_ns[ordered] - shortest)[inside].sum()) / len(steps.names) / 1e9
