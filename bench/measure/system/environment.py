"""The machine, the software that runs on it, and its settings. No host or user name.

A child calls it, because it loads torch.
"""

import ctypes.util
import os
import platform
import shutil
import sysconfig
from importlib import metadata
from pathlib import Path

import torch
import torchvision
from msgspec.structs import replace

from bench.core.axes.kind import OTHERS
from bench.core.facts import CudaDevice, Environment
from bench.core.home import without_home
from bench.core.variants import AXES
from bench.machine import gpus
from bench.machine.code import ROOT, commit, digest
from bench.measure.devices.find import BACKENDS
from nin import cgroup

RECORDED_PREFIXES = (
    "OMP_",
    "MKL_",
    "KMP_",
    "MALLOC_",
    "GLIBC_TUNABLES",
    "LD_PRELOAD",
    "PYTORCH_",
    "CUBLAS_",
    "TORCHINDUCTOR_",
    "TORCHDYNAMO_",
    "CUDA_",
    "CUDNN_",
    "TORCH_",
    "NVIDIA_",
    "ZE_",
    "SYCL_",
)
"""How the names of the variables begin that change speed."""
OF_PATHS = ("_DIR", "_DIRECTORY", "_PATH", "_HOME", "_ROOT", "_FILE")
"""How the names of the variables end that hold a path."""
HALF = ("avx512_bf16", "avx512_fp16", "amx_bf16", "amx_fp16", "fphp", "bf16", "svebf16")
"""The kernel's names for instructions that compute in half precision."""


def describe() -> Environment:
    """The environment of this process, for run.json. What the machine does not report is None."""
    library = gpus.nvml()
    facts = gpus.by_uuid(library)  # before torch makes this process one of those that use a GPU
    here = Environment(
        cpu=cpu_model(),
        page_bytes=os.sysconf("SC_PAGE_SIZE"),
        os=f"{platform.system()} {platform.release()}",
        architecture=platform.machine(),
        libc=" ".join(platform.libc_ver()),
        huge_pages=huge_pages(),
        governor=_read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        libraries=libraries(),
        cxx_compiler=first_program(os.environ.get("CXX"), "g++", "clang++"),
        c_compiler=first_program(os.environ.get("CC"), "gcc", "clang"),
        python=platform.python_version(),
        python_headers=python_headers(),
        torch=str(torch.__version__),
        torchvision=str(torchvision.__version__),
        torch_threads=torch.get_num_threads(),
        onednn=torch.backends.mkldnn.is_available(),
        cpu_capability=torch.backends.cpu.get_cpu_capability(),
        cpu_half=cpu_half(),
        cuda=torch.version.cuda,
        driver=gpus.driver(library),
        triton=installed("triton"),
        commit=commit(),
        code=digest(ROOT, "bench", "nin"),
        variables={name: without_home(value) for name, value in sorted(os.environ.items()) if is_recorded(name, value)},
    )
    return replace(here, **granted(), **on_cuda(facts), **on_others())


def is_recorded(name: str, value: str) -> bool:
    """Whether a variable may change speed and holds no path; LD_PRELOAD's paths are recorded."""
    if not name.startswith(RECORDED_PREFIXES) or name.endswith(OF_PATHS):
        return False
    paths = any(part.startswith(("/", "~", "./", "../")) for part in value.split(os.pathsep))
    return not (paths and name.startswith(("CUDA_", "CUDNN_", "TORCH_", "NVIDIA_", "ZE_", "SYCL_")))


def on_cuda(facts: dict[str, gpus.Facts]) -> dict[str, object]:
    """The CUDA devices that torch sees, what NVML reports of them, and how torch uses them; empty without any."""
    if not torch.cuda.is_available():
        return {}
    devices = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    known = [facts.get(str(device.uuid), gpus.Facts()) for device in devices]
    processes = [fact.processes for fact in known]
    return {
        "cudnn": torch.backends.cudnn.version(),
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "cuda_architectures": torch.cuda.get_arch_list(),
        "cuda_devices": [
            CudaDevice(
                name=device.name,
                memory_bytes=device.total_memory,
                capability=(device.major, device.minor),
                multiprocessors=device.multi_processor_count,
                power_limit_w=fact.power_limit_w,
                max_sm_clock_hz=fact.max_sm_clock_hz,
                mig=fact.mig,
            )
            for device, fact in zip(devices, known, strict=True)
        ],
        "gpu_processes": [] if None in processes else processes,
    }


def on_others() -> dict[str, object]:
    """The devices that are neither the CPU nor CUDA, and the kinds of them that torch is built for; empty without."""
    backends = [BACKENDS[kind.name] for kind in OTHERS]
    places = [(backend, torch.device(backend.kind.name, i)) for backend in backends for i in range(backend.count())]
    found = [backend.described(place) for backend, place in places]
    built = [backend.kind.name for backend in backends if backend.built()]
    return ({"accelerators": found} if found else {}) | ({"built_for": built} if built else {})


def cpu_model() -> str | None:
    """The processor's name."""
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or None


def cpu_half() -> str | None:
    """The processor's instructions for half precision, of x86 and Arm; None if the kernel names none."""
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        if line.startswith(("flags", "Features")):
            return " ".join(flag for flag in HALF if flag in line.split()) or None
    return None


def granted() -> dict[str, float | None]:
    """The processors and the memory that this process may use, within a container's limits."""
    limits = cgroup.limits()
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": cgroup.usable_cores(limits),
        "affinity_cores": cgroup.affinity_cores(),
        "cpu_quota": limits.cpu_quota,
        "memory_bytes": least(memory_bytes, limits.memory_limit_bytes),
        "memory_limit_bytes": limits.memory_limit_bytes,
        "memory_available_bytes": least(available_bytes(), limits.memory_left_bytes),
    }


def available_bytes() -> int | None:
    """Bytes of the machine's memory that new processes may have, by the kernel's estimate; None if it gives none."""
    lines = (_read("/proc/meminfo") or "").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def least(*values: int | None) -> int | None:
    """The least known value; None if none is known."""
    return min((value for value in values if value is not None), default=None)


def huge_pages() -> str | None:
    """The setting of transparent huge pages: the bracketed word of the kernel's line."""
    text = _read("/sys/kernel/mm/transparent_hugepage/enabled") or ""
    return text.partition("[")[2].partition("]")[0] or None


def libraries() -> dict[str, str]:
    """The libraries here that variants load first: by value of an axis, the name that the loader takes."""
    values = [value for axis in AXES.values() for value in axis.values.values()]
    known = {value.name: next(filter(None, map(ctypes.util.find_library, value.preload)), "") for value in values}
    return {name: library for name, library in known.items() if library}


def first_program(*candidates: str | None) -> str | None:
    """The name of the first candidate that is a program here; None if none is."""
    return next((Path(c).name for c in candidates if c and shutil.which(c)), None)


def python_headers() -> bool:
    """Whether Python.h lies where Triton looks for it (triton/runtime/build.py, Triton 3.8)."""
    scheme = sysconfig.get_default_scheme().replace("posix_local", "posix_prefix")
    return (Path(sysconfig.get_path("include", scheme)) / "Python.h").is_file()


def installed(package: str) -> str | None:
    """The version of a package; None if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return None
