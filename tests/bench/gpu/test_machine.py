"""What is told of a machine: what torch and NVML say of it, and nothing where they say nothing."""

import os
import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch

from bench.gpu import machine, nvml
from bench.gpu.recorder import Recorder, Told
from bench.measure import canary
from bench.measure.samples import Samples

CUDA, MINE, OTHER = torch.device("cuda"), os.getpid(), os.getpid() + 1


# ruff: noqa: N802 - NVML's own names


class FakeNvml:
    """NVML of one device of 700 W on which this process and some others compute."""

    NVML_CLOCK_SM = 1

    def __init__(self, *pids: int) -> None:
        self.pids = pids

    def nvmlInit(self) -> None:
        pass

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        return uuid

    def nvmlSystemGetDriverVersion(self) -> str:
        return "580.159.04"

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: str) -> int:
        assert handle == "GPU-abc"
        return 700_000

    def nvmlDeviceGetMaxClockInfo(self, _handle: str, kind: int) -> int:
        return {self.NVML_CLOCK_SM: 1980}[kind]

    def nvmlDeviceGetPowerUsage(self, _handle: str) -> int:
        return 431_500

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, _handle: str) -> int:
        return 0x4

    def nvmlDeviceGetEccMode(self, _handle: str) -> list[int]:
        return [1, 0]  # on now, off after the next start

    def nvmlDeviceGetMigMode(self, _handle: str) -> list[int]:
        raise NotImplementedError

    def nvmlDeviceGetComputeRunningProcesses(self, _handle: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(pid=pid, usedGpuMemory=2**30) for pid in self.pids]


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a fake NVML in place whose device has these processes."""
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(uuid="abc"))
    return lambda *pids: monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(*pids))


def test_nvml_s_facts_are_in_base_units_and_what_it_does_not_tell_is_none(driver: Callable[..., None]) -> None:
    driver()

    assert nvml.facts(CUDA) == {
        "driver": "580.159.04",
        "power limit, enforced (W)": 700.0,
        "highest SM clock (MHz)": 1980,
        "ECC": "on",
        "MIG": None,
    }


def test_a_driver_that_knows_the_older_name_alone_tells_what_holds_the_clock_back(driver: Callable[..., None]) -> None:
    driver()

    assert nvml.under_load(CUDA) == {
        "SM clock under load (MHz)": None,
        "power under load (W)": 431.5,
        "what holds the clock back under load (NVML's bits)": "0x4",
    }


def test_this_process_is_no_other_and_its_memory_is_its_own(driver: Callable[..., None]) -> None:
    driver(MINE, OTHER, OTHER + 1)
    assert (nvml.other_processes(CUDA), nvml.used_bytes(CUDA)) == (2, 2**30)

    driver(OTHER)
    assert (nvml.other_processes(CUDA), nvml.used_bytes(CUDA)) == (0, None)  # this one, as a container's host counts it


def test_without_nvml_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)

    assert nvml.other_processes(CUDA) is None
    assert nvml.driver_version() is None
    assert set(nvml.facts(CUDA).values()) == {None}


def test_no_device_is_told_with_what_torch_and_the_driver_say(monkeypatch: pytest.MonkeyPatch) -> None:
    def warns() -> bool:
        import warnings

        warnings.warn("The NVIDIA driver on your system is too old (found version 12020).\nMore", stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", warns)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml())

    assert machine.usable_devices() == (
        0,
        "this torch is built for CUDA 13.0; a driver 580.159.04 is here; "
        "The NVIDIA driver on your system is too old (found version 12020).",
    )


@pytest.mark.parametrize(
    ("pids", "slowest", "failed"),
    [
        ((MINE,), 1.05, []),
        ((MINE, OTHER), 1.05, ["other processes on the GPU"]),
        ((), 1.2, ["canary_copy: slowest over fastest of 3"]),
    ],
)
def test_a_shared_gpu_or_an_unsteady_one_fails(
    pids: tuple[int, ...], slowest: float, failed: list[str], driver: Callable[..., None],
    recorder: Callable[..., Recorder], told: Callable[[], Told], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def measured(*_: object) -> Samples:
        samples = Samples("canary")
        for index, seconds in enumerate((1.0, slowest, 1.0)):
            samples.add("canary_copy", "s", seconds, index=index)
        return samples

    driver(*pids)
    monkeypatch.setattr(canary, "measure", measured)
    machine.tell_device(torch.device("cpu"), recorder())

    assert [check.check for check in told().checks if check.status == "failed"] == failed
    assert len(told().checks) == 2


def test_torch_is_asked_for_its_devices_before_anything_else_asks_it(
    recorder: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It tells why it has none once in a process, to whoever asks first."""
    asked: list[str] = []

    def first() -> tuple[int, str]:
        asked.append("devices")
        return 0, "the driver is too old"

    def second() -> dict[str, object]:
        asked.append("environment")
        return dict.fromkeys(machine.DESCRIBED)

    monkeypatch.setattr(machine, "usable_devices", first)
    monkeypatch.setattr(machine, "describe", second)
    to = recorder()
    machine.measure(to.task, to)

    assert asked == ["devices", "environment"]
