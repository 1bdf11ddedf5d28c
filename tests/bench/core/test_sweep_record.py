"""sweep.json is data: names of folders, nodes and jobs can't lead elsewhere."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bench.core.records import RecordError
from bench.core.sweep.record import Asked, Attempt, Job, Sweep, encoded, read_sweep
from bench.core.sweep.status import Cause, Status

THEN = datetime(2026, 1, 1, tzinfo=UTC)
ATTEMPT = Attempt(number=1, job_id="17", node="n1", status=Status.LOST, cause=Cause.TIMEOUT, submitted_at=THEN)
SWEEP = Sweep(
    sweep_id="s", command="nin-bench sweep", started_at=THEN, asked=Asked(cluster="slurm", jobs=2),
    jobs=[Job(name="job-1", attempts=[ATTEMPT]), Job(name="job-2")],
)  # fmt: skip


def test_a_sweep_is_read_as_it_was_written_under_its_folder_s_name(tmp_path: Path) -> None:
    (tmp_path / "sweep.json").write_text(encoded(SWEEP))
    read = read_sweep(tmp_path)

    assert read.sweep_id == tmp_path.name
    assert (read.jobs, read.asked) == (SWEEP.jobs, SWEEP.asked)
    assert [job.status for job in read.jobs] == [Status.LOST, Status.PENDING]
    assert read.unfinished


@pytest.mark.parametrize(
    ("keys", "value", "told"),
    [
        (("jobs", 0, "name"), "../elsewhere", "jobs[0].name"),
        (("jobs", 0, "name"), "job-1\n", "jobs[0].name"),
        (("jobs", 1, "name"), "job-1", "found 2 with 1 names"),
        (("jobs", 0, "attempts", 0, "job_id"), "17; rm -rf x", "job_id"),
        (("jobs", 0, "attempts", 0, "job_id"), "--all", "job_id"),
        (("jobs", 0, "attempts", 0, "node"), "--nodes=all", "node"),
        (("jobs", 0, "attempts", 0, "status"), "fine", "status"),
        (("jobs", 0, "attempts", 0, "number"), -1, "number"),
        (("asked", "nodes"), ["a b"], "nodes"),
        (("asked", "cluster"), "kubernetes", "cluster"),
        (("asked", "jobs"), 3, "expected 3 of each"),
        (("schema_version",), 2, "schema version 2, this bench reads 1"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(keys: tuple[Any, ...], value: Any, told: str, tmp_path: Path) -> None:  # noqa: ANN401
    whole = json.loads(encoded(SWEEP))
    inner = whole
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    (tmp_path / "sweep.json").write_text(json.dumps(whole))

    with pytest.raises(RecordError) as refused:
        read_sweep(tmp_path)
    assert told in str(refused.value)


def test_a_missing_or_damaged_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no sweep"):
        read_sweep(tmp_path)
    (tmp_path / "sweep.json").write_text("{")
    with pytest.raises(RecordError, match="damaged"):
        read_sweep(tmp_path)
