"""A model whose path differs from step to step: means over enough steps, rows of every layer, and parts that add up."""

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any, cast

import pandas as pd
import pytest
import torch
from msgspec.structs import asdict, replace
from torch import Tensor, nn

from bench.analyse.values import closures, trial_values
from bench.core.header import Counts, PilotCounts
from bench.measure import trial
from bench.measure.samples import Samples
from bench.measure.timing.timed import Timed, timed_steps
from bench.measure.workload import Workload
from nin.train import Mark, no_mark
from tests.bench.measure.asking import request

FORWARD_S, BACKWARD_S, REST_S = 0.002, 0.003, 0.001
"""What a layer takes of the clock, and what each step takes besides."""


class Passing(nn.Module):
    """A layer that takes its seconds of a clock, forward and backward."""

    def __init__(self, clock: Any, times: float) -> None:  # noqa: ANN401
        super().__init__()
        self.clock, self.times = clock, times

    def forward(self, x: Tensor) -> Tensor:
        self.clock.pass_s(self.times * FORWARD_S)
        return Passed.apply(x, self.clock, self.times)  # type: ignore[no-any-return]


class Passed(torch.autograd.Function):
    """The input, whose gradient takes its time."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, clock: Any, times: float) -> Tensor:  # noqa: ANN401
        ctx.clock, ctx.times = clock, times
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:  # noqa: ANN401
        ctx.clock.pass_s(ctx.times * BACKWARD_S)
        return gradients[0], None, None


class Branching(nn.Module):
    """Layers 1, 2, 4, ... times as slow, of which a step runs those that `runs` tells."""

    def __init__(self, clock: Any, count: int, runs: Callable[[int], Iterator[bool]]) -> None:  # noqa: ANN401
        super().__init__()
        self.layers = nn.ModuleList(Passing(clock, 2**at) for at in range(count))
        self.runs, self.steps = runs, 0

    def forward(self, x: Tensor) -> Tensor:
        self.steps += 1
        for layer, is_run in zip(self.layers, self.runs(self.steps), strict=False):
            x = layer(x) if is_run else x
        return x


def alternating(number: int) -> Iterator[bool]:
    """The first layer always, then the second or the third."""
    return iter([True, number % 2 == 0, number % 2 == 1])


def depth(seed: int) -> Callable[[int], Iterator[bool]]:
    """Each of three layers in half of the steps."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    return lambda _number: iter([rng.random() < 0.5 for _ in range(3)])


MakeWork = Callable[[Callable[[int], Iterator[bool]]], Workload]


@pytest.fixture
def branching(fake_work: Workload, clock: Any) -> MakeWork:  # noqa: ANN401
    """A workload of three layers on the fake clock, of which a step runs some."""

    def made(runs: Callable[[int], Iterator[bool]]) -> Workload:
        model = Branching(clock, 3, runs)

        def step(_x: object, _y: object, mark: Mark = no_mark) -> None:
            mark("forward")
            y = model(torch.ones(1, requires_grad=True))
            clock.pass_s(REST_S)
            mark("backward")
            y.backward()
            mark("read")

        fake_work.trainer.step = step
        fake_work.trainer.model = model
        fake_work.batches = cast("Any", itertools.repeat((None, None)))
        return fake_work

    return made


def cells(timed: Timed, *, varied: bool = True) -> pd.DataFrame:
    """The values of a trial with such samples."""
    samples = Samples("steps")
    samples.add_all([timed.plain, timed.stamped])
    frame = (
        pd.DataFrame(map(asdict, samples.rows)).assign(trial_id="t").astype({"layer": "category", "phase": "category"})
    )
    row = {"trial_id": "t", "variant_id": "v", "arm": "A", "round": 1, "stage": "measure", "status": "ok"}
    return trial_values(pd.DataFrame([row]), frame, {"v"} if varied else set())


def layer_s(values: pd.DataFrame, phase: str) -> dict[str, float]:
    """Seconds by layer."""
    mine = values[(values.scope == "layer") & (values.phase == phase)]
    return dict(zip(mine.layer, mine["value"], strict=True))


