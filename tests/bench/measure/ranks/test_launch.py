"""A trial of several ranks is one reply, whatever a rank does, and nothing of it is left behind."""

import signal
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from bench.core.exchange.cause import Cause
from bench.core.exchange.messages import Reply, encoded
from bench.measure import trial
from bench.measure.ranks import files, launch
from bench.measure.ranks.peers import STALLED_S
from tests.bench.measure.asking import request, values
from tests.bench.measure.ranks.asking import asked, of_rank


def test_a_trial_of_two_ranks_has_their_steps_and_what_they_exchange(tmp_path: Path) -> None:
    reply = asked("plain", tmp_path, "steps+layers+numerics")
    assert reply.ok, reply.reason
    whole, first, second = (of_rank(reply.samples, rank) for rank in (None, 0, 1))

    assert (reply.cause, reply.reason) == (Cause.NOT_GATED, launch.NOT_GATED)
    assert reply.items is not None
    assert reply.items.count == 2 * 4
    assert reply.counts is not None
    assert len(values(whole, "wall")) == reply.counts.plain
    assert values(whole, "wall") == list(map(max, values(first, "wall"), values(second, "wall")))
    for own in (first, second):
        whole_s, exposed_s = values(own, "stamped_wall"), values(own, "wall", "phase", "communication")
        assert len(values(own, "collective")) == len(exposed_s) == len(whole_s) == reply.counts.stamped
        assert all(0 <= skew <= exposed for skew, exposed in zip(values(own, "skew"), exposed_s, strict=True))
        assert set(values(own, "exchanged")) == {4 * (28 * 28 * 10 + 10)}
        parts = [s.value for s in own if s.scope == "phase" and s.metric == "wall" and s.index == 0]
        assert sum(parts) == pytest.approx(whole_s[0])


def test_a_rank_that_hangs_ends_with_the_trial(tmp_path: Path) -> None:
    reply = asked("hangs", tmp_path, limit_s=25)

    assert reply.cause is Cause.TIME_LIMIT, reply.reason
    nothing_is_left(tmp_path)


@pytest.mark.slow
def test_the_rank_that_hangs_is_named(tmp_path: Path) -> None:
    reply = asked("hangs", tmp_path, limit_s=2 * STALLED_S)

    assert (reply.cause, reply.reason.split(";")[0]) == (
        Cause.TIME_LIMIT, f"rank 1: it kept the others waiting for {STALLED_S:.0f} s"
    )  # fmt: skip
    nothing_is_left(tmp_path)


@pytest.mark.parametrize(
    ("model", "cause", "words"),
    [
        ("dies", Cause.KILLED, ("killed by SIGKILL", "its last words")),
        ("lacks_memory", Cause.OUT_OF_MEMORY, ("no room for 7 GiB",)),
    ],
)
def test_a_rank_that_fails_ends_the_trial_and_leaves_nothing(
    model: str, cause: Cause, words: tuple[str, ...], tmp_path: Path
) -> None:
    reply = asked(model, tmp_path)

    assert reply.cause is cause, reply.reason
    assert reply.reason.startswith("rank 1: ")
    assert all(each in reply.reason for each in words), reply.reason
    nothing_is_left(tmp_path)


def nothing_is_left(folder: Path) -> None:
    """Assert that the two processes which noted themselves there have ended, and that their port is free."""
    noted = [path.read_text().split() for path in folder.iterdir()]
    assert len(noted) == 2
    assert [pid for pid, _ in noted if Path(f"/proc/{pid}").exists()] == []
    [port] = {int(port) for _, port in noted}
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))


def test_of_several_ranks_not_everything_is_measured() -> None:
    reply = trial.answer(request("epoch", world_size=2))

    assert reply.cause is Cause.UNSUPPORTED_SETTING
    assert reply.reason == "of several ranks only steps, layers and memory are measured"


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_the_memory_of_all_ranks_is_the_sum_of_each_one_s(parallel: str, tmp_path: Path) -> None:
    reply = asked("plain", tmp_path, "memory", parallel=parallel)
    assert reply.ok, reply.reason
    weights = 4 * (28 * 28 * 10 + 10)
    parameters = [values(of_rank(reply.samples, rank), "parameter", "process") for rank in (None, 0, 1)]

    assert parameters == (
        [[2 * weights], [weights], [weights]] if parallel == "ddp" else [[weights], [weights / 2], [weights / 2]]
    )
    peaks = [sum(values(of_rank(reply.samples, rank), "process_peak", "process")) for rank in (None, 0, 1)]
    assert peaks[0] == peaks[1] + peaks[2] > 0


TIMED_OUT = Reply(cause=Cause.TIME_LIMIT, reason="Timed out waiting 60000ms for recv operation to complete")
LOST = Reply(cause=Cause.EXCEPTION, reason="Connection closed by peer")
TERMINATED, KILLED = -signal.SIGTERM, -signal.SIGKILL


@pytest.mark.parametrize(
    ("codes", "replies", "cause", "reason"),
    [
        ({0: files.FAILED, 1: KILLED}, {0: LOST}, Cause.KILLED, "rank 1: the worker was killed by SIGKILL"),
        ({0: files.FAILED, 1: TERMINATED}, {0: LOST}, Cause.EXCEPTION, "rank 0: Connection closed by peer"),
        ({0: files.FAILED, 1: TERMINATED}, {0: TIMED_OUT}, Cause.TIME_LIMIT, "rank 1: it kept the others waiting"),
        ({0: TERMINATED, 1: 1}, {}, Cause.CRASHED, "rank 1: the worker ended with exit code 1: a word of 1"),
    ],
)
def test_the_reply_is_that_of_the_rank_that_failed_first(
    codes: Mapping[int, int], replies: Mapping[int, Reply], cause: Cause, reason: str, tmp_path: Path
) -> None:
    for rank in codes:
        folder = tmp_path / "trial_x" / "attempt_0" / str(rank)
        folder.mkdir(parents=True)
        (folder / "stderr.log").write_text(f"a word of {rank}\n")
    for rank, reply in replies.items():
        files.reply(tmp_path, rank).write_bytes(encoded(reply))
        files.note_failure(tmp_path, rank)
    found = launch.of_failed(tmp_path, codes)

    assert found.cause is cause
    assert found.reason.startswith(reason)


def test_of_two_that_failed_the_first_counts(tmp_path: Path) -> None:
    for rank, reply in ((1, Reply(cause=Cause.OUT_OF_MEMORY, reason="no")), (0, LOST)):
        files.reply(tmp_path, rank).write_bytes(encoded(reply))
        files.note_failure(tmp_path, rank)
    found = launch.of_failed(tmp_path, {0: files.FAILED, 1: files.FAILED})

    assert (found.cause, found.reason) == (Cause.OUT_OF_MEMORY, "rank 1: no")
