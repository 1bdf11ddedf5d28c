"""CPU seconds, page faults and switches of this process and its live children, from the kernel."""

import os
import resource
from dataclasses import astuple, dataclass, fields
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Totals since the process began: each field is a metric of a step."""

    cpu_user: float
    cpu_system: float
    page_faults: float
    involuntary_switches: float

    def __sub__(self, earlier: "Usage") -> "Usage":
        """What was used since `earlier`."""
        now, then = astuple(self), astuple(earlier)
        return Usage(**{f.name: a - b for f, a, b in zip(fields(self), now, then, strict=True)})

    def __truediv__(self, steps: int) -> "Usage":
        """What each of `steps` used, as a mean."""
        return Usage(**{f.name: value / steps for f, value in zip(fields(self), astuple(self), strict=True)})


def usage() -> Usage:
    """The totals of the process (exact) and of its children, ended or alive (alive: to the kernel's tick of 10 ms)."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    alive = [_child(pid) for pid in _children(os.getpid())]
    return Usage(
        cpu_user=own.ru_utime + ended.ru_utime + sum(c.cpu_user for c in alive),
        cpu_system=own.ru_stime + ended.ru_stime + sum(c.cpu_system for c in alive),
        page_faults=own.ru_minflt + ended.ru_minflt + sum(c.page_faults for c in alive),
        involuntary_switches=own.ru_nivcsw + ended.ru_nivcsw + sum(c.involuntary_switches for c in alive),
    )


def _children(pid: int) -> list[int]:
    """The children of every thread: a loader may start its workers from any."""
    pids: list[int] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        pids += map(int, _read(listing).split())
    return pids


def _child(pid: int) -> Usage:
    """A live child's totals; zero if it has just ended (its parent then counts it)."""
    # /proc/PID/stat (proc(5)): field 10 is minflt, 14 and 15 user and system ticks. The name in
    # field 2 may hold spaces, so fields are counted from the bracket that ends it.
    stat = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    switches = [
        int(line.split()[1])
        for line in _read(Path(f"/proc/{pid}/status")).splitlines()
        if line.startswith("nonvoluntary_ctxt_switches")
    ]
    if not stat:
        return Usage(cpu_user=0, cpu_system=0, page_faults=0, involuntary_switches=0)
    tick = os.sysconf("SC_CLK_TCK")
    return Usage(
        cpu_user=int(stat[11]) / tick,
        cpu_system=int(stat[12]) / tick,
        page_faults=int(stat[7]),
        involuntary_switches=sum(switches),
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
