"""The verb `sweep`: which calls it refuses, which sweep a call means, and how it ends. No job is started."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from bench.cli import verbs
from bench.cli.app import app
from bench.cli.verbs.sweep import Begun
from bench.core.sweep.record import Asked, Sweep, encoded, read_sweep
from bench.core.sweep.status import Status
from tests.bench.run.sweep.made import FakeCluster, asked, sweep_of

BASE = "cpu-default-nchw-eager-b32"
KEPT = "cpu-default-nchw-eager-b32-kept"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Begun]:
    """The sweeps that calls begin; nothing runs."""
    seen: list[Begun] = []

    def caught(one: Begun, _: Path) -> int:
        seen.append(one)
        return 0

    monkeypatch.setattr(verbs.sweep, "run", caught)
    return seen


def call(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["sweep", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def store(folder: Path, wanted: Asked) -> Sweep:
    folder.mkdir(parents=True)
    sweep = sweep_of(wanted)
    (folder / "sweep.json").write_text(encoded(sweep))
    return sweep


LOCAL = ("--cluster", "local", "--jobs", "2")


def test_what_a_call_asks_for(begun: list[Begun]) -> None:
    words = "--cluster slurm --nodes 4 --attempts 2 --partition p --constraint c --nodelist n1,n2 --timeout 30 --gpus 2"
    assert call(*words.split(), "--slurm", "account=x", "--", "--rounds", "3", "--device", "cpu") == (0, "")
    assert begun[0].asked == Asked(
        cluster="slurm", jobs=4, spread=True, attempts=2, partition="p", constraint="c", nodes=["n1", "n2"],
        timeout_min=30, gpus=2, slurm=["account=x"], options=["--rounds", "3", "--device", "cpu"],
    )  # fmt: skip
    assert begun[0].stored is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "sweep needs --cluster slurm or local"),
        (("--cluster", "cloud", "--jobs", "2"), "got 'cloud'"),
        (("--cluster", "local"), "sweep needs --jobs N"),
        (("--cluster", "slurm"), "sweep needs --jobs N, or --nodes N"),
        (("--cluster", "local", "--nodes", "2"), "--nodes can't go with --cluster local: say --jobs 2"),
        (("--cluster", "slurm", "--nodes", "2", "--jobs", "2"), "--nodes can't go with --jobs"),
        (("--cluster", "slurm", "--jobs", "2", "--workers", "2"), "--workers can't go with --cluster slurm"),
        ((*LOCAL, "--partition", "p"), "--partition can't go with --cluster local"),
        ((*LOCAL, "--sweep-id", "../x"), "--sweep-id must be"),
        ((*LOCAL, "--", "--run-id", "x"), "--run-id can't be an option of the runs"),
        ((*LOCAL, "--", "--out", "x", "--resume", "y"), "--out, --resume can't be an option of the runs"),
        ((*LOCAL, "--", "--variant", KEPT, "--preset", "look"), "--variant can't go with --preset"),
        ((*LOCAL, "--", "--colour", "red"), "--colour"),
        ((*LOCAL, "--colour", "red"), "No such option: --colour"),
        ((*LOCAL, "--run-id", "x"), "No such option: --run-id"),
        (
            (*LOCAL, "--preset", "look"),
            "--preset is an option of run: put it behind --, as in: bench sweep --cluster local --jobs 2 -- "
            "--preset look\n",
        ),
        (
            ("--seed=3", "--cluster", "local", "--axis", "x=a b", "--jobs", "2", "--", "--rounds", "3"),
            "--seed, --axis are options of run: put them behind --, as in: bench sweep --cluster local --jobs 2 -- "
            "--seed=3 --axis 'x=a b' --rounds 3\n",
        ),
        (("--resume", "x", "--jobs", "3"), "--jobs needs --cluster"),
    ],
)
def test_a_wrong_call_ends_with_2(words: tuple[str, ...], told: str, begun: list[Begun]) -> None:
    code, output = call(*words)

    assert (code, told in output, begun) == (2, True, []), output


def test_the_same_call_goes_on_and_another_begins_anew(begun: list[Begun], here: Path) -> None:
    wanted = asked(cluster="local", jobs=2, options=["--rounds", "3"])
    store(here / "results" / "earlier", wanted)
    call(*LOCAL, "--", "--rounds", "3")
    call(*LOCAL, "--", "--rounds", "4")
    call(*LOCAL, "--sweep-id", "earlier", "--workers", "2", "--", "--rounds", "3")

    assert [one.folder.name == "earlier" for one in begun] == [True, False, True]
    assert begun[2].asked.workers == 2
    code, output = call(*LOCAL, "--sweep-id", "earlier", "--", "--rounds", "5")
    assert (code, "earlier was asked for something else" in output) == (2, True)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"options": ["--task", "evil:make"]}, "--task"),
        ({"options": ["--model=evil:net"]}, "--model"),
        ({"options": ["--variant", f"{BASE}-evil:net"]}, "a model or a task"),
        ({"options": ["--data", "/etc"]}, "--data"),
        ({"cluster": "slurm", "slurm": ["setup=rm -rf x"]}, "--slurm"),
    ],
)
def test_code_and_files_are_never_taken_from_a_record(
    more: dict[str, Any], told: str, begun: list[Begun], here: Path
) -> None:
    store(here / "results" / "earlier", asked(**{"cluster": "local"} | more))
    code, output = call("--resume", "earlier")

    assert (code, begun) == (4, []), output
    assert f"the sweep names {told}" in output
    assert "repeat its whole call with --resume" in output


def test_a_record_can_t_name_folders_of_runs(begun: list[Begun], here: Path) -> None:
    store(here / "results" / "earlier", asked(cluster="local", options=["--out", "/elsewhere"]))

    assert call("--resume", "earlier")[0] == 2
    assert begun == []


def test_a_plain_sweep_goes_on_by_its_name_alone(begun: list[Begun], here: Path) -> None:
    stored = store(here / "results" / "earlier", asked(cluster="local", options=["--rounds", "3"]))

    assert call("--resume", "earlier") == (0, "")
    assert begun[0].asked == stored.asked
    assert call("--resume", "nothing")[0] == 4


@pytest.fixture
def cluster(make_run: Callable[..., Path], here: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """A cluster whose runs are copies of one that was measured."""
    source = make_run({(BASE, "A"): [1.0, 1.1, 1.2], (BASE, "A'"): [1.0, 1.2, 1.1], (KEPT, "V"): [0.5] * 3}, name="src")
    source = source.rename(here / "source")

    class Copies(FakeCluster):
        def write(self, folder: Path, number: int, run: str, code: int, node: str) -> None:
            super().write(folder, number, run, 1 if code == 0 else code, node)
            if code == 0:
                shutil.copytree(source, folder / run)

    made = Copies(read_sweep, nodes=("n1", "n2"))  # type: ignore[arg-type]
    monkeypatch.setattr("bench.run.sweep.choose.made", lambda *_: made)
    return made


def test_a_complete_sweep_ends_with_0_and_its_page_can_be_written_again(cluster: FakeCluster, here: Path) -> None:
    code, output = call(*LOCAL, "--workers", "2", "--sweep-id", "s", "--", "--task", "mine:make")

    assert code == 0, output
    assert "Fastest over 2 nodes: kept, 2" in output
    assert "Complete: 2 of 2 jobs have a complete run." in output
    assert (here / "reports" / "s" / "report.html").is_file()
    shutil.rmtree(here / "reports")
    submitted = len(cluster.submitted)
    assert call("--resume", "s")[0] == 0
    assert len(cluster.submitted) == submitted
    assert (here / "reports" / "s" / "report.md").is_file()


def test_a_sweep_that_lacks_a_job_ends_with_3_and_one_without_any_with_4(cluster: FakeCluster, here: Path) -> None:
    cluster.ends = {f"job_2_attempt_{n}": 1 for n in (1, 2, 3)}
    code, output = call(*LOCAL, "--sweep-id", "s")
    assert (code, "1 of 2 jobs have a complete run" in output) == (3, True), output
    assert [job.status for job in read_sweep(here / "results" / "s").jobs] == [Status.OK, Status.LOST]

    cluster.ends = {f"job_1_attempt_{n}": 1 for n in (1, 2, 3)}
    code, output = call("--cluster", "local", "--jobs", "1", "--sweep-id", "t")
    assert (code, "no job has a complete run" in output) == (4, True), output
    assert (here / "reports" / "t" / "report.md").is_file()


@pytest.mark.usefixtures("cluster")
def test_runs_whose_budget_ends_before_a_round_end_a_sweep_with_4(make_run: Callable[..., Path], here: Path) -> None:
    shutil.rmtree(here / "source")
    make_run({(BASE, "A"): [1.0], (BASE, "A'"): [1.0]}, name="short").rename(here / "source")
    header = here / "source" / "run.json"
    header.write_text(header.read_text().replace('"ended_because": "rounds"', '"ended_because": "budget"'))
    code, output = call(*LOCAL, "--sweep-id", "s", "--", "--budget", "1s")

    assert code == 4, output
    assert "no run has a complete round: their budget was too short" in output
    assert "Sweep of 2 jobs: no run has a complete round" in output
    assert "0 of 2 jobs have a complete run with a complete round." in output
    assert "Complete:" not in output
    assert read_sweep(here / "results" / "s").complete
    assert call("--resume", "s")[0] == 4

    make_run({(BASE, "A"): [1.0, 1.1], (BASE, "A'"): [1.0, 1.2]}, name="short").rename(here / "whole")
    run = here / "results" / "s" / "job-2" / "job-2-attempt-1"
    shutil.rmtree(run)
    (here / "whole").rename(run)
    code, output = call("--resume", "s")
    assert code == 3, output
    assert "1 of 2 jobs have a complete run with a complete round." in output
    assert "Missing: job-1 (no complete round: its budget ended before)." in output


def test_a_run_that_refuses_its_options_ends_the_sweep_with_2(cluster: FakeCluster) -> None:
    cluster.ends = {"job_1_attempt_1": 2}

    code, output = call(*LOCAL, "--sweep-id", "s")
    assert (code, "job-1: job-1-attempt-1 ends with 2" in output) == (2, True), output


def test_raising_attempts_is_the_same_sweep() -> None:
    assert asked(attempts=9).digest == asked().digest
    assert replace(asked(), jobs=4).digest != asked().digest
