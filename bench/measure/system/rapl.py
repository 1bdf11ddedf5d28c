"""The energy of a CPU's packages, from the counters that Linux shows (powercap, RAPL) where a process may read them.

A package is the whole chip, whoever uses it. Most systems let only root read the counters.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path("/sys/class/powercap")
MICROJOULES = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """The counter of one package. It begins again at 0 after `range_uj`."""

    file: Path
    range_uj: int


@cache
def packages(root: Path = ROOT) -> tuple[Package, ...]:
    """The packages whose counters can be read; none if there is one that can't."""
    zones = [zone for zone in sorted(root.glob("intel-rapl:*")) if _text(zone / "name").startswith("package")]
    found = [Package(file=zone / "energy_uj", range_uj=int(_text(zone / "max_energy_range_uj") or 0)) for zone in zones]
    return tuple(found) if all(_text(package.file) for package in found) else ()


def counted(of: tuple[Package, ...]) -> tuple[int, ...]:
    """Each package's counter now, in microjoules; none if one can't be read any more."""
    texts = [_text(package.file) for package in of]
    return tuple(map(int, texts)) if all(text.isdigit() for text in texts) else ()


def joules(of: tuple[Package, ...], before: tuple[int, ...], after: tuple[int, ...]) -> float | None:
    """The joules of all packages between two readings, at most one turn of a counter apart; None if not known."""
    if not len(of) == len(before) == len(after):
        return None
    used = [
        later - earlier + (package.range_uj if later < earlier else 0)
        for package, earlier, later in zip(of, before, after, strict=True)
    ]
    return MICROJOULES * sum(used) if used and min(used) >= 0 else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError:
        return ""
