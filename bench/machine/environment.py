"""What machine this is, which software runs on it, and with which settings. No host or user name."""

import ctypes.util
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sysconfig
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.core.axes.place import Cuda, Device, Machine
from bench.core.home import home
from bench.core.variants import AXES
from bench.machine import gpus

if TYPE_CHECKING:
    from bench.core.facts import Environment

ROOT = Path(__file__).parents[2]
"""The folder of the code that measures."""

ARCHIVED = ".git_archival.txt"
"""In which `git archive` writes the commit (gitattributes(5), export-subst)."""

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
)
"""Variables that change speed."""
OF_PATHS = ("_DIR", "_DIRECTORY", "_PATH", "_HOME", "_ROOT", "_FILE")
"""How the names of variables end that hold a path."""
HALF = ("avx512_bf16", "avx512_fp16", "amx_bf16", "amx_fp16", "fphp", "bf16", "svebf16")
"""Names of the kernel for instructions that compute in half precision."""


def describe() -> dict[str, Any]:
    """The environment of this process, for run.json. Imports torch: call it in a child.

    What a machine does not tell is None.
    """
    import torch  # noqa: PLC0415 - the parent reads this file too, without torch
    import torchvision  # noqa: PLC0415

    library = gpus.nvml()
    facts = gpus.by_uuid(library)  # before torch makes this process one of those that use a GPU
    return {
        "cpu": cpu_model(),
        **granted(),
        "page_bytes": os.sysconf("SC_PAGE_SIZE"),
        "os": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "huge_pages": huge_pages(),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "libraries": libraries(),
        "cxx_compiler": first_found(os.environ.get("CXX"), "g++", "clang++"),
        "c_compiler": first_found(os.environ.get("CC"), "gcc", "clang"),
        "python": platform.python_version(),
        "python_headers": python_headers(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "torch_threads": torch.get_num_threads(),
        "onednn": torch.backends.mkldnn.is_available(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cpu_half": cpu_half(),
        "cuda": torch.version.cuda,
        "driver": gpus.driver(library),
        "triton": installed("triton"),
        **on_cuda(facts),
        "commit": commit(),
        "code": digest(ROOT, "bench", "nin"),
        "variables": {
            name: without_home(value) for name, value in sorted(os.environ.items()) if is_recorded(name, value)
        },
    }


def machine(environment: "Environment") -> Machine:
    """What of a described environment decides which variants can run."""
    name, _, version = (environment.libc or "").partition(" ")
    glibc = tuple(int(part) for part in version.split(".")[:2]) if name == "glibc" else None
    return Machine(
        cuda=seen_cuda(environment),
        cxx_compiler=bool(environment.cxx_compiler),
        c_compiler=bool(environment.c_compiler),
        python_headers=bool(environment.python_headers),
        glibc=(glibc[0], glibc[1]) if glibc else None,
        huge_pages=environment.huge_pages or "unknown",
        libraries=environment.libraries,
        cores=environment.cores or 1,
    )


def seen_cuda(environment: "Environment") -> Cuda:
    """What a described environment has of CUDA."""
    return Cuda(
        devices=tuple(
            Device(capability=device.capability, multiprocessors=device.multiprocessors)
            for device in environment.cuda_devices
        ),
        driver=environment.driver or "",
        torch=environment.torch or "",
        version=environment.cuda or "",
        architectures=tuple(environment.cuda_architectures),
    )


def is_recorded(name: str, value: str) -> bool:
    """Whether a variable may change speed and holds no path; LD_PRELOAD's libraries are recorded."""
    if not name.startswith(RECORDED_PREFIXES) or name.endswith(OF_PATHS):
        return False
    paths = any(part.startswith(("/", "~", "./", "../")) for part in value.split(os.pathsep))
    return not (paths and name.startswith(("CUDA_", "CUDNN_", "TORCH_", "NVIDIA_")))


def without_home(text: str) -> str:
    """The text with the user's home folder as `~`: no user's name in a record."""
    found = home()
    return re.sub(rf"{re.escape(str(found))}(?![\w.-])", "~", text) if found else text


def on_cuda(facts: dict[str, gpus.Facts]) -> dict[str, Any]:
    """The CUDA devices that torch sees, with what NVML tells of them, and how torch uses them; nothing without any."""
    import torch  # noqa: PLC0415

    if not torch.cuda.is_available():
        return {}
    devices = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    known = [dict(facts.get(str(device.uuid), {})) for device in devices]
    processes = [fact.pop("processes", None) for fact in known]
    return {
        "cudnn": torch.backends.cudnn.version(),
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "cuda_architectures": torch.cuda.get_arch_list(),
        "cuda_devices": [
            {
                "name": device.name,
                "memory_bytes": device.total_memory,
                "capability": [device.major, device.minor],
                "multiprocessors": device.multi_processor_count,
            }
            | fact
            for device, fact in zip(devices, known, strict=True)
        ],
        "gpu_processes": [] if None in processes else processes,
    }


def cpu_model() -> str | None:
    """The processor's name."""
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or None


def cpu_half() -> str | None:
    """The processor's instructions for half precision, of x86 and Arm; None where the kernel names none."""
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        if line.startswith(("flags", "Features")):
            return " ".join(flag for flag in HALF if flag in line.split()) or None
    return None


def cores() -> int:
    """The threads that this process can run all the time: by its affinity mask and its control groups."""
    from nin.cgroup import usable_cores  # noqa: PLC0415 - a worker must find `nin` in the tree that it measures

    return usable_cores()


def cpu_quota() -> float | None:
    """CPU seconds a second that the control groups grant; None where they set no limit."""
    from nin.cgroup import limits  # noqa: PLC0415 - as above

    return limits().cpu_quota


def granted() -> dict[str, Any]:
    """Processors and memory that this process may use; where a container sets limits, those."""
    from nin import cgroup  # noqa: PLC0415 - as above

    found = cgroup.limits()
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": cgroup.usable_cores(found),
        "affinity_cores": cgroup.affinity_cores(),
        "cpu_quota": found.cpu_quota,
        "memory_bytes": least(memory_bytes, found.memory_limit_bytes),
        "memory_limit_bytes": found.memory_limit_bytes,
        "memory_available_bytes": least(available_bytes(), found.memory_left_bytes),
    }


def available_bytes() -> int | None:
    """What new processes may have of the machine's memory, by the kernel's estimate."""
    lines = (_read("/proc/meminfo") or "").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def least(*found: int | None) -> int | None:
    """The least of what is known; None where nothing is."""
    return min((value for value in found if value is not None), default=None)


def huge_pages() -> str | None:
    """The setting of transparent huge pages: the bracketed word of the kernel's line."""
    text = _read("/sys/kernel/mm/transparent_hugepage/enabled") or ""
    return text.partition("[")[2].partition("]")[0] or None


def libraries() -> dict[str, str]:
    """The libraries that variants load first and that are here: by value of an axis, the name that the loader takes."""
    values = [value for axis in AXES.values() for value in axis.values.values()]
    known = {value.name: next(filter(None, map(ctypes.util.find_library, value.preload)), "") for value in values}
    return {name: library for name, library in known.items() if library}


def first_found(*candidates: str | None) -> str | None:
    """The name of the first of some programs that is there."""
    return next((Path(c).name for c in candidates if c and shutil.which(c)), None)


def python_headers() -> bool:
    """Whether Python.h lies where Triton looks for it (triton/runtime/build.py, Triton 3.8)."""
    scheme = sysconfig.get_default_scheme().replace("posix_local", "posix_prefix")
    return (Path(sysconfig.get_path("include", scheme)) / "Python.h").is_file()


def installed(package: str) -> str | None:
    """The version of a package; None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def commit() -> str | None:
    """The commit of the code that measures, with `+` where the tree differs from it.

    Without git's folder the one that `git archive` wrote down, as in a downloaded archive: whether the tree still is
    that commit is not known there, so `?` follows.
    """
    if not (ROOT / ".git").exists():
        archived = re.search(r"^commit: ([0-9a-f]{12})", _read(str(ROOT / ARCHIVED)) or "", re.MULTILINE)
        return f"{archived[1]}?" if archived else None
    try:
        head = git(ROOT, "rev-parse", "--short=12", "HEAD")
        return head + ("+" if git(ROOT, "status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def digest(root: Path, *folders: str) -> str:
    """A hash over names and contents of the files in a folder, or in some folders of it."""
    found = hashlib.sha256()
    files = (path for name in folders or (".",) for path in (root / name).rglob("*"))
    for path in sorted(path for path in files if path.is_file() and "__pycache__" not in path.parts):
        found.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:16]


def git(root: Path, *arguments: str) -> str:
    """What git says of the repository around a folder, in English; OSError or SubprocessError where it says nothing."""
    done = subprocess.run(
        ["git", "-C", str(root), *arguments],  # noqa: S607 - git is where the user has it
        capture_output=True, check=True, text=True, timeout=60, env=os.environ | {"LC_ALL": "C"},
    )  # fmt: skip
    return done.stdout.strip()


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return None
