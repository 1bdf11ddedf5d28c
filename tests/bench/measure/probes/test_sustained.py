"""A long stretch on a GPU that grows slower, and its energy by a counter that moves in steps."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from bench.core.variants import Variant
from bench.measure.probe import Subject
from bench.measure.probes import sustained
from bench.measure.registry import in_order
from bench.measure.samples import Samples
from bench.measure.workload import Workload
from nin.train import Setup
from tests.bench.fake_nvml import FakeNvml
from tests.bench.measure.asking import request

FAST_S, SLOW_S = 0.010, 0.013


@pytest.fixture
def slowing(fake_work: Workload, clock: Any) -> Callable[..., Workload]:  # noqa: ANN401
    """A workload on CUDA whose step takes FAST_S until `fast_for_s` have passed, then SLOW_S."""

    def made(fast_for_s: float = float("inf")) -> Workload:
        fake_work.trainer.setup = Setup(device=torch.device("cuda"))
        fake_work.variant = Variant(device="cuda", batch_size=128)
        fake_work.trainer.step = lambda *_x, **_m: clock.pass_s(
            (FAST_S if clock.now_s < fast_for_s else SLOW_S) - 0.5
        )  # conftest: 0.5 s for the batch
        return fake_work

    return made


def values(samples: Samples) -> dict[str, float]:
    return {row.metric: row.value for row in samples.rows}


def test_the_last_half_stands_beside_the_first_half_second(
    slowing: Callable[..., Workload],
    clock: Any,  # noqa: ANN401
    fake_nvml: FakeNvml,
) -> None:
    samples = sustained.stretch(slowing(3.0), clock)
    found, taken = values(samples), samples.rows[-1].iterations

    assert found["sustained_begin"] == pytest.approx(FAST_S)
    assert found["sustained"] == pytest.approx(SLOW_S)
    assert found["energy"] * taken == pytest.approx(300 * 10, rel=0.03)  # W s; the stretch ends with a group
    assert fake_nvml.asked.count("nvmlDeviceGetTotalEnergyConsumption") == 2


@pytest.mark.parametrize("stretch_s", [2.0, 2.37, 10.0])
def test_energy_is_right_within_two_ticks_of_its_counter(
    stretch_s: float,
    slowing: Callable[..., Workload],
    clock: Any,  # noqa: ANN401
    fake_nvml: FakeNvml,
) -> None:
    found = values(sustained.stretch(slowing(), clock, stretch_s))

    assert found["energy"] == pytest.approx(fake_nvml.power_w * FAST_S, rel=0.2 / stretch_s)


def test_a_stretch_too_short_for_the_counter_has_no_energy(
    slowing: Callable[..., Workload],
    clock: Any,  # noqa: ANN401
    fake_nvml: FakeNvml,
) -> None:
    found = values(sustained.stretch(slowing(), clock, 1.5))

    assert fake_nvml.asked.count("nvmlDeviceGetTotalEnergyConsumption") == 2
    assert set(found) == {"sustained_begin", "sustained"}


def test_where_the_counter_is_not_told_energy_is_blank(
    slowing: Callable[..., Workload],
    clock: Any,  # noqa: ANN401
    fake_nvml: FakeNvml,
) -> None:
    fake_nvml.silent = {"nvmlDeviceGetTotalEnergyConsumption"}

    assert set(values(sustained.stretch(slowing(), clock))) == {"sustained_begin", "sustained"}


@pytest.mark.parametrize(
    ("ends_s", "expected"),
    [
        ([0.0, 12.0], (12.0, 12.0)),  # one group is longer than the stretch
        ([0.0, 0.4, 0.8, 6.0], (0.4, 5.2)),
        ([0.0, 0.25, 0.5, 1.0, 1.5, 2.0], (0.25, 0.5)),
    ],
)
def test_begin_and_last_are_of_whole_groups(ends_s: list[float], expected: tuple[float, float]) -> None:
    assert sustained.begin_and_last(ends_s) == pytest.approx(expected)


def test_the_device_is_waited_for_around_each_group_and_never_within(
    slowing: Callable[..., Workload],
    clock: Any,  # noqa: ANN401
) -> None:
    work = slowing()
    take = work.trainer.step

    def noted(*arguments: Any, **options: Any) -> None:  # noqa: ANN401
        clock.events.append("step")
        take(*arguments, **options)

    work.trainer.step = noted
    sustained.groups(work, clock, 3, 0.06)

    assert clock.events == ["sync", "step", "step", "step", "sync", "step", "step", "step", "sync"]


def test_the_probe_has_a_process_of_its_own(
    slowing: Callable[..., Workload],
    clock: Any,  # noqa: ANN401
    fake_nvml: FakeNvml,
) -> None:
    subject = Subject(request=request("sustained"), work=slowing(), clock=clock)
    first, then = in_order(subject.request.probes)

    assert then == []
    assert values(first.measure(subject).samples)["energy"] == pytest.approx(fake_nvml.power_w * FAST_S, rel=0.02)
