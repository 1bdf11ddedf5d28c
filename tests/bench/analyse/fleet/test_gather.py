"""Which runs belong to which machine, and that the quick reader says what `bench history` reads."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.analyse.fleet import gather as gathering
from bench.analyse.fleet.gather import gather
from bench.analyse.history import gather as of_history
from bench.analyse.history.gather import StoredRun
from bench.core.reading import read_rows
from bench.core.records import RUN_FILE, TRIALS, RecordError
from benchmarks.made_fleet import Kind, write
from tests.bench.stored_history import EXAMPLE

MakeRun = Callable[..., Path]
KINDS = (Kind(name="cpu", machines=2), Kind(name="gpu", gpu="Some GPU", machines=1, drivers=(("570", 1.0),)))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stored") / "fleet"
    write(folder, KINDS, runs=2)
    return folder


def comparable(run: StoredRun) -> StoredRun:
    """A run without its canaries, which a fleet does not read."""
    return replace(run, measured={name: replace(one, canary=0.0) for name, one in run.measured.items()})


@pytest.mark.parametrize("name", sorted(path.parent.name for path in EXAMPLE.parent.glob(f"*/{RUN_FILE}")))
def test_the_quick_reader_says_of_stored_runs_what_a_history_reads(name: str) -> None:
    folder = EXAMPLE.parent / name

    assert comparable(gathering.read(folder)) == comparable(of_history.read(folder))


def test_the_quick_reader_says_of_made_runs_what_a_history_reads(fleet: Path) -> None:
    for folder in fleet.glob("*/*"):
        assert comparable(gathering.read(folder)) == comparable(of_history.read(folder))
        assert len(gathering.read(folder).measured) == 5


def test_an_invalid_variant_has_no_value_in_either(make_run: MakeRun) -> None:
    base, other = "cpu-default-nchw-eager-b32", "cpu-default-nhwc-eager-b32"
    folder = make_run({(base, "A"): [1.0] * 3, (base, "A'"): [1.0] * 3, (other, "V"): [1.0, 2.0, 1.0]})
    trials = folder / "trials.csv"
    lines = trials.read_text().splitlines(keepends=True)
    last = next(n for n in reversed(range(len(lines))) if f",{other}," in lines[n])
    lines[last] = lines[last].replace(",ok,", ",invalid,")
    trials.write_text("".join(lines))

    assert comparable(gathering.read(folder)) == comparable(of_history.read(folder))
    assert other not in gathering.read(folder).measured


def test_the_samples_of_single_ranks_count_in_neither(make_run: MakeRun) -> None:
    base, two = "cpu-default-nchw-eager-b32", "cpu-default-nchw-eager-b32-w2"
    folder = make_run({(base, "A"): [1.0] * 3, (base, "A'"): [1.0] * 3, (two, "V"): [1.2] * 3})
    trials = [row["trial_id"] for row in read_rows(folder, TRIALS)[0] if row["variant_id"] == two]
    with (folder / "samples.csv").open("a") as file:
        file.writelines(f"{trial},steps,step,,,0,wall,s,1,0,9.0\n" for trial in trials)
    measured = gathering.read(folder).measured[two]

    assert comparable(gathering.read(folder)) == comparable(of_history.read(folder))
    assert math.exp(measured.logs.estimate) == pytest.approx(1.2 / 64)


def test_a_machine_has_the_name_of_the_folder_with_its_runs(fleet: Path) -> None:
    found = gather([fleet])

    assert [run.machine for run in found.runs] == ["cpu-000"] * 2 + ["cpu-001"] * 2 + ["gpu-000"] * 2
    assert found.alone == 0


def test_runs_right_in_a_named_folder_or_named_themselves_are_machines_of_their_own(fleet: Path) -> None:
    machine = fleet / "cpu-000"

    assert [run.machine for run in gather([machine]).runs] == ["run-0", "run-1"]
    assert gather([machine / "run-1"]).alone == 1


def test_machines_of_one_name_are_told_apart_by_the_folder_above(fleet: Path, tmp_path: Path) -> None:
    for site in ("east", "west"):
        (tmp_path / site).mkdir()
        (tmp_path / site / "cpu-000").symlink_to(fleet / "cpu-000" if site == "east" else fleet / "cpu-001")
    (tmp_path / "west" / "other").symlink_to(fleet / "gpu-000")

    # A link counts as what it leads to, and so does its name.
    names = {run.machine for run in gather([tmp_path / "east", tmp_path / "west"]).runs}

    assert names == {"cpu-000", "cpu-001", "gpu-000"}


def test_a_run_that_is_named_twice_counts_once(fleet: Path) -> None:
    assert len(gather([fleet, fleet / "cpu-000" / "run-0"]).runs) == 6


def test_damaged_runs_and_other_kinds_are_left_out_with_the_reason(
    make_ab: MakeRun, arms: Callable[..., object], tmp_path: Path
) -> None:
    folder = tmp_path / "some"
    write(folder, KINDS[:1], runs=1)
    torn = folder / "cpu-001" / "run-0" / "samples.csv"
    torn.write_text(torn.read_text().replace(",wall,", ",wall,,", 1))
    (folder / "cpu-002").mkdir()
    make_ab(arms(6), name="r").rename(folder / "cpu-002" / "run-0")

    found = gather([folder])

    assert [run.machine for run in found.runs] == ["cpu-000"]
    assert [one.name for one in found.left_out] == ["cpu-001/run-0", "cpu-002/run-0"]
    assert "samples.csv: line" in found.left_out[0].reason
    assert found.left_out[1].reason.endswith("a run of bench ab; a fleet takes runs of bench run")
    with pytest.raises(RecordError, match="fields"):
        gather([folder, torn.parent])


def test_many_runs_that_several_processes_read_say_the_same(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one_by_one = gather([fleet])
    monkeypatch.setattr(gathering, "MANY", 2)

    for here, there in zip(one_by_one.runs, gather([fleet]).runs, strict=True):
        assert (here.machine, comparable(here.stored)) == (there.machine, comparable(there.stored))


def test_a_folder_without_a_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no run"):
        gather([tmp_path])
