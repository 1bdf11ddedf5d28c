"""Lost jobs are tried again elsewhere, wrong calls are not, and a sweep goes on where it ended. Nothing is timed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bench.core.header import Header
from bench.core.records import RecordError
from bench.core.sweep.record import read_sweep
from bench.core.sweep.status import Cause, Status
from bench.core.variants import UsageError
from bench.run.sweep.cluster import Seen, Stage
from bench.run.sweep.folder import SweepFolder, newest_unfinished
from bench.run.sweep.stop import Stop
from bench.run.sweep.supervisor import Supervisor, avoidable
from tests.bench.run.sweep.made import FakeCluster, asked, stored, supervised

NONE = frozenset[str]()


@pytest.fixture
def header(make_header: Callable[..., Header]) -> Header:
    return make_header(status="complete")


def taken(folder: Path, cluster: FakeCluster, **more: Any) -> Supervisor:  # noqa: ANN401
    supervisor = supervised(folder, asked(**more), cluster)
    supervisor.take()
    supervisor.folder.close()
    return supervisor


def statuses(supervisor: Supervisor) -> list[list[tuple[str, str | None]]]:
    return [[(a.status.value, a.cause and a.cause.value) for a in job.attempts] for job in supervisor.sweep.jobs]


def test_each_job_has_a_run_of_its_own_and_the_record_says_where(header: Header, tmp_path: Path) -> None:
    supervisor = taken(tmp_path, FakeCluster(header))
    [first, *_] = stored(tmp_path)["jobs"]

    assert statuses(supervisor) == [[("ok", None)]] * 3
    assert first["attempts"][0]["status"] == "ok"
    assert (first["attempts"][0]["job_id"], first["attempts"][0]["node"]) == ("1", "n2")
    assert first["attempts"][0]["last_line"] == "job-1-attempt-1 ends with 0"
    assert (tmp_path / "s" / "job-3" / "job-3-attempt-1" / "run.json").is_file()
    assert read_sweep(tmp_path / "s") == supervisor.sweep


@pytest.mark.parametrize(
    "cause", [Cause.KILLED, Cause.NODE_FAILED, Cause.TIMEOUT, Cause.PREEMPTED, Cause.CANCELLED, Cause.OUT_OF_MEMORY]
)
def test_a_lost_job_is_tried_again_without_the_node_it_died_on(cause: Cause, header: Header, tmp_path: Path) -> None:
    cluster = FakeCluster(header, job_2_attempt_1=cause)
    supervisor = taken(tmp_path, cluster)

    assert statuses(supervisor) == [[("ok", None)], [("lost", cause.value), ("ok", None)], [("ok", None)]]
    died, again = supervisor.sweep.jobs[1].attempts
    assert (died.node, again.node) == ("n1", "n2")
    assert dict(cluster.submitted)["job-2-attempt-2"] == {"n1"}


def test_a_job_that_died_everywhere_may_have_any_node(header: Header, tmp_path: Path) -> None:
    cluster = FakeCluster(header, job_1_attempt_1=Cause.KILLED, job_1_attempt_2=Cause.KILLED)
    taken(tmp_path, cluster, jobs=1)

    assert [avoid for _, avoid in cluster.submitted] == [NONE, {"n2"}, NONE]


def test_three_attempts_are_the_most_and_partial_runs_stay(header: Header, tmp_path: Path) -> None:
    cluster = FakeCluster(header, job_1_attempt_1=1, job_1_attempt_2=1, job_1_attempt_3=1)
    supervisor = taken(tmp_path, cluster, jobs=2)

    assert statuses(supervisor) == [[("lost", "incomplete")] * 3, [("ok", None)]]
    assert not supervisor.sweep.complete
    assert (tmp_path / "s" / "job-1" / "attempt-1.log").is_file()


def test_a_run_that_measured_nothing_is_tried_elsewhere(header: Header, tmp_path: Path) -> None:
    cluster = FakeCluster(header, job_1_attempt_1=4)

    assert statuses(taken(tmp_path, cluster, jobs=1)) == [[("lost", "nothing_measured"), ("ok", None)]]


def test_a_wrong_call_ends_the_sweep_and_is_not_tried_again(header: Header, tmp_path: Path) -> None:
    cluster = FakeCluster(header, job_1_attempt_1="hang", job_2_attempt_1=2)
    supervisor = supervised(tmp_path, asked(), cluster)

    with pytest.raises(UsageError, match="job-2: job-2-attempt-1 ends with 2"):
        supervisor.take()
    assert statuses(supervisor)[1] == [("failed", "usage")]
    assert statuses(supervisor)[0] == [("lost", "interrupted")]
    assert "1" in cluster.ended


def test_a_job_that_the_cluster_refuses_has_its_words(header: Header, tmp_path: Path) -> None:
    cluster = FakeCluster(header, job_1_attempt_1="refuse", job_1_attempt_2="refuse")
    supervisor = taken(tmp_path, cluster, jobs=1, attempts=2)

    assert statuses(supervisor) == [[("lost", "not_submitted")] * 2]
    assert supervisor.sweep.jobs[0].attempts[0].last_line == "sbatch: error: no such partition"


def test_jobs_that_want_a_node_each_avoid_those_in_use(header: Header, tmp_path: Path) -> None:
    cluster = FakeCluster(header, nodes=("n1", "n2", "n3"))
    supervisor = taken(tmp_path, cluster, spread=True)

    assert {job.attempts[0].node for job in supervisor.sweep.jobs} == {"n1", "n2", "n3"}
    assert [len(avoid) for _, avoid in cluster.submitted] == [0, 1, 2]


@pytest.mark.parametrize(
    ("died", "used", "nodes", "avoided"),
    [
        ({"a"}, {"b"}, {"a", "b", "c"}, {"a", "b"}),
        ({"a"}, {"b"}, {"a", "b"}, {"a"}),
        ({"a"}, set(), {"a"}, set()),
        (set(), {"a"}, {"a"}, set()),
        ({"a"}, set(), set(), set()),
    ],
)
def test_nodes_are_avoided_only_if_another_is_there(
    died: set[str], used: set[str], nodes: set[str], avoided: set[str]
) -> None:
    assert avoidable(frozenset(died), frozenset(used), frozenset(nodes)) == avoided


def test_no_more_local_jobs_at_once_than_workers(header: Header, tmp_path: Path) -> None:
    hang = {f"job_{n}_attempt_1": "hang" for n in range(1, 7)}
    cluster = FakeCluster(header, **hang)
    supervisor = supervised(tmp_path, asked(cluster="local", jobs=6, workers=2), cluster)
    for _ in range(4):
        supervisor._look()
        supervisor._submit_due()

    assert (len(cluster.submitted), cluster.most_at_once) == (2, 2)
    cluster.stands["1"] = Seen(stage=Stage.OVER, node="n1")
    supervisor._look()
    supervisor._submit_due()
    assert len(cluster.submitted) == 3


def test_an_interrupted_sweep_leaves_nothing_and_goes_on_with_what_is_missing(header: Header, tmp_path: Path) -> None:
    cluster = FakeCluster(header, job_2_attempt_1="hang")
    supervisor = supervised(tmp_path, asked(attempts=1), cluster)
    supervisor.stop.ask()
    with pytest.raises(KeyboardInterrupt):
        supervisor.take()
    supervisor.stop = Stop()
    cluster.poll_s = 0.01
    supervisor.say = lambda line: supervisor.stop.ask() if line.startswith("job-2: runs") else None
    with pytest.raises(KeyboardInterrupt):
        supervisor.take()
    supervisor.folder.close()

    assert cluster.ended == ["2"]
    assert statuses(supervisor)[1] == [("lost", "interrupted")]
    again = FakeCluster(header)
    resumed = Supervisor(
        sweep=read_sweep(tmp_path / "s"), folder=SweepFolder(tmp_path / "s"), cluster=again,
        reports=tmp_path, say=lambda _: None, stop=Stop(),
    )  # fmt: skip
    resumed.take()
    assert resumed.sweep.complete
    assert "job-1-attempt-2" not in dict(again.submitted)
    # The interrupt counts as no attempt, and blames no node.
    assert dict(again.submitted)["job-2-attempt-2"] == NONE


def test_jobs_that_outlived_the_sweep_are_taken_as_they_are(header: Header, tmp_path: Path) -> None:
    cluster = FakeCluster(header, job_1_attempt_1="hang")
    supervisor = supervised(tmp_path, asked(jobs=1), cluster)
    supervisor._submit_due()
    supervisor._look()
    supervisor.folder.close()  # the sweep is killed; Slurm goes on
    cluster.write(tmp_path / "s" / "job-1", 1, "job-1-attempt-1", 0, "n2")
    cluster.stands["1"] = Seen(stage=Stage.OVER, node="n2")
    resumed = Supervisor(
        sweep=read_sweep(tmp_path / "s"), folder=SweepFolder(tmp_path / "s"), cluster=cluster, reports=tmp_path,
        say=lambda _: None, stop=Stop(),
    )  # fmt: skip
    resumed.take()

    assert statuses(resumed) == [[("ok", None)]]
    assert len(cluster.submitted) == 1


def test_a_cluster_that_does_not_answer_changes_nothing(header: Header, tmp_path: Path) -> None:
    cluster = FakeCluster(header, job_1_attempt_1="hang")
    supervisor = supervised(tmp_path, asked(jobs=1), cluster)
    supervisor._submit_due()
    cluster.stands.clear()
    supervisor._look()

    assert supervisor.sweep.jobs[0].status is Status.PENDING


def test_one_writer_has_a_sweep(header: Header, tmp_path: Path) -> None:
    supervisor = supervised(tmp_path, asked(), FakeCluster(header))

    with pytest.raises(RecordError, match="in use by another sweep"):
        SweepFolder(tmp_path / "s")
    supervisor.folder.close()
    SweepFolder(tmp_path / "s").close()


def test_the_same_call_finds_its_newest_sweep_that_lacks_a_job(header: Header, tmp_path: Path) -> None:
    wanted = asked(options=["--rounds", "3"])
    supervisor = supervised(tmp_path, wanted, FakeCluster(header))

    assert newest_unfinished(tmp_path, wanted.digest) == tmp_path / "s"
    assert newest_unfinished(tmp_path, replace(wanted, workers=4, attempts=9).digest) == tmp_path / "s"
    assert newest_unfinished(tmp_path, replace(wanted, options=["--rounds", "4"]).digest) is None
    supervisor.take()
    assert newest_unfinished(tmp_path, wanted.digest) is None
