"""What is recorded of a machine, and that it is enough to decide by."""

import sys
import sysconfig
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import msgspec
import pytest
import torch

from bench.core.axes.place import Cuda, Device, Unseen
from bench.core.facts import CudaDevice, Environment
from bench.machine import gpus
from bench.machine.environment import machine
from bench.measure.system import environment
from nin import cgroup
from nin.cgroup import Limits
from tests.bench.fake_nvml import WHOLE, FakeNvml


@pytest.fixture
def described() -> Environment:
    return environment.describe()


def test_the_machine_is_described_by_its_parts(described: Environment) -> None:
    assert (described.cores or 0) >= 1
    assert (described.memory_bytes or 0) > 2**28
    assert (described.torch or "").startswith("2.")
    assert described.huge_pages in ("always", "madvise", "never", None)


def test_a_container_is_described_by_what_it_is_granted(monkeypatch: pytest.MonkeyPatch) -> None:
    granted = Limits(cpu_quota=1.5, memory_limit_bytes=2**27, memory_left_bytes=2**26)
    monkeypatch.setattr(cgroup, "limits", lambda: granted)
    described = environment.granted()

    assert described == {
        "cores": 1, "affinity_cores": cgroup.affinity_cores(), "cpu_quota": 1.5, "memory_bytes": 2**27,
        "memory_limit_bytes": 2**27, "memory_available_bytes": 2**26,
    }  # fmt: skip
    assert cgroup.usable_cores() == 1
    facts = msgspec.convert(described, Environment).facts()
    assert {"affinity_cores", "cpu_quota", "memory_limit_bytes"} <= set(facts)  # so the page and compare show them


def test_no_host_user_or_home_is_recorded(described: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_TOOL_LIBRARIES", f"{Path.home()}/tool.so")
    again = environment.describe()

    assert again.variables["OMP_TOOL_LIBRARIES"] == "~/tool.so"
    assert str(Path.home()) not in str(again)
    assert described.torch == again.torch


def described_on(monkeypatch: pytest.MonkeyPatch, *uuids: str, cuda: str | None = "13.0", **nvml: Any) -> Environment:  # noqa: ANN401
    """The environment where torch sees devices with these UUIDs, and NVML one GPU, WHOLE."""
    devices = [
        SimpleNamespace(
            name=f"GPU {uuid}", uuid=uuid, major=8, minor=6, total_memory=2**33, multi_processor_count=46,
        )
        for uuid in uuids
    ]  # fmt: skip
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(WHOLE, **nvml))
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(devices))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(devices))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: devices[index])
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_80", "compute_80"])
    return msgspec.convert(msgspec.to_builtins(environment.describe()), Environment)  # as the parent reads it


def test_a_gpu_is_described_by_torch_and_nvml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    here = described_on(monkeypatch, "aaaa")

    assert here.cuda_devices == [
        CudaDevice(
            name="GPU aaaa", memory_bytes=2**33, capability=(8, 6), multiprocessors=46, power_limit_w=70.0,
            max_sm_clock_hz=1.59e9, mig=False,
        )
    ]  # fmt: skip
    assert (here.driver, here.gpu_processes) == ("580.65.06", [2])
    assert (here.cudnn_benchmark, here.cudnn_deterministic) == (True, False)
    assert machine(here).cuda == Cuda(
        devices=(Device(capability=(8, 6), multiprocessors=46),), driver="580.65.06", torch=torch.__version__,
        version="13.0", architectures=("sm_80", "compute_80"),
    )  # fmt: skip


def test_processes_are_counted_before_torch_uses_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    asked = gpus.by_uuid

    def noted(library: ModuleType | None) -> dict[str, gpus.Facts]:
        order.append("nvml")
        return asked(library)

    def available() -> bool:
        order.append("torch")
        return False

    monkeypatch.setattr(gpus, "by_uuid", noted)
    monkeypatch.setattr(torch.cuda, "is_available", available)
    environment.describe()

    assert order == ["nvml", "torch"]


def test_a_device_that_nvml_does_not_know_has_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    here = described_on(monkeypatch, "elsewhere")

    assert here.cuda_devices == [
        CudaDevice(name="GPU elsewhere", memory_bytes=2**33, capability=(8, 6), multiprocessors=46)
    ]
    assert here.gpu_processes == []


@pytest.mark.parametrize(
    ("driver", "cuda", "why"),
    [
        ("535.183.01", "13.0", Unseen.OLD_DRIVER),
        ("580.65.06", None, Unseen.CPU_TORCH),
        (None, "13.0", Unseen.NO_DRIVER),
    ],
)
def test_a_gpu_that_torch_does_not_see_has_its_cause(
    driver: str | None, cuda: str | None, why: Unseen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus, "MODULE", tmp_path / "nowhere")
    here = described_on(monkeypatch, cuda=cuda, driver=driver)

    assert here.cuda_devices == []
    assert machine(here).cuda.unseen is why


@pytest.mark.parametrize(
    ("name", "value", "recorded"),
    [
        ("CUDA_DEVICE_MAX_CONNECTIONS", "1", True),
        ("CUDA_VISIBLE_DEVICES", "MIG-3e6d1b64-7fa5", True),
        ("CUDNN_LOGLEVEL_DBG", "0", True),
        ("TORCH_CUDNN_V8_API_DISABLED", "1", True),
        ("NVIDIA_DRIVER_CAPABILITIES", "compute,utility", True),
        ("CUDA_HOME", "cuda", False),
        ("CUDA_CACHE_PATH", "cache", False),
        ("CUDA_MPS_PIPE_DIRECTORY", "pipe", False),
        ("TORCHINDUCTOR_CACHE_DIR", "cache", False),
        ("TORCH_HOME", "x", False),
        ("TORCH_TRACE", "/srv/x", False),
        ("CUDA_MODULES", "a:/srv/x", False),
    ],
)
def test_what_moves_speed_is_recorded_and_no_path(
    name: str, value: str, recorded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    assert (environment.describe().variables.get(name) == value) is recorded


def test_the_tools_that_triton_needs_are_looked_for_where_it_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda _name, _scheme: str(tmp_path))
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setenv("PATH", str(tmp_path))
    before = environment.describe()
    for name in ("Python.h", "clang"):
        (tmp_path / name).touch(mode=0o755)
    after = environment.describe()

    assert (before.c_compiler, before.python_headers) == (None, False)
    assert (after.c_compiler, after.python_headers) == ("clang", True)
