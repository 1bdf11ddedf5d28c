"""What a container grants, read from made-up file systems."""

import os
from pathlib import Path

import pytest

from nin import cgroup
from nin.cgroup import Limits

NONE_V1 = "9223372036854771712"
V2 = "30 23 0:26 {top} /sys/fs/cgroup ro,nosuid - cgroup2 cgroup ro,nsdelegate"
CPU, MEMORY, CPUSET = (
    f"{number} 23 0:{number} {{top}} /sys/fs/cgroup/{name} ro shared:9 - cgroup cgroup ro,{name}"
    for number, name in ((31, "cpu,cpuacct"), (32, "memory"), (33, "cpuset"))
)
UNIFIED = "34 23 0:34 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw"
OTHERS = "22 27 0:21 / /proc rw - proc proc rw\n27 1 254:0 / / rw,relatime - ext4 /dev/vda rw"
GIB = 2**30


def tree(root: Path, groups: str, mounts: list[str], files: dict[str, str], top: str = "/") -> Path:
    """A file system with these control groups, mounts (each shows `top`), and files below /sys/fs/cgroup."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    (root / "proc/self/mountinfo").write_text("\n".join([OTHERS, *(m.format(top=top) for m in mounts)]) + "\n")
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


ALL_V1 = [CPU, MEMORY, CPUSET]
GROUPS_V1 = "4:memory:/docker/abc\n3:cpuset:/docker/abc\n2:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n"

CASES = {
    "version 2, a container that sees itself as /": (
        "0::/\n", [V2], "/",
        {"cpu.max": "200000 100000", "cpuset.cpus.effective": "0-3,8", "memory.max": str(4 * GIB),
         "memory.current": str(3 * GIB), "memory.stat": f"anon 5\ninactive_file {GIB}\nactive_file 7"},
        Limits(cpu_quota=2.0, cpuset_cores=5, memory_limit_bytes=4 * GIB, memory_left_bytes=2 * GIB),
    ),
    "version 2, an ancestor's limit is the smaller one": (
        "0::/kube/pod/box\n", [V2], "/",
        {"kube/pod/box/cpu.max": "400000 100000", "kube/pod/cpu.max": "150000 100000", "kube/cpu.max": "max 100000",
         "kube/pod/box/memory.max": "max", "kube/memory.max": str(2 * GIB), "kube/memory.current": str(GIB)},
        Limits(cpu_quota=1.5, memory_limit_bytes=2 * GIB, memory_left_bytes=GIB),
    ),
    "version 2, the own limit is the smaller one": (
        "0::/a/b\n", [V2], "/", {"a/b/cpu.max": "50000 100000", "a/cpu.max": "300000 100000"}, Limits(cpu_quota=0.5),
    ),
    "version 2, another group's limit is not ours": (
        "0::/a\n", [V2], "/", {"b/cpu.max": "50000 100000", "a/c/cpu.max": "50000 100000"}, Limits(),
    ),
    "version 2, no limits": (
        "0::/\n", [V2], "/", {"cpu.max": "max 100000", "memory.max": "max", "memory.current": "5"}, Limits(),
    ),
    "version 1, a container without a namespace of its own": (
        GROUPS_V1, ALL_V1, "/docker/abc",
        {"cpu,cpuacct/cpu.cfs_quota_us": "250000", "cpu,cpuacct/cpu.cfs_period_us": "100000",
         "cpuset/cpuset.cpus": "2-3", "memory/memory.limit_in_bytes": str(GIB),
         "memory/memory.usage_in_bytes": str(GIB // 2),
         "memory/memory.stat": "inactive_file 1\ntotal_inactive_file 4096"},
        Limits(cpu_quota=2.5, cpuset_cores=2, memory_limit_bytes=GIB, memory_left_bytes=GIB // 2 + 4096),
    ),
    "version 1, a host's group and its ancestor": (
        GROUPS_V1, ALL_V1, "/",
        {"cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "-1", "cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000",
         "cpu,cpuacct/docker/cpu.cfs_quota_us": "300000", "cpu,cpuacct/docker/cpu.cfs_period_us": "50000",
         "memory/docker/abc/memory.limit_in_bytes": str(3 * GIB), "memory/docker/memory.limit_in_bytes": NONE_V1},
        Limits(cpu_quota=6.0, memory_limit_bytes=3 * GIB, memory_left_bytes=3 * GIB),
    ),
    "version 1, no limits": (
        GROUPS_V1, ALL_V1, "/docker/abc",
        {"cpu,cpuacct/cpu.cfs_quota_us": "-1", "cpu,cpuacct/cpu.cfs_period_us": "100000", "cpuset/cpuset.cpus": "",
         "memory/memory.limit_in_bytes": NONE_V1, "memory/memory.usage_in_bytes": "77"},
        Limits(),
    ),
    "both versions, limits in each": (
        "4:memory:/box\n0::/box\n", [MEMORY, UNIFIED], "/",
        {"memory/box/memory.limit_in_bytes": str(GIB), "unified/box/cpu.max": "100000 100000"},
        Limits(cpu_quota=1.0, memory_limit_bytes=GIB, memory_left_bytes=GIB),
    ),
    "a container that sees itself as / below another top": (
        "0::/\n", [V2], "/docker/abc", {"cpu.max": "100000 100000"}, Limits(cpu_quota=1.0),
    ),
    "a mount from outside of the namespace": (
        "0::/\n", [V2], "/../..", {"cpu.max": "100000 100000"}, Limits(cpu_quota=1.0),
    ),
    "a mount point with a space": (
        "0::/\n", [V2.replace("/sys/fs/cgroup", r"/sys/fs/cgroup/my\040groups")], "/",
        {"my groups/cpu.max": "100000 100000"}, Limits(cpu_quota=1.0),
    ),
    "a mount of another branch beside ours": (
        "0::/a\n", [V2, V2.format(top="/b").replace("/sys/fs/cgroup", "/sys/fs/cgroup/other")], "/",
        {"a/cpu.max": "200000 100000", "other/cpu.max": "10000 100000"}, Limits(cpu_quota=2.0),
    ),
    "a group that can't be seen in a mount that can": (
        "0::/kube/pod\n", [V2], "/", {"cpu.max": "100000 100000"}, Limits(cpu_quota=1.0),
    ),
    "more in use than the limit": (
        "0::/\n", [V2], "/", {"memory.max": "4096", "memory.current": "8192"},
        Limits(memory_limit_bytes=4096, memory_left_bytes=0),
    ),
    "garbage": (
        "0::/\nnonsense\n7:memory\n:::\n", [V2, "short - cgroup2", "", "1 2 3 relative point - cgroup2 a b"], "/",
        {"cpu.max": "lots of them", "memory.max": "-5", "cpuset.cpus.effective": "zero", "memory.current": "\x00"},
        Limits(),
    ),
    "zeros": (
        "0::/\n", [V2], "/", {"cpu.max": "0 0", "memory.max": "0", "cpuset.cpus.effective": "5-2"}, Limits(),
    ),
    "a quota of more processors than there are anywhere": (
        "0::/\n", [V2], "/", {"cpu.max": "9999999999999 1"}, Limits(),
    ),
    "no mount": ("0::/\n", [], "/", {"cpu.max": "100000 100000"}, Limits()),
}  # fmt: skip


@pytest.mark.parametrize(("groups", "mounts", "top", "files", "expected"), CASES.values(), ids=CASES)
def test_the_nearest_limit_counts(
    groups: str, mounts: list[str], top: str, files: dict[str, str], expected: Limits, tmp_path: Path
) -> None:
    assert cgroup.limits(tree(tmp_path, groups, mounts, files, top)) == expected


def test_what_can_not_be_read_is_not_known(tmp_path: Path) -> None:
    assert cgroup.limits(tmp_path) == Limits()

    root = tree(tmp_path, "0::/\n", [V2], {})
    (root / "sys/fs/cgroup/cpu.max").mkdir(parents=True)  # a read of it fails, whoever reads
    (root / "sys/fs/cgroup/memory.max").write_bytes(b"\xff\xfe")
    assert cgroup.limits(root) == Limits()


@pytest.mark.parametrize(
    ("affinity", "limits", "cores"),
    [
        (8, Limits(), 8),
        (8, Limits(cpu_quota=2.0), 2),
        (8, Limits(cpu_quota=2.9), 2),  # a third thread would be stopped for most of the time
        (8, Limits(cpu_quota=0.5), 1),
        (2, Limits(cpu_quota=6.0), 2),
        (8, Limits(cpuset_cores=3, cpu_quota=6.0), 3),
    ],
)
def test_cores_are_the_least_of_mask_cpuset_and_quota(
    affinity: int, limits: Limits, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(affinity)), raising=False)

    assert cgroup.usable_cores(limits) == cores
