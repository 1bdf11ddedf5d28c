"""On which machine the runs of a sweep were: the node that sweep.json has for the complete attempt of their job."""

import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.analyse.fleet.find import Found, find, folder_names, names_of
from bench.analyse.fleet.gather import gather
from bench.cli.app import app
from bench.core.records import RecordError
from bench.core.sweep.record import SWEEP_FILE, Asked, Attempt, Job, Sweep, encoded
from bench.core.sweep.status import Cause, Status
from tests.bench.stored_history import EXAMPLE

STARTED = datetime(2026, 3, 1, tzinfo=UTC)


def attempt(number: int, node: str | None, status: Status = Status.OK) -> Attempt:
    cause = None if status is Status.OK else Cause.KILLED
    return Attempt(number=number, job_id=str(number), node=node, status=status, cause=cause, submitted_at=STARTED)


def sweep(folder: Path, jobs: Mapping[str, Sequence[Attempt]]) -> Path:
    """A sweep with a copy of the stored example for each attempt."""
    every = [Job(name=name, attempts=list(attempts)) for name, attempts in jobs.items()]
    asked = Asked(cluster="slurm", jobs=len(every))
    whole = Sweep(sweep_id=folder.name, command="bench sweep", started_at=STARTED, asked=asked, jobs=every)
    for job in every:
        for one in job.attempts:
            shutil.copytree(EXAMPLE, job.folder(folder) / job.run_of(one))
    (folder / SWEEP_FILE).write_text(encoded(whole))
    return folder


def test_jobs_of_one_node_are_one_machine(tmp_path: Path) -> None:
    folder = sweep(
        tmp_path / "s", {"job-1": [attempt(1, "n1")], "job-2": [attempt(1, "n1")], "job-3": [attempt(1, "n2")]}
    )

    found = gather([folder])

    assert [run.machine for run in found.runs] == ["n1", "n1", "n2"]
    assert (found.alone, found.left_out) == (0, [])


def test_the_node_is_that_of_the_complete_attempt_and_the_others_do_not_count(tmp_path: Path) -> None:
    lost = attempt(1, "n1", Status.LOST)
    folder = sweep(tmp_path / "s", {"job-1": [lost, attempt(2, "n2")], "job-2": [lost], "job-3": []})

    found = gather([folder])

    assert [(run.machine, run.stored.folder.name) for run in found.runs] == [("n2", "job-1-attempt-2")]
    assert [(one.name, one.reason) for one in found.left_out] == [
        ("s/job-2", "the job has no complete run (lost)"),
        ("s/job-3", "the job has no complete run (pending)"),
    ]


def test_a_run_whose_node_is_not_known_is_a_machine_of_its_own(tmp_path: Path) -> None:
    found = gather([sweep(tmp_path / "s", {"job-1": [attempt(1, None)], "job-2": [attempt(1, "n1")]})])

    assert [run.machine for run in found.runs] == ["job-1-attempt-1", "n1"]
    assert found.alone == 1


def test_a_sweep_without_a_complete_run_is_an_error(tmp_path: Path) -> None:
    folder = sweep(tmp_path / "s", {"job-1": [attempt(1, "n1", Status.LOST)]})

    with pytest.raises(RecordError, match=r"no run can be used: the job has no complete run \(lost\)"):
        gather([folder])


def test_a_node_in_two_sweeps_is_one_machine_and_a_folder_of_its_name_another(tmp_path: Path) -> None:
    first, second = (sweep(tmp_path / name, {"job-1": [attempt(1, "n1")]}) for name in ("a", "b"))
    other = Found(folder=Path("/fleet/n1/monday"), machine=Path("/fleet/n1"))

    assert names_of([*find(first), *find(second), other]) == ["n1", "n1", "fleet/n1"]


def test_folders_of_one_name_are_told_apart_by_the_folder_above() -> None:
    assert folder_names([Path("/a/n1"), Path("/b/n1"), Path("/b/n2")]) == {
        Path("/a/n1"): "a/n1", Path("/b/n1"): "b/n1", Path("/b/n2"): "n2",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [("{", "sweep.json"), ('{"schema_version": 99}', "s/sweep.json: schema version 99"), ("[]", "s/sweep.json")],
)
def test_a_damaged_sweep_is_an_error_that_names_its_file(text: str, told: str, tmp_path: Path) -> None:
    folder = sweep(tmp_path / "s", {"job-1": [attempt(1, "n1")]})
    (folder / SWEEP_FILE).write_text(text)

    with pytest.raises(RecordError, match=told):
        gather([folder])


def test_a_node_whose_name_is_no_name_is_refused_by_the_verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = sweep(tmp_path / "s", {"job-1": [attempt(1, "n1")]})
    record = folder / SWEEP_FILE
    record.write_text(record.read_text().replace('"n1"', '"../../n1"'))
    ended = CliRunner().invoke(app, ["fleet", "s"])

    assert (ended.exit_code, "s/sweep.json" in ended.output) == (4, True), ended.output
    assert not (tmp_path / "reports").exists()
