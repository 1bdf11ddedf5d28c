"""What is told of a machine: what torch and NVML say of it, and nothing where they say nothing."""

from collections.abc import Callable

import pytest
import torch

from bench.core.facts import Environment
from bench.gpu.recorder import Outcome, Recorder
from bench.gpu.steps import machine
from bench.machine import gpus
from bench.measure.probes import canary
from bench.measure.samples import Samples


def test_no_device_is_told_with_what_torch_and_the_driver_say(monkeypatch: pytest.MonkeyPatch) -> None:
    def warns() -> bool:
        import warnings

        warnings.warn("The NVIDIA driver on your system is too old (found version 12020).\nMore", stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", warns)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(gpus, "driver", lambda _library: "580.159.04")

    assert machine.usable_devices() == (
        0,
        "this torch is built for CUDA 13.0; a driver 580.159.04 is here; "
        "The NVIDIA driver on your system is too old (found version 12020).",
    )


@pytest.mark.parametrize(
    ("others", "slowest", "failed"),
    [
        ([0], 1.05, []),
        ([2], 1.05, ["other processes on the GPU"]),
        ([], 1.2, ["canary_copy: slowest over fastest of 3"]),  # NVML does not tell of others
    ],
)
def test_a_shared_gpu_or_an_unsteady_one_fails(
    others: list[int],
    slowest: float,
    failed: list[str],
    recorder: Callable[..., Recorder],
    outcome: Callable[[], Outcome],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def measured(*_: object) -> Samples:
        samples = Samples("canary")
        for index, seconds in enumerate((1.0, slowest, 1.0)):
            samples.add("canary_copy", seconds, index=index)
        return samples

    monkeypatch.setattr(canary, "seconds_of_each", measured)
    machine.record_device(torch.device("cpu"), Environment(gpu_processes=others), recorder())

    assert [check.check for check in outcome().checks if check.status == "failed"] == failed
    assert len(outcome().checks) == 2


def test_torch_is_asked_for_its_devices_before_anything_else_asks_it(
    recorder: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It tells why it has none once in a process, to whoever asks first."""
    asked: list[str] = []

    def first() -> tuple[int, str]:
        asked.append("devices")
        return 0, "the driver is too old"

    def second() -> Environment:
        asked.append("environment")
        return Environment()

    monkeypatch.setattr(machine, "usable_devices", first)
    monkeypatch.setattr(machine, "describe", second)
    to = recorder()
    machine.measure(to.task, to)

    assert asked == ["devices", "environment"]
