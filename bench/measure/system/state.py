"""What the machine did while a trial ran: load, stolen time, pressure, switches, and the GPU's clock and heat."""

import contextlib
import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from bench.core.exchange.messages import MachineState
from bench.measure.clock import Clock
from bench.measure.devices.find import backend_of
from bench.measure.samples import Samples
from bench.measure.system.nvml import Gpu
from bench.measure.timing.steps import take_step
from bench.measure.workload import Workload

PRESSURE = Path("/proc/pressure/cpu")


class State:
    """What the machine did from the making of this object to `read`, and what held a GPU back from `begin` on."""

    def __init__(self, work: Workload) -> None:
        self.work = work
        self.gpu = backend_of(work.device).gpu(work.device)
        self.steal_s, self.pressure_s = steal_s(), pressure_s()
        self.began: Violations | None = None
        self.throttled = Samples("steps")
        """The shares of the time in which the GPU was held back. `read` sets them."""

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out what the machine does within this context: others have their turn."""
        steal, pressure = steal_s(), pressure_s()
        yield
        self.steal_s = plus(self.steal_s, since(steal, steal_s()))
        self.pressure_s = plus(self.pressure_s, since(pressure, pressure_s()))

    def begin(self, clock: Clock) -> None:
        """Note that the timed region begins."""
        self.began = Violations.of(self.gpu, clock) if self.gpu else None

    def read(self, clock: Clock, steps: int) -> MachineState:
        """Load, stolen seconds, seconds under pressure, and the GPU's state; what can't be read is None.

        A GPU is asked while it works: it is given `steps` further steps, and waited for only after the questions.
        """
        state = MachineState(
            load_1min=os.getloadavg()[0],
            steal_s=since(self.steal_s, steal_s()),
            pressure_s=since(self.pressure_s, pressure_s()),
            involuntary_switches=resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw,
        )
        if self.gpu:
            for _ in range(steps):
                take_step(self.work)
            state = replace(state, **gpu_state(self.gpu))
            if self.began:
                self.throttled = shares(self.began, Violations.of(self.gpu, clock))
            clock.sync()
        return state


@dataclass(frozen=True, slots=True, kw_only=True)
class Violations:
    """How long the clock was held back, as NVML has counted up to a moment of the host's."""

    at_s: float
    power_ns: int | None
    heat_ns: int | None

    @classmethod
    def of(cls, gpu: Gpu, clock: Clock) -> "Violations":
        """The counts at this moment."""
        return cls(at_s=clock.host_s(), power_ns=gpu.power_violation_ns(), heat_ns=gpu.thermal_violation_ns())


def shares(before: Violations, after: Violations) -> Samples:
    """The shares of the time between two moments in which power and heat held the clock back, as far as reported."""
    samples, passed_s = Samples("steps"), after.at_s - before.at_s
    for metric, first_ns, last_ns in (
        ("power_throttled", before.power_ns, after.power_ns),
        ("heat_throttled", before.heat_ns, after.heat_ns),
    ):
        held_ns = since(first_ns, last_ns)
        if held_ns is not None:
            samples.add(metric, held_ns / 1e9 / passed_s)
    return samples


def gpu_state(gpu: Gpu) -> dict[str, float | str | None]:
    """Clock, temperature, power, and why the clock is held back (NVML's bits, in hexadecimal); None if not reported.

    The clock comes first: it falls soonest when work ends.
    """
    clock_hz, reasons = gpu.clock_hz(), gpu.throttle_reasons()
    return {
        "gpu_clock_hz": clock_hz,
        "gpu_temperature_c": gpu.temperature_c(),
        "gpu_power_w": gpu.power_w(),
        "gpu_throttle": None if reasons is None else hex(reasons),
    }


def since(before: float | None, now: float | None) -> float | None:
    """What was added since; None if either is unknown."""
    return None if before is None or now is None else now - before


def plus(one: float | None, other: float | None) -> float | None:
    """The sum; None if either is unknown."""
    return None if one is None or other is None else one + other


def pressure_s() -> float | None:
    """Seconds since boot in which some task had to wait for a CPU (Linux PSI, line `some`); None without PSI."""
    try:
        some = PRESSURE.read_text(encoding="utf-8").splitlines()[0]
    except OSError:  # no such file, or a kernel started without PSI
        return None
    return int(some.rpartition("total=")[2]) / 1e6


def steal_s() -> float | None:
    """Seconds that the hypervisor gave to others since boot, over all cores (proc(5), field 8); None off Linux."""
    try:
        first = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()
    except OSError:
        return None
    return int(first[8]) / os.sysconf("SC_CLK_TCK")
