"""Known work: on a device with a queue a layer reads what it takes, however slow the host is."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from bench.gpu.steps import known
from bench.gpu.steps.times import CLOSE, NEAR
from bench.measure.workload import Workload
from tests.bench.measure.queue_clock import QueueClock

CPU = torch.device("cpu")


@pytest.mark.parametrize(("device_s", "host_s", "layers"), [(0.01, 0.05, 2), (20e-6, 100e-6, 20), (20e-6, 0.0, 20)])
def test_a_layer_of_known_work_reads_it(
    device_s: float, host_s: float, layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = QueueClock()
    monkeypatch.setattr(Workload, "queues", property(lambda _: True))
    seen_s = known.layer_seconds(lambda: clock.launch(1e-6, device_s), layers, host_s, CPU, clock)

    assert seen_s == pytest.approx(device_s)


def test_without_a_backlog_the_check_of_a_short_layer_fails() -> None:
    """What the check is for: from an idle start a layer reads what the host takes to give it."""
    clock = QueueClock()
    seen_s = known.layer_seconds(lambda: clock.launch(1e-6, 20e-6), 20, 100e-6, CPU, clock)

    assert not NEAR.hold(seen_s / 20e-6)


def test_the_flops_of_a_chain_are_those_of_its_products() -> None:
    a_NN = torch.full((128, 128), 1 / 128)
    chain = known.Products(a_NN=a_NN, out_NN=a_NN.clone(), count=3)
    with FlopCounterMode(display=False) as counted:
        chain()

    assert chain.flops == counted.get_total_flops() == 12_582_912  # 2 x 128^3 x 3


def test_starting_and_waiting_fall_out_of_a_difference() -> None:
    clock = QueueClock()
    once, twice = (lambda n=n: clock.launch(3e-3, n * 0.1) for n in (1, 2))

    assert known.seconds_of(once, twice, clock) == pytest.approx(0.1)
    assert not CLOSE.hold(known.host_seconds(once, clock) / 0.09)


def test_a_spin_is_as_long_as_the_host_s_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are not asked: they are what is to be checked."""
    clock, spun = QueueClock(), list[int]()

    def spin(cycles: int) -> None:
        spun.append(cycles)
        clock.launch(40e-6, cycles / 1.98e9)

    monkeypatch.setattr(torch.cuda, "_sleep", spin, raising=False)
    monkeypatch.setattr(QueueClock, "mark", None)
    spinning = known.Spinning.on(torch.device("cuda"), clock, 20_000_000)
    spinning.spin(0.01)

    assert spinning.cycles_per_s == pytest.approx(1.98e9)
    assert spun[-1] == pytest.approx(19_800_000)
