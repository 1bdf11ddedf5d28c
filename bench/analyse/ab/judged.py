"""The metrics that `bench ab` judges: on which scale, by which change, and with which words."""

from dataclasses import dataclass
from math import log1p

import numpy as np
import pandas as pd

from bench.analyse.stats import Interval
from bench.analyse.verdicts import FASTER, FEWER_FAULTS, MORE_FAULTS, SLOWER, verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How the values of a metric are compared. Less is better."""

    metric: str
    added: float = 0.0
    """What is added to each value before its log is taken, so that values near zero compare."""
    delta: float | None = None
    """The change that matters, relative to a value with what is added; None: the run's, which is one of times."""
    better: str
    worse: str

    def fits(self, arms: pd.DataFrame) -> bool:
        """Whether every value has a log."""
        return bool((arms + self.added > 0).to_numpy().all())

    def logs(self, arms: pd.DataFrame) -> pd.DataFrame:
        """The values on the scale of the test."""
        return pd.DataFrame(np.log(arms + self.added))

    def delta_or(self, of_times: float) -> float:
        """The change that matters: its own, or else that of times."""
        return of_times if self.delta is None else self.delta

    def log_delta(self, of_times: float) -> float:
        """The change that matters, on the scale of the test."""
        return log1p(self.delta_or(of_times))

    def word(self, ratio: Interval, rounds: int, of_times: float) -> str:
        """The word for a ratio, base over head, by the change of a time that matters."""
        word = verdict(ratio, rounds, self.delta_or(of_times))
        return {FASTER: self.better, SLOWER: self.worse}.get(word, word)


STEP_TIME = Judged(metric="wall", better=FASTER, worse=SLOWER)
PAGE_FAULTS = Judged(metric="page_faults", added=5_000, delta=0.1, better=FEWER_FAULTS, worse=MORE_FAULTS)
"""More is worse from 500 faults a step and a tenth of the base's on: docs/verdicts.md says what these cost."""
JUDGED = {judged.metric: judged for judged in (STEP_TIME, PAGE_FAULTS)}
REGRESSIONS = frozenset(judged.worse for judged in JUDGED.values())
