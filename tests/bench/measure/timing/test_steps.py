"""Steps and phases by a clock that stands still but where the test moves it."""

import math
from typing import Any

import pytest
import torch

from bench.core.header import Counts
from bench.core.variants import Variant
from bench.measure.samples import Samples
from bench.measure.system.usage import Usage
from bench.measure.timing.stamps import Stamper, stamped_samples
from bench.measure.timing.steps import WARM_S, calibrate, first_step_s, plain_steps, warm_up
from bench.measure.workload import Workload
from nin.train import Setup

STEP_S = 4.9375  # conftest: the phases' seconds, the optimizer's twice


def values(samples: Samples, metric: str, scope: str = "step") -> list[float]:
    return [r.value for r in samples.rows if r.metric == metric and r.scope == scope]


def test_the_first_step_stands_apart(fake_work: Workload, clock: Any) -> None:  # noqa: ANN401
    assert first_step_s(fake_work, clock) == STEP_S


def test_a_plain_sample_is_the_mean_of_its_steps_loader_included(
    fake_work: Workload,
    clock: Any,  # noqa: ANN401
) -> None:
    samples = plain_steps(fake_work, clock, Counts(warmup=1, plain=2, iterations=3))

    assert values(samples, "wall") == [STEP_S, STEP_S]
    assert {3} == {r.iterations for r in samples.rows}
    assert {"wall", *Usage.__dataclass_fields__} == {r.metric for r in samples.rows}


def test_no_synchronize_falls_into_a_timed_region(fake_work: Workload, clock: Any) -> None:  # noqa: ANN401
    counts = Counts(warmup=1, plain=2, iterations=3)
    warm_up(fake_work, clock, counts)
    plain_steps(fake_work, clock, counts)
    region = ["sync", "mark", "step", "step", "step", "mark", "sync"]
    assert clock.events == ["step", *region, *region]

    clock.events.clear()
    Stamper(fake_work, clock).sample()
    region = clock.events[: clock.events.index("sync", 1)]
    assert region[0] == "sync"
    assert region.count("mark") == 9  # data, the seven of a step, and the end


def test_phases_take_what_they_take_and_sum_to_the_stamped_step(
    fake_work: Workload,
    clock: Any,  # noqa: ANN401
) -> None:
    stamper = Stamper(fake_work, clock)
    samples = stamped_samples(fake_work, [sample for _ in range(2) if (sample := stamper.sample())])
    phases = {r.phase: r.value for r in samples.rows if r.scope == "phase" and r.index == 1}

    assert phases == {
        "data": 0.5, "h2d": 0.25, "forward": 1.0, "loss": 0.125, "backward": 2.0, "optimizer": 1.0, "read": 0.0625,
    }  # fmt: skip
    assert values(samples, "stamped_wall") == [STEP_S, STEP_S]
    assert math.isclose(sum(phases.values()), STEP_S)


@pytest.mark.parametrize(
    ("first_s", "step_s", "expected"),
    [
        (2.0, 0.0, Counts(plain=3, stamped=1)),
        (9.0, 0.0, Counts(plain=1, stamped=0)),
        (0.5, 0.8, Counts(warmup=1, plain=3, iterations=1, stamped=1)),
        (0.5, 0.3, Counts(warmup=1, plain=3, iterations=1, stamped=3)),
        (0.5, 0.125, Counts(warmup=1, plain=8, iterations=1, stamped=8)),
        (0.5, 0.02, Counts(warmup=5, plain=10, iterations=5, stamped=10)),
        (0.5, 1e-5, Counts(warmup=5, plain=3, iterations=100, stamped=2)),
    ],
)
def test_how_many_steps_a_trial_takes(
    first_s: float,
    step_s: float,
    expected: Counts,
    fake_work: Workload,
    clock: Any,  # noqa: ANN401
) -> None:
    fake_work.trainer.step = lambda *_x, **_m: clock.pass_s(step_s - 0.5)

    assert calibrate(fake_work, clock, first_s, plain=3, stamped=1) == expected


@pytest.mark.parametrize(("step_s", "iterations", "taken"), [(0.02, 5, 27), (0.01, 10, 52), (0.3, 1, 2)])
def test_a_gpu_is_warmed_up_for_half_a_second_of_steps_whatever_the_count(
    step_s: float,
    iterations: int,
    taken: int,
    fake_work: Workload,
    clock: Any,  # noqa: ANN401
) -> None:
    """Two steps, then groups of `iterations` until 0.5 s have passed; the device is waited for behind each."""
    seen: list[float] = []

    def step(*_x: object, **_marks: object) -> None:
        seen.append(clock.now_s)
        clock.pass_s(step_s - 0.5)  # 0.5: data

    fake_work.trainer.step = step
    warm_up(fake_work, clock, Counts(warmup=2, iterations=iterations))
    assert len(seen) == 2  # on the CPU by count alone
    clock.now_s = 0.0
    seen.clear()
    fake_work.trainer.setup = Setup(device=torch.device("cuda"))
    warm_up(fake_work, clock, Counts(warmup=2, iterations=iterations))

    assert len(seen) == taken
    assert clock.now_s >= WARM_S == 0.5
    assert clock.events == ["sync"] * ((taken - 2) // iterations)


def test_a_first_step_that_wakes_a_gpu_is_no_measure_of_the_next(fake_work: Workload, clock: Any) -> None:  # noqa: ANN401
    fake_work.trainer.setup = Setup(device=torch.device("cuda"))
    fake_work.trainer.step = lambda *_x, **_m: clock.pass_s(0.02 - 0.5)

    assert calibrate(fake_work, clock, 9.0, plain=3, stamped=1).iterations == 5


def test_where_every_step_waits_there_is_no_dispatch(fake_work: Workload, clock: Any) -> None:  # noqa: ANN401
    fake_work.trainer.setup = Setup(device=torch.device("cuda"), sync="step")
    fake_work.variant = Variant(device="cuda", sync="step")

    assert values(plain_steps(fake_work, clock, Counts()), "dispatch") == []


def test_counts_that_measure_nothing_are_an_error() -> None:
    with pytest.raises(ValueError, match="at least one plain sample"):
        Counts(plain=0)


def test_on_cuda_wall_device_and_dispatch_are_kept_apart(fake_work: Workload, clock: Any) -> None:  # noqa: ANN401
    fake_work.trainer.setup = Setup(device=torch.device("cuda"))
    samples = plain_steps(fake_work, clock, Counts(plain=2, iterations=2))

    assert values(samples, "wall") == values(samples, "device") == [STEP_S, STEP_S]
    assert values(samples, "dispatch") == [STEP_S] * 5  # the batch's own launches included
    assert {"wall", "device", "dispatch"} == {r.metric for r in samples.rows}
    # Dispatch is told from an idle start, before the device is waited for.
    assert clock.events[-3:] == ["sync", "step", "sync"]
