"""Plain and stamped steps take turns: what the machine does meanwhile, and what the model does, both come to see."""

from typing import Any

import pandas as pd
import pytest
from msgspec.structs import asdict

from bench.analyse.values import closures
from bench.core.header import Counts
from bench.measure.samples import Samples
from bench.measure.timing.timed import PLAIN, STAMPED, order, timed_steps
from bench.measure.workload import Workload
from bench.process.turn import Turn

TURNS_OF_TIME = 8
"""How often time passes in a step of `fake_work`: in every phase, and twice in the optimizer's."""
OTHER_COUNTS = [(3, 2), (3, 5), (3, 20), (1, 1), (1, 0), (5, 1), (20, 20)]


def closure(samples: Samples) -> float:
    """The closure of the one trial that took the samples."""
    frame = pd.DataFrame(map(asdict, samples.rows))
    values = frame.groupby(["metric", "scope", "layer", "phase"])["value"].median().reset_index()
    values = values.assign(trial_id="t", variant_id="v", arm="A", round=1, stage="measure")
    return float(closures(values)["value"].item())


def measured(work: Workload, clock: Any, counts: Counts, burst: range, times: float) -> Samples:  # noqa: ANN401
    """The samples of both kinds, where time passes so much more slowly in some of the steps."""
    pass_s, passed = clock.pass_s, iter(range(10**6))

    def slow_pass_s(seconds: float) -> None:
        pass_s(seconds * (times if next(passed) // TURNS_OF_TIME in burst else 1))

    clock.pass_s = slow_pass_s
    timed = timed_steps(work, clock, counts)
    timed.plain.add_all([timed.stamped])
    return timed.plain


@pytest.mark.parametrize("begin", [0, 2, 4])
@pytest.mark.parametrize("times", [1.5, 4.0])
def test_a_burst_over_half_of_the_samples_leaves_the_closure_at_1(
    fake_work: Workload,
    clock: Any,  # noqa: ANN401
    begin: int,
    times: float,
) -> None:
    samples = measured(fake_work, clock, Counts(plain=4, stamped=4), range(begin, begin + 4), times)

    assert closure(samples) == pytest.approx(1)


@pytest.mark.parametrize("burst", [range(2), range(3, 5), range(3), range(2, 5)])
def test_a_burst_over_a_part_of_few_samples_is_seen_by_both_kinds(
    fake_work: Workload,
    clock: Any,  # noqa: ANN401
    burst: range,
) -> None:
    """Three samples and two can't be slowed alike; neither kind has a burst for itself."""
    samples = measured(fake_work, clock, Counts(plain=3, stamped=2), burst, 2.0)

    assert 0.7 < closure(samples) < 1.6


@pytest.mark.parametrize(("plain", "stamped"), OTHER_COUNTS)
def test_all_samples_are_taken_and_both_kinds_lie_all_over_the_trial(plain: int, stamped: int) -> None:
    kinds = order(plain, stamped)

    assert (kinds.count(PLAIN), kinds.count(STAMPED)) == (plain, stamped)
    half = kinds[: len(kinds) // 2]
    assert abs(half.count(PLAIN) - plain / 2) <= 1
    assert abs(half.count(STAMPED) - stamped / 2) <= 1


@pytest.mark.parametrize(("period", "plain", "stamped"), [(2, 3, 2), (2, 20, 20), (4, 20, 20)])
def test_what_a_model_does_in_every_second_or_fourth_step_both_kinds_see(period: int, plain: int, stamped: int) -> None:
    kinds = order(plain, stamped)

    for kind in (PLAIN, STAMPED):
        assert {at % period for at, mine in enumerate(kinds) if mine == kind} == set(range(period))


def test_samples_are_numbered_within_their_kind(fake_work: Workload, clock: Any) -> None:  # noqa: ANN401
    timed = timed_steps(fake_work, clock, Counts(plain=3, iterations=2, stamped=5))

    walls = [r for r in timed.plain.rows if r.metric == "wall"]
    assert [r.index for r in walls] == [0, 1, 2]
    assert [r.index for r in timed.stamped.rows if r.metric == "stamped_wall"] == [0, 1, 2, 3, 4]


class FakeTurn(Turn):
    """Notes how many steps were taken before each of its turns."""

    def __init__(self, work: Workload, *, shared: bool) -> None:
        super().__init__(None)
        self.shared, self.seen, self.steps = shared, list[int](), 0
        step = work.trainer.step

        def counted(*batch: Any) -> None:  # noqa: ANN401
            self.steps += 1
            step(*batch)

        work.trainer.step = counted

    @property
    def is_shared(self) -> bool:
        return self.shared

    def wait(self) -> None:
        self.seen.append(self.steps)


@pytest.mark.parametrize(
    ("shared", "counts", "steps"),
    [
        (False, Counts(plain=2, iterations=3), [0, 3]),
        (True, Counts(plain=2, iterations=3), [0, 4]),  # a step for the caches, then three that are timed
        (True, Counts(plain=3), [0, 1, 2]),  # a long step feels no cache
        (True, Counts(plain=2, iterations=4, turns=2), [0, 6]),
    ],
)
def test_each_sample_has_a_turn_of_its_own(
    shared: bool,
    counts: Counts,
    steps: list[int],
    fake_work: Workload,
    clock: Any,  # noqa: ANN401
) -> None:
    turn = FakeTurn(fake_work, shared=shared)
    timed = timed_steps(fake_work, clock, counts, turn)

    assert turn.seen == steps
    assert sum(sample.metric == "wall" for sample in timed.plain.rows) == counts.plain
