"""The steps of `bench gpu` in order of worth, as data: name, time limit and needs of each."""

from dataclasses import dataclass
from enum import StrEnum

RESERVE_S = 10.0
"""The part of the budget that is kept for packing."""


class Need(StrEnum):
    """What a step can't do without."""

    CUDA = "a CUDA device"
    PYTEST = "pytest"
    IMAGES = "all 60,000 train images of Fashion-MNIST (NIN_DATA names their folder)"


CUDA = frozenset({Need.CUDA})
REHEARSED = frozenset({Need.CUDA, Need.IMAGES})
"""The needs that a rehearsal can do without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A part of the acceptance: the function `measure` of module bench.gpu.steps.NAME, in a process of its own."""

    name: str
    title: str
    share: float
    """The largest part of the whole budget that it may take."""
    least_s: float
    """It is skipped if less time than this is left."""
    needs: frozenset[Need] = CUDA

    def limit_s(self, budget_s: float, left_s: float) -> float:
        """Seconds after which its process is ended."""
        return min(self.share * budget_s, left_s - RESERVE_S)

    def lacks(self, has: set[Need], *, rehearse: bool) -> list[Need]:
        """The needs that are not met here, in the order of Need."""
        needed = self.needs - REHEARSED if rehearse else self.needs
        return [need for need in Need if need in needed - has]


STEPS = (
    Step(name="machine", title="environment and canary", share=0.12, least_s=5, needs=frozenset()),
    Step(name="times", title="truth of times", share=0.2, least_s=20),
    Step(name="memory", title="truth of memory", share=0.12, least_s=10),
    Step(name="rounds", title="a run with verdicts", share=0.7, least_s=90),
    Step(name="training", title="the notebook's training", share=0.2, least_s=20, needs=CUDA | {Need.IMAGES}),
    Step(name="trace", title="a trace", share=0.1, least_s=10),
    Step(name="tests", title="tests of what only a GPU shows", share=0.3, least_s=15, needs=CUDA | {Need.PYTEST}),
    Step(name="lockstep", title="trials that take turns", share=0.6, least_s=240),
)
