"""What must not happen in a timed region is counted on both sides of it."""

from collections.abc import Callable

import torch

from bench.core.variants import Variant
from bench.measure.probes.steps import take_step
from bench.measure.validity.effects import Effects, disturbed, samples_of, settle
from bench.measure.workload import Workload

MakeWork = Callable[..., Workload]
NONE = Effects(graphs=1, graph_breaks=0, cudagraph_skips=0, steps=10, skipped=2)


def after(**changes: int) -> Effects:
    return Effects(**{"graphs": 1, "graph_breaks": 0, "cudagraph_skips": 0, "steps": 210, "skipped": 2} | changes)


def test_each_disturbance_is_told() -> None:
    variant = Variant()

    assert disturbed(variant, 2.3, NONE, after()) == ""
    assert disturbed(variant, 2.3, NONE, after(graphs=3)) == "2 graphs were compiled anew in the timed region"
    assert disturbed(variant, 2.3, NONE, after(graph_breaks=1)) == "the compiled graph broke in the timed region"
    assert disturbed(variant, 2.3, NONE, after(skipped=5)) == "the GradScaler skipped 3 of 200 timed steps"
    assert disturbed(variant, 2.3, NONE, after(skipped=4)) == ""  # one in a hundred, as a larger scale is tried
    assert disturbed(variant, 2.3, NONE, after(steps=13, skipped=3)) == ""  # one of three
    assert disturbed(variant, 2.3, NONE, after(steps=11, skipped=3)) == "the GradScaler skipped 1 of 1 timed steps"
    assert disturbed(variant, float("inf"), NONE, after()) == "the loss is inf"


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
