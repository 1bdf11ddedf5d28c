"""The energy of a CPU's packages is read as the kernel documents it (Documentation/power/powercap)."""

from pathlib import Path

import pytest

from bench.measure.system import rapl

RANGE_UJ = 262_143_328_850


def zone(root: Path, name: str, kind: str, energy_uj: int) -> Path:
    """A zone of the powercap tree; returns its counter."""
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{kind}\n")
    (folder / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
    (folder / "energy_uj").write_text(f"{energy_uj}\n")
    return folder / "energy_uj"


@pytest.fixture
def counters(tmp_path: Path) -> list[Path]:
    """Two packages, a part of one (which its package has too) and the platform's zone."""
    zone(tmp_path, "intel-rapl:0:0", "core", 5)
    zone(tmp_path, "intel-rapl:2", "psys", 7)
    return [zone(tmp_path, "intel-rapl:0", "package-0", 1_000_000), zone(tmp_path, "intel-rapl:1", "package-1", 0)]


def test_joules_are_those_of_all_packages(counters: list[Path], tmp_path: Path) -> None:
    packages = rapl.packages(tmp_path)
    before = rapl.counted(packages)
    counters[0].write_text("3500000\n")
    counters[1].write_text("500000\n")

    assert before == (1_000_000, 0)
    assert rapl.joules(packages, before, rapl.counted(packages)) == pytest.approx(3.0)


def test_a_counter_that_began_again_is_no_negative_energy(counters: list[Path], tmp_path: Path) -> None:
    packages = rapl.packages(tmp_path)
    counters[0].write_text(f"{RANGE_UJ - 250_000}\n")
    before = rapl.counted(packages)
    counters[0].write_text("750000\n")

    assert rapl.joules(packages, before, rapl.counted(packages)) == pytest.approx(1.0)


def test_a_counter_that_can_not_be_read_any_more_leaves_energy_unknown(counters: list[Path], tmp_path: Path) -> None:
    packages = rapl.packages(tmp_path)
    before = rapl.counted(packages)
    counters[0].write_text("")

    assert rapl.joules(packages, before, rapl.counted(packages)) is None


def test_where_a_counter_is_missing_or_may_not_be_read_energy_is_unknown(counters: list[Path], tmp_path: Path) -> None:
    assert rapl.packages(tmp_path / "none") == ()
    assert rapl.joules((), (), ()) is None
    counters[1].unlink()
    counters[1].mkdir()  # reading it is an error for root too
    assert rapl.packages(tmp_path / ".." / tmp_path.name) == ()
