"""What this process may use of the machine: processors and memory, by its control groups and its affinity mask.

It reads /proc/self/cgroup and /proc/self/mountinfo (cgroups(7), proc_pid_mountinfo(5)), of version 1, version 2 and
both at once. A limit of an ancestor holds for its children too, so the smallest on the way up counts.
It uses the standard library only and raises nothing: a value that can't be read, or is no number, is unknown.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

UNLIMITED_BYTES = 2**62
"""A number from here on means no limit: version 1 writes 9223372036854771712, less with larger pages."""
MOST_CPUS = 2**20
"""A larger quota is a mistake, or means no limit."""
TOP = Path("/")
Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The least that any control group on the way up grants; None if no group sets a limit."""

    cpu_quota: float | None = None
    """CPU seconds a second."""
    cpuset_cores: int | None = None
    memory_limit_bytes: int | None = None
    memory_left_bytes: int | None = None
    """The limit less what is in use; page cache that the kernel would give up at once is not in use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A mounted hierarchy of control groups."""

    top: PurePosixPath
    """The control group at the mount point."""
    point: PurePosixPath
    controllers: frozenset[str]
    """Of version 1; empty for version 2."""


def limits(root: Path = TOP) -> Limits:
    """The limits of this process's control groups and of all their ancestors.

    `root` is the top folder of the file system; a test names another one.
    """
    folders = list(_folders(root))
    return Limits(
        cpu_quota=_least(map(_quota, folders)),
        cpuset_cores=_least(map(_cpuset, folders)),
        memory_limit_bytes=_least(map(_memory_limit, folders)),
        memory_left_bytes=_least(map(_memory_left, folders)),
    )


def affinity_cores() -> int:
    """The cores in this process's affinity mask; all of the machine's if the system has no such mask."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usable_cores(granted: Limits | None = None) -> int:
    """The number of threads that can run all the time, at least 1.

    It is the least of affinity mask, cpuset and quota (rounded down). Without `granted` it reads this process's limits.
    """
    granted = limits() if granted is None else granted
    least = min(filter(None, (affinity_cores(), granted.cpuset_cores, granted.cpu_quota)))
    return max(1, int(least))


def _folders(root: Path) -> Iterator[Path]:
    """The folders of this process's control groups, each with its parents as far as they are mounted."""
    mounts = list(_mounts(_read(root / "proc/self/mountinfo")))
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, _, named = line.partition(":")
        controllers, _, group = named.partition(":")
        if not group.startswith("/"):
            continue
        wanted = frozenset(filter(None, controllers.split(",")))
        fit = [mount for mount in mounts if (wanted & mount.controllers if wanted else not mount.controllers)]
        own = PurePosixPath(group)
        # A mount of another branch says nothing of this process. If it is the only one, a container sees itself there.
        for mount in [m for m in fit if own.is_relative_to(m.top)] or fit:
            below = own.relative_to(mount.top) if own.is_relative_to(mount.top) else PurePosixPath()
            for inner in (below, *below.parents):
                if ".." not in inner.parts:
                    yield root / mount.point.relative_to("/") / inner


def _mounts(text: str) -> Iterator[Mount]:
    """The hierarchies of control groups in a mountinfo."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")
        if len(fields) < 5 or kind[0] not in ("cgroup", "cgroup2"):
            continue
        top, point = (PurePosixPath(_unescaped(field)) for field in fields[3:5])
        if point.is_absolute():
            controllers = kind[-1].split(",") if kind[0] == "cgroup" else ()
            yield Mount(top=top, point=point, controllers=frozenset(controllers))


def _unescaped(field: str) -> str:
    r"""A field of mountinfo with its spaces, which the kernel writes as \040."""
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), field)


def _quota(folder: Path) -> float | None:
    texts = _read(folder / "cpu.max").split()
    if len(texts) != 2:
        texts = [_read(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
    quota, period = (_positive(text) for text in texts)
    return quota / period if quota and period and quota <= MOST_CPUS * period else None


def _cpuset(folder: Path) -> int | None:
    names = ("cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus")
    return next((count for name in names if (count := _cores_in(_read(folder / name)))), None)


def _cores_in(text: str) -> int | None:
    """The number of cores in a list such as `0-3,8` (cpuset(7)); None if the text is no such list."""
    cores: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", part)
        if match is None:
            return None
        cores.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return len(cores) or None


def _memory_limit(folder: Path) -> int | None:
    limits_bytes = (_positive(_read(folder / name)) for name in ("memory.max", "memory.limit_in_bytes"))
    return next((limit for limit in limits_bytes if limit and limit < UNLIMITED_BYTES), None)


def _memory_left(folder: Path) -> int | None:
    """The bytes that a control group's limit leaves; all of the limit if the use can't be read."""
    limit = _memory_limit(folder)
    if limit is None:
        return None
    names = ("memory.current", "memory.usage_in_bytes")
    used = next(filter(None, (_positive(_read(folder / name)) for name in names)), 0)
    stat = dict(line.split(" ", 1) for line in _read(folder / "memory.stat").splitlines() if " " in line)
    # In version 1, the names that begin with total_ count the children too, as the limit does.
    given_up = _positive(stat.get("total_inactive_file", stat.get("inactive_file", ""))) or 0
    return max(0, limit - max(0, used - given_up))


def _least(values: Iterable[Number | None]) -> Number | None:
    return min((value for value in values if value is not None), default=None)


def _positive(text: str) -> int | None:
    """A whole number above 0; None for `max`, -1 and anything else."""
    return (int(text) or None) if re.fullmatch(r"[0-9]{1,19}", text) else None


def _read(path: Path) -> str:
    """A file's text; empty if it can't be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return ""
