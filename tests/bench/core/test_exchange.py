"""The border between parent and child: every cause has a status, and no reply, however damaged, is a traceback."""

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.core.exchange import earlier
from bench.core.exchange.cause import STATUS_OF, Cause, Status
from bench.core.exchange.messages import Describe, Reply, Request, Trace, encoded, reply_of, request_of
from bench.core.exchange.probe import Probe, as_text, from_text
from bench.core.header import Counts, Inputs
from bench.core.metrics.sample import Sample
from bench.core.reading import read_rows
from bench.core.records import TRIALS
from bench.core.variants import Variant, as_row
from bench.plan.schedule import Arm, Planned
from bench.run.record import Run
from bench.run.trial import take

BASE = "cpu-default-nchw-eager-b32"
SAMPLE: dict[str, Any] = {
    "probe": "steps", "scope": "step", "layer": "", "phase": "", "metric": "wall", "unit": "s", "iterations": 2,
    "index": 0, "value": 0.5,
}  # fmt: skip
LAYER: dict[str, Any] = {
    "layer": "0.0", "block": "0", "type": "Conv2d", "output_shape": "2x96x54x54", "parameters": 11_712,
    "memory_format": "nchw", "dtype": "float32", "calls": 1,
}  # fmt: skip
REPLY: dict[str, Any] = {
    "cause": None, "reason": "", "layers": [LAYER], "once_s": 1.5, "environment": None,
    "samples": [SAMPLE, SAMPLE | {"metric": "first_step", "scope": "process"}, SAMPLE | {"scope": "phase"}],
    "state": {"load_1min": 0.5, "gpu_throttle": "0x4"}, "counts": {"plain": 3, "stamped": 1},
}  # fmt: skip
WRONG: tuple[Any, ...] = (
    None, True, -1, 2**70, 1.5, -0.0, "", "x", "\x00", "\ud800", "ok", "invalid", "not_gated", "killed", [], [[]], {},
    {"colour": "red"}, [{"colour": "red"}], 10**400, "a" * 200_000,
)  # fmt: skip


def test_every_cause_has_one_status_and_every_status_that_is_not_ok_a_cause() -> None:
    assert set(STATUS_OF) == set(Cause)
    assert set(STATUS_OF.values()) == set(Status)


@pytest.mark.parametrize("probes", [(Probe.STEPS,), (Probe.STEPS, Probe.LAYERS, Probe.KERNELS), (Probe.MEMORY,)])
def test_probes_are_read_from_the_text_that_stands_for_them(probes: tuple[Probe, ...]) -> None:
    assert from_text(as_text(probes)) == probes


def test_what_is_no_probe_is_refused() -> None:
    with pytest.raises(ValueError, match="colour"):
        from_text("steps+colour")


REQUEST = Request(
    variant=as_row(Variant()),
    inputs=Inputs(folder=None, shape=(1, 28, 28), classes=10),
    seed=-1,
    probes=(Probe.STEPS, Probe.LAYERS),
    counts=Counts(plain=3, varied=True),
    trace=Trace(steps=2, folder="there"),
)


@pytest.mark.parametrize("message", [REQUEST, Describe()])
def test_a_request_comes_as_it_was_sent(message: Request | Describe) -> None:
    assert request_of(encoded(message)) == message


def test_a_reply_comes_as_it_was_sent() -> None:
    reply = Reply(cause=Cause.NOT_GATED, reason="it draws at random", samples=(Sample(**SAMPLE),))

    assert reply_of(encoded(reply)) == reply
    assert (reply.status, reply.ok) == (Status.OK, True)


def test_a_value_that_is_no_number_does_not_come_through() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.samples\[0\]\.value"):
        reply_of(encoded(Reply(samples=(Sample(**SAMPLE | {"value": float("nan")}),))))


