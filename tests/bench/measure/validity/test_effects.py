"""What must not happen in a timed region is counted on both sides of it."""

import math
from collections.abc import Callable

import torch

from bench.core.exchange.cause import Cause
from bench.core.variants import Variant
from bench.measure.timing.steps import take_step
from bench.measure.validity.effects import Effects, disturbed, samples_of, settle
from bench.measure.workload import Workload

MakeWork = Callable[..., Workload]
NONE = Effects(graphs=1, graph_breaks=0, cudagraph_skips=0, steps=10, skipped=2)


def after(**changes: int) -> Effects:
    return Effects(**{"graphs": 1, "graph_breaks": 0, "cudagraph_skips": 0, "steps": 210, "skipped": 2} | changes)


def test_each_disturbance_is_told() -> None:
    variant = Variant()

    def why(loss_sum: float = 2.3, **changes: int) -> tuple[Cause, str] | None:
        found = disturbed(variant, loss_sum, NONE, after(**changes))
        return (found.cause, found.reason) if found else None

    assert why() is None
    assert why(graphs=3) == (Cause.RECOMPILED, "2 graphs were compiled again in the timed region")
    assert why(graph_breaks=1) == (Cause.GRAPH_BROKE, "the compiled graph broke in the timed region")
    assert why(skipped=5) == (Cause.STEPS_SKIPPED, "the GradScaler skipped 3 of 200 timed steps")
    assert why(skipped=4) is None  # one in a hundred, as a larger scale is tried
    assert why(steps=13, skipped=3) is None  # one of three
    assert why(steps=11, skipped=3) == (Cause.STEPS_SKIPPED, "the GradScaler skipped 1 of 1 timed steps")
    assert why(math.inf) == (Cause.LOSS_NOT_FINITE, "the loss is inf")


def test_a_scaler_settles_before_anything_is_timed(real_work: MakeWork) -> None:
    work = real_work(shape=(1, 28, 28), model="tests_models:honest", batch_size=4, precision="fp16")
    work.trainer.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**45)
    take_step(work)
    settle(work)
    before = Effects.of(work)
    for _ in range(3):
        take_step(work)

    assert before.skipped >= 5
    assert Effects.of(work).skipped <= before.skipped + 1
    told = {row.metric: row.value for row in samples_of(work, before, before, Effects.of(work)).rows}
    assert told == {"skipped_settling": before.skipped, "skipped_timed": Effects.of(work).skipped - before.skipped}


def test_a_scaler_that_need_not_settle_takes_three_steps_in_all(real_work: MakeWork) -> None:
    work = real_work(shape=(1, 28, 28), model="tests_models:honest", batch_size=4, precision="fp16")
    take_step(work)
    settle(work)

    assert work.trainer.steps == 3
