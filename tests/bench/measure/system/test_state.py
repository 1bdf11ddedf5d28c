"""What is told of the machine, and of a GPU that answers or does not."""

from pathlib import Path

import pytest
import torch
from msgspec.structs import asdict

from bench.measure.system import state
from bench.measure.system.nvml import Gpu
from bench.measure.workload import Workload
from nin.train import Setup
from tests.bench.fake_nvml import ANSWERS, FakeNvml
from tests.bench.measure.conftest import FakeClock


def test_load_stolen_time_and_switches_are_numbers(fake_work: Workload, clock: FakeClock) -> None:
    told = state.State(fake_work).read(clock, 1)

    known = {name: value for name, value in asdict(told).items() if value is not None}
    assert {"load_1min", "steal_s", "involuntary_switches"} <= set(known)
    assert set(known) <= {"load_1min", "steal_s", "pressure_s", "involuntary_switches"}
    assert all(value >= 0 for value in known.values())


def test_pressure_is_the_time_in_which_some_task_waited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_work: Workload, clock: FakeClock
) -> None:
    # The kernel's Documentation/accounting/psi.rst: totals are in microseconds.
    told = tmp_path / "cpu"
    told.write_text("some avg10=0.00 avg60=0.03 avg300=0.33 total=3311495\nfull avg10=0.00 total=0\n")
    monkeypatch.setattr(state, "PRESSURE", told)

    assert state.pressure_s() == 3.311495
    monkeypatch.setattr(state, "PRESSURE", tmp_path / "nowhere")
    assert state.pressure_s() is None
    assert state.State(fake_work).read(clock, 1).pressure_s is None


def test_a_gpu_tells_its_clock_heat_power_and_what_holds_it_back(fake_nvml: FakeNvml) -> None:
    assert state.gpu_state(Gpu(torch.device("cuda"))) == {
        "gpu_clock_hz": 1.98e9, "gpu_temperature_c": 41, "gpu_power_w": 305, "gpu_throttle": "0x4",
    }  # fmt: skip
    fake_nvml.silent = set(ANSWERS)
    assert set(state.gpu_state(Gpu(torch.device("cuda"))).values()) == {None}


def read(work: Workload, clock: FakeClock, steps: int) -> dict[str, float]:
    """The shares that are told of a timed region of 8 s, and of `steps` behind it."""
    work.trainer.setup = Setup(device=torch.device("cuda"))
    seen = state.State(work)
    clock.pass_s(100)  # the first step compiles: what holds a GPU back there is nobody's business
    seen.begin(clock)
    clock.pass_s(8)
    seen.read(clock, steps)
    return {row.metric: row.value for row in seen.throttled.rows}


def test_what_held_a_gpu_back_is_a_share_of_the_timed_region(
    fake_work: Workload, clock: FakeClock, fake_nvml: FakeNvml
) -> None:
    fake_nvml.capped = 0.25

    assert read(fake_work, clock, 2) == pytest.approx({"power_throttled": 0.25, "heat_throttled": 0.0})


def test_where_the_counters_are_not_told_there_is_no_share(
    fake_work: Workload, clock: FakeClock, fake_nvml: FakeNvml
) -> None:
    fake_nvml.silent = {"nvmlDeviceGetViolationStatus"}

    assert read(fake_work, clock, 2) == {}


def test_a_gpu_is_opened_early_and_asked_between_steps_and_the_wait_for_them(
    fake_work: Workload, clock: FakeClock, fake_nvml: FakeNvml
) -> None:
    fake_work.trainer.setup = Setup(device=torch.device("cuda"))
    fake_nvml.asked = clock.events
    seen = state.State(fake_work)
    assert clock.events == ["nvmlInit", "nvmlDeviceGetHandleByUUID"]
    seen.begin(clock)
    clock.events.clear()
    seen.read(clock, 3)

    assert clock.events[:3] == ["step"] * 3
    assert clock.events[3] == "nvmlDeviceGetClockInfo"  # it falls soonest when work ends
    assert clock.events[-1] == "sync"
    assert all(event.startswith("nvmlDeviceGet") for event in clock.events[3:-1])


def test_a_cpu_takes_no_further_steps(fake_work: Workload, clock: FakeClock) -> None:
    seen = state.State(fake_work)
    seen.begin(clock)
    seen.read(clock, 3)

    assert clock.events == []


def test_what_the_machine_does_in_others_turns_does_not_count(
    monkeypatch: pytest.MonkeyPatch, fake_work: Workload, clock: FakeClock
) -> None:
    readings = iter([10.0, 11.0, 15.0, 17.0])  # it begins, others begin, others end, it is read
    monkeypatch.setattr(state, "pressure_s", lambda: next(readings))
    monkeypatch.setattr(state, "steal_s", lambda: None)
    watched = state.State(fake_work)
    with watched.paused():
        pass
    read = watched.read(clock, 1)

    assert read.pressure_s == 3.0
    assert read.steal_s is None