def places(value: Any, *at: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    """Where something stands in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, below in inner for place in places(below, *at, key))]


def mutated(rng: random.Random) -> bytes:
    """A reply with one thing replaced, taken away or added, or with its text cut or altered."""
    whole = {"": json.loads(json.dumps(REPLY))}
    *way, last = rng.choice(places(whole)[1:])
    at: Any = whole
    for key in way:
        at = at[key]
    change = rng.choice(("replace", "delete", "add", "cut", "flip"))
    if change == "replace":
        at[last] = rng.choice(WRONG)
    elif change == "delete":
        del at[last]
    elif change == "add" and isinstance(at, dict):
        at["colour"] = "red"
    text = bytearray(json.dumps(whole.get("")).encode())
    if change == "cut":
        del text[rng.randrange(len(text)) :]
    elif change == "flip":
        text[rng.randrange(len(text))] ^= 1 << rng.randrange(8)
    return bytes(text)


def test_whatever_a_worker_replies_is_a_row_with_a_status_and_a_cause(
    start: Callable[..., Run], tmp_path: Path
) -> None:
    """The worker is a copy of a file: 60 replies, each damaged in one place."""
    rng, run = random.Random(0), start(BASE)  # noqa: S311 - no secret
    planned = Planned(round=0, order=0, arm=Arm(name="A", variant=Variant()), stage="pilot", probes=(Probe.STEPS,))
    copy = "import shutil, sys; shutil.copyfile(sys.argv[1], sys.argv[3])"
    replies = [mutated(rng) for _ in range(60)]
    for content in replies:
        (tmp_path / "reply").write_bytes(content)
        run.worker = (sys.executable, "-S", "-c", copy, str(tmp_path / "reply"))
        take(run, planned, None, 60)
    rows = read_rows(run.folder.folder, TRIALS)[0]

    assert len(rows) == len(replies)
    assert {Cause.BAD_REPLY, ""} <= {row["cause"] for row in rows}
    for row, content in zip(rows, replies, strict=True):
        cause = Cause(str(row["cause"])) if row["cause"] else None
        assert row["status"] == (cause.status if cause else Status.OK), content


def test_no_damage_to_a_reply_is_a_traceback() -> None:
    rng, refused = random.Random(1), 0  # noqa: S311 - no secret
    for _ in range(5000):
        try:
            reply = reply_of(mutated(rng))
        except (ValueError, RecursionError):
            refused += 1
        else:
            assert reply.status in Status
            assert reply.ok or not reply.samples

    assert 1000 < refused < 5000


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        ("ok", "", None),
        ("ok", "not gated: it draws at random", Cause.NOT_GATED),
        ("ok", "two calculations of a batch differ", Cause.NOT_GATED),
        ("oom", "batch 64: no memory", Cause.OUT_OF_MEMORY),
        ("too_large", "integer out of range", Cause.BEYOND_INDEX),
        ("timeout", "no reply within 900 s", Cause.TIME_LIMIT),
        ("timeout", "no reply within 7 s, when the budget ended", Cause.BUDGET_ENDED),
        ("invalid", "the scores differ from float64 by 1e-1 of its size; rounding explains 1e-3", Cause.NUMERICS_WRONG),
        ("invalid", "2 graphs were compiled anew in the timed region", Cause.RECOMPILED),
        ("invalid", "none of 3 computing layers in bfloat16", None),
        ("unsupported", "no CUDA device", Cause.NO_DEVICE),
        ("error", "the worker was killed by SIGKILL, perhaps for want of memory", Cause.KILLED),
        ("error", "the worker was killed by SIGABRT", Cause.CRASHED),
        ("error", "RuntimeError: shapes do not fit", None),
    ],
)
def test_an_earlier_run_s_sentence_stands_for_a_cause(status: str, reason: str, expected: Cause | None) -> None:
    cause, _ = earlier.migrated(Status(status), reason)

    assert cause == expected
    assert cause is None or cause.status == status


def test_a_cause_of_an_earlier_sentence_ends_as_its_status_says() -> None:
    assert all(cause.status is status for status, words in earlier.CAUSES.items() for cause in words.values())
