"""What is recorded of a machine, and what of it decides."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench import environment
from bench.header import CudaDevice, Environment
from bench.matrix import Machine
from nin import cgroup
from nin.cgroup import Limits


@pytest.fixture
def described() -> dict[str, Any]:
    return environment.describe()


def test_the_machine_is_described_by_its_parts(described: dict[str, Any]) -> None:
    assert described["cores"] >= 1
    assert described["memory_bytes"] > 2**28
    assert described["torch"].startswith("2.")
    assert described["huge_pages"] in ("always", "madvise", "never", None)


def test_a_container_is_described_by_what_it_is_granted(monkeypatch: pytest.MonkeyPatch) -> None:
    granted = Limits(cpu_quota=1.5, memory_limit_bytes=2**27, memory_left_bytes=2**26)
    monkeypatch.setattr(cgroup, "limits", lambda: granted)
    described = environment.granted()

    assert described == {
        "cores": 1, "affinity_cores": cgroup.affinity_cores(), "cpu_quota": 1.5, "memory_bytes": 2**27,
        "memory_limit_bytes": 2**27, "memory_available_bytes": 2**26,
    }  # fmt: skip
    assert environment.cores() == 1
    facts = msgspec.convert(described, Environment).facts()
    assert {"affinity_cores", "cpu_quota", "memory_limit_bytes"} <= set(facts)  # so the page and compare show them


def test_no_host_user_or_home_is_recorded(described: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_TOOL_LIBRARIES", f"{Path.home()}/tool.so")
    again = environment.describe()

    assert again["variables"]["OMP_TOOL_LIBRARIES"] == "~/tool.so"
    assert str(Path.home()) not in str(again)
    assert set(described) == set(again)


def test_what_decides_is_read_from_the_description() -> None:
    devices = [CudaDevice(name="", memory_bytes=1, capability=capability) for capability in ((9, 0), (8, 6))]
    described = Environment(cuda_devices=devices, libc="glibc 2.36", cores=4, cxx_compiler="g++")

    assert environment.machine(described) == Machine(
        cuda_devices=2,
        cuda_capability=(8, 6),
        cxx_compiler=True,
        glibc=(2, 36),
        huge_pages="unknown",
        cores=4,
    )
    assert environment.machine(Environment(libc="")).glibc is None