def test_a_branch_in_every_second_step_has_both_its_paths_and_parts_that_add_up(
    branching: MakeWork,
    clock: Any,  # noqa: ANN401
) -> None:
    timed = timed_steps(branching(alternating), clock, Counts(plain=3, stamped=2), learns=True)
    values = cells(timed)

    assert layer_s(values, "forward") == pytest.approx(
        {"layers.0": FORWARD_S, "layers.1": FORWARD_S, "layers.2": 2 * FORWARD_S, "between": REST_S}
    )  # the second and the third in half of the steps, twice and four times as slow as the first
    assert layer_s(values, "backward")["layers.2"] == pytest.approx(2 * BACKWARD_S)
    assert closures(values)["value"].item() == pytest.approx(1)
    assert [r.value for r in timed.stamped.rows if r.metric == "step_paths"] == [2]


def test_by_medians_of_few_steps_the_same_parts_do_not_add_up(branching: MakeWork, clock: Any) -> None:  # noqa: ANN401
    timed = timed_steps(branching(alternating), clock, Counts(plain=3, stamped=2))

    assert abs(closures(cells(timed, varied=False))["value"].item() - 1) > 0.1


def test_a_trial_that_learns_takes_more_of_both_kinds_where_steps_differ(
    branching: MakeWork,
    clock: Any,  # noqa: ANN401
) -> None:
    timed = timed_steps(branching(alternating), clock, Counts(plain=3, iterations=4, stamped=2), learns=True)

    assert (timed.counts.plain, timed.counts.stamped, timed.counts.iterations) == (40, 40, 4)
    assert timed.counts.varied
    started_s = clock.now_s
    again = timed_steps(branching(alternating), clock, timed.counts)
    assert again.counts == timed.counts
    assert clock.now_s - started_s < 20


@pytest.mark.parametrize("seed", range(5))
def test_with_stochastic_depth_parts_add_up_as_far_as_chance_lets_them(
    branching: MakeWork,
    clock: Any,  # noqa: ANN401
    seed: int,
) -> None:
    counts = Counts(plain=3, iterations=4, stamped=2)
    timed = timed_steps(branching(depth(seed)), clock, counts, learns=True)
    values = cells(timed)

    # 160 steps of each kind, whose seconds spread by two thirds: 7 % is one standard error of their quotient.
    assert closures(values)["value"].item() == pytest.approx(1, abs=0.2)
    expected = {f"layers.{at}": 2**at * FORWARD_S / 2 for at in range(3)} | {"between": REST_S}
    assert layer_s(values, "forward") == pytest.approx(expected, rel=0.35)


def test_where_all_steps_go_one_way_nothing_more_is_taken(branching: MakeWork, clock: Any) -> None:  # noqa: ANN401
    counts = Counts(plain=3, stamped=2)
    timed = timed_steps(branching(lambda _number: iter([True] * 3)), clock, counts, learns=True)

    assert timed.counts == counts
    assert [r.value for r in timed.stamped.rows if r.metric == "step_paths"] == [1]


def test_the_pilot_tells_of_every_layer_and_of_the_counts() -> None:
    asked = request(
        shape=(1, 8, 8), pilot_counts=PilotCounts(plain=3, stamped=2), model="tests_models:branching", batch_size=4
    )
    pilot = trial.answer(asked)
    later = trial.answer(replace(asked, counts=pilot.counts))

    assert pilot.ok and later.ok, (pilot.reason, later.reason)  # noqa: PT018
    assert [fact.layer for fact in pilot.layers] == ["even", "odd", "head"]
    assert pilot.counts is not None
    assert pilot.counts.varied
    assert later.counts == pilot.counts
    for reply in (pilot, later):
        rows = [s for s in reply.samples if s.scope == "layer" and s.phase == "forward"]
        by_layer = {layer: {s.index for s in rows if s.layer == layer} for layer in ("even", "odd", "head")}
        assert set(map(len, by_layer.values())) == {pilot.counts.stamped}
