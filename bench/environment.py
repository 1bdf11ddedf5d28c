"""What machine this is, which software runs on it, and with which settings. No host or user name."""

import ctypes.util
import hashlib
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.home import home
from bench.matrix import Machine

if TYPE_CHECKING:
    from bench.header import Environment

ROOT = Path(__file__).parent.parent
"""The folder of the code that measures."""

RECORDED_PREFIXES = (
    "OMP_",
    "MKL_",
    "KMP_",
    "MALLOC_",
    "GLIBC_TUNABLES",
    "LD_PRELOAD",
    "CUDA_VISIBLE",
    "PYTORCH_",
    "CUBLAS_",
    "TORCHINDUCTOR_",
    "TORCHDYNAMO_",
)
"""Variables that change speed."""
HALF = ("avx512_bf16", "avx512_fp16", "amx_bf16", "amx_fp16", "fphp", "bf16", "svebf16")
"""Names of the kernel for instructions that compute in half precision."""


def describe() -> dict[str, Any]:
    """The environment of this process, for run.json. Imports torch: call it in a child.

    What a machine does not tell is None.
    """
    import torch  # noqa: PLC0415 - the parent reads this file too, without torch
    import torchvision  # noqa: PLC0415

    return {
        "cpu": cpu_model(),
        **granted(),
        "page_bytes": os.sysconf("SC_PAGE_SIZE"),
        "os": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "huge_pages": huge_pages(),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "tcmalloc": tcmalloc(),
        "cxx_compiler": cxx_compiler(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "torch_threads": torch.get_num_threads(),
        "onednn": torch.backends.mkldnn.is_available(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cpu_half": cpu_half(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if torch.cuda.is_available() else None,
        "cuda_devices": cuda_devices(),
        "commit": commit(),
        "code": digest(ROOT, "bench", "nin"),
        "variables": {
            name: without_home(value)
            for name, value in sorted(os.environ.items())
            if name.startswith(RECORDED_PREFIXES) and not name.endswith("_DIR")
        },
    }


def machine(environment: "Environment") -> Machine:
    """What of a described environment decides which variants can run."""
    devices = environment.cuda_devices
    name, _, version = (environment.libc or "").partition(" ")
    glibc = tuple(int(part) for part in version.split(".")[:2]) if name == "glibc" else None
    return Machine(
        cuda_devices=len(devices),
        cuda_capability=min((d.capability for d in devices), default=(0, 0)),
        cxx_compiler=bool(environment.cxx_compiler),
        glibc=(glibc[0], glibc[1]) if glibc else None,
        huge_pages=environment.huge_pages or "unknown",
        tcmalloc=environment.tcmalloc or "",
        cores=environment.cores or 1,
    )


def without_home(text: str) -> str:
    """The text with the user's home folder as `~`: no user's name in a record."""
    found = home()
    return re.sub(rf"{re.escape(str(found))}(?![\w.-])", "~", text) if found else text


def cuda_devices() -> list[dict[str, Any]]:
    """Name, memory and compute capability of each CUDA device."""
    import torch  # noqa: PLC0415

    found = []
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        properties = torch.cuda.get_device_properties(index)
        found.append(
            {
                "name": properties.name,
                "memory_bytes": properties.total_memory,
                "capability": [properties.major, properties.minor],
            }
        )
    return found


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


def tcmalloc() -> str | None:
    """The name of tcmalloc's library, as the loader finds it."""
    return ctypes.util.find_library("tcmalloc_minimal") or ctypes.util.find_library("tcmalloc")


def cxx_compiler() -> str | None:
    """The name of the C++ compiler that inductor would use."""
    candidates = (os.environ.get("CXX"), "g++", "clang++")
    return next((Path(c).name for c in candidates if c and shutil.which(c)), None)


def commit() -> str | None:
    """The commit of the code that measures, with `+` where the tree differs from it."""
    if not (ROOT / ".git").exists():
        return None
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
