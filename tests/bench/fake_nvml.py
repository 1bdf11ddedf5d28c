"""A stand-in for pynvml: GPUs with what they tell. What is None raises, as NVML does for what it can't tell."""

from types import ModuleType, SimpleNamespace
from typing import Any

import pynvml

WHOLE: dict[str, Any] = {
    "uuid": "GPU-aaaa", "power_mw": 70_000, "clock_mhz": 1590, "mig": [0, 0], "pids": [11, 12], "graphics": [12],
}  # fmt: skip
"""A T4: two processes compute, one of them draws too."""


def fake_nvml(*gpus: dict[str, Any], driver: str | None = "580.65.06") -> ModuleType:
    """The module; each GPU is WHOLE but for what it says."""
    known = [WHOLE | {"slices": []} | gpu for gpu in gpus]

    def answer(value: Any) -> Any:  # noqa: ANN401
        if value is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return value

    def processes(name: str) -> Any:  # noqa: ANN401
        return lambda gpu: [SimpleNamespace(pid=pid) for pid in answer(gpu[name])]

    fake = ModuleType("pynvml")
    vars(fake).update(
        NVML_CLOCK_SM=pynvml.NVML_CLOCK_SM,
        NVML_DEVICE_MIG_ENABLE=pynvml.NVML_DEVICE_MIG_ENABLE,
        nvmlInit=lambda: None,
        nvmlSystemGetDriverVersion=lambda: answer(driver),
        nvmlDeviceGetCount=lambda: len(known),
        nvmlDeviceGetHandleByIndex=lambda index: known[index],
        nvmlDeviceGetUUID=lambda gpu: answer(gpu["uuid"]),
        nvmlDeviceGetEnforcedPowerLimit=lambda gpu: answer(gpu["power_mw"]),
        nvmlDeviceGetMaxClockInfo=lambda gpu, kind: answer(gpu["clock_mhz"] if kind == pynvml.NVML_CLOCK_SM else None),
        nvmlDeviceGetMigMode=lambda gpu: answer(gpu["mig"]),
        nvmlDeviceGetMaxMigDeviceCount=lambda _gpu: 7,
        nvmlDeviceGetMigDeviceHandleByIndex=lambda gpu, index: answer(dict(enumerate(gpu["slices"])).get(index)),
        nvmlDeviceGetComputeRunningProcesses=processes("pids"),
        nvmlDeviceGetGraphicsRunningProcesses=processes("graphics"),
    )
    return fake
