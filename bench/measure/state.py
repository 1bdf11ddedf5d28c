"""What the machine did while a trial ran: load, stolen time, pressure, switches, and the GPU's clock and heat."""

import os
import resource
from collections.abc import Callable
from pathlib import Path

import torch

PRESSURE = Path("/proc/pressure/cpu")


class State:
    """What the machine did meanwhile, from the making of this object to `read`."""

    def __init__(self) -> None:
        self.steal_s, self.pressure_s = steal_s(), pressure_s()

    def read(self, device: torch.device) -> dict[str, float | str | None]:
        """Load, stolen seconds, seconds under pressure, and the GPU's state; None where something is not readable."""
        state: dict[str, float | str | None] = {
            "load_1min": os.getloadavg()[0],
            "steal_s": since(self.steal_s, steal_s()),
            "pressure_s": since(self.pressure_s, pressure_s()),
            "involuntary_switches": resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw,
        }
        if device.type == "cuda":
            state |= gpu_state(device)
        return state


def gpu_state(device: torch.device) -> dict[str, float | str | None]:
    """Clock (Hz), temperature and power of a CUDA device; None where NVML does not tell."""

    def ask(question: Callable[[torch.device], float], scale: float) -> float | None:
        try:
            return float(question(device)) * scale
        except Exception:  # noqa: BLE001 - NVML's errors differ by driver; the trial goes on without
            return None

    return {
        "gpu_clock_hz": ask(torch.cuda.clock_rate, 1e6),
        "gpu_temperature_c": ask(torch.cuda.temperature, 1),
        "gpu_power_w": ask(torch.cuda.power_draw, 1e-3),
        "gpu_throttle": gpu_throttle(device),
    }


def gpu_throttle(device: torch.device) -> str | None:
    """Why the device's clock is held back: NVML's bits, in hexadecimal; None where NVML does not tell."""
    try:
        import pynvml  # noqa: PLC0415 - nvidia-ml-py

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
        return hex(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))
    except Exception:  # noqa: BLE001 - NVML's errors differ by driver; the trial goes on without
        return None


def since(before: float | None, now: float | None) -> float | None:
    """What was added since; None where either is not known."""
    return None if before is None or now is None else now - before


def pressure_s() -> float | None:
    """Seconds since boot in which some task had to wait for a CPU (Linux PSI, line `some`); None elsewhere."""
    try:
        some = PRESSURE.read_text(encoding="utf-8").splitlines()[0]
    except OSError:  # no such file, or a kernel started without PSI
        return None
    return int(some.rpartition("total=")[2]) / 1e6


def steal_s() -> float | None:
    """Seconds that the hypervisor gave to others since boot, over all cores (proc(5), field 8); None elsewhere."""
    try:
        first = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()
    except OSError:
        return None
    return int(first[8]) / os.sysconf("SC_CLK_TCK")
