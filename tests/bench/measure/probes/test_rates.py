"""Loader, step and both: three rates of one workload, and whole epochs."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest
import torch

from bench.core.variants import Variant
from bench.measure.clock import Clock, HostClock
from bench.measure.probes import epoch, loader
from bench.measure.samples import Samples
from bench.measure.workload import Inputs, Workload, build
from tests.bench.measure.conftest import PHASE_S, STEP_S, FakeClock


def values(samples: Samples, metric: str) -> list[float]:
    return [row.value for row in samples.rows if row.metric == metric]


def test_the_loader_and_the_step_are_timed_apart(clock: FakeClock, fake_work: Workload) -> None:
    found = loader.rates(fake_work, cast("Clock", clock), step_s=STEP_S)

    assert [PHASE_S["data"]] * 3 == values(found, "loader_alone")
    assert pytest.approx([STEP_S - PHASE_S["data"]] * 3) == values(found, "compute_alone")


@pytest.mark.parametrize("replays", [False, True])
def test_a_whole_epoch_has_every_image_and_the_first_is_apart(
    replays: bool, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where CUDA graphs are replayed so is the second, which records that of the partial batch."""
    work = build(Variant(batch_size=100, model="tests_models:twice"), Inputs(shape=(1, 28, 28)), seed=0)
    monkeypatch.setattr(Variant, "replays", replays)
    seen: list[int] = []
    step = work.trainer.step

    def counting(x: torch.Tensor, y: torch.Tensor) -> None:
        seen.append(len(y))
        clock.pass_s(1.0)
        step(x, y)

    work.trainer.step = counting
    found = epoch.whole_epochs(work, cast("Clock", clock), 2)

    assert seen == (4 if replays else 3) * [*[100] * 10, 24]
    assert [11.0] == values(found, "first_epoch")
    assert [11.0, 11.0] == values(found, "epoch")
    assert [1024.0] == values(found, "epoch_images")


@pytest.fixture
def workers_work() -> Callable[[], Workload]:
    return lambda: build(
        replace(Variant(), batch_size=16, loader="workers", model="tests_models:twice"), Inputs(shape=(1, 28, 28)), 0
    )


def test_workers_are_timed_behind_what_they_made_in_advance(workers_work: Callable[[], Workload]) -> None:
    found = loader.rates(workers_work(), HostClock(), step_s=0.01)

    assert all(value > 0 for value in values(found, "loader_alone"))
