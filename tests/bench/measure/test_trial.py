"""The child as the parent meets it: asked and answered in files, whatever goes wrong."""

import os
from pathlib import Path
from typing import cast

import pytest
import torch
from msgspec.structs import replace

from bench.core.exchange.cause import Cause
from bench.core.exchange.messages import Describe, Reply, encoded, reply_of
from bench.core.exchange.probe import Probe
from bench.measure import failures, trial, worker
from bench.measure.clock import Clock
from bench.measure.probe import First, Measured, Subject, Then
from bench.measure.samples import Samples
from bench.measure.workload import Workload
from bench.process import child
from nin.data import DataError
from tests.bench.measure.asking import request, values
from tests.bench.measure.conftest import FakeClock

VARIABLES = dict(os.environ) | {"PYTHONPATH": str(Path(__file__).parent)}


def test_a_trial_in_a_process_of_its_own() -> None:
    reply = child.ask(request(), VARIABLES, limit_s=120)
    metrics = {(s.scope, s.metric) for s in reply.samples}

    assert reply.ok, reply.reason
    assert {("process", "first_step"), ("step", "wall"), ("step", "stamped_wall"), ("phase", "wall"),
            ("layer", "wall"), ("step", "page_faults"), ("process", "stamp_cost")} <= metrics  # fmt: skip
    assert [fact.layer for fact in reply.layers] == ["relu", "square", "head"]
    assert reply.counts is not None
    walls = [s for s in reply.samples if (s.scope, s.metric) == ("step", "wall")]
    assert len(walls) == reply.counts.plain >= 2  # of so short a step more than the pilot's two
    assert reply.state.load_1min is not None
    parts = sum(s.value for s in reply.samples if s.scope == "layer" and s.index == 0)
    [whole, *_] = values(reply.samples, "stamped_wall")
    assert 0.1 * whole < parts < whole


def test_memory_is_a_trial_of_its_own() -> None:
    reply = trial.answer(request("memory"))

    assert reply.ok
    assert {"memory"} == {sample.probe for sample in reply.samples}


def test_the_machine_is_described_without_a_trial() -> None:
    reply = worker.answer(Describe(), Path())

    assert reply_of(encoded(reply)).environment == reply.environment
    assert reply.environment is not None
    assert reply.environment.torch == torch.__version__


@pytest.mark.parametrize(
    ("error", "cause", "reason"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), Cause.OUT_OF_MEMORY, "CUDA out of memory"),
        (MemoryError(), Cause.OUT_OF_MEMORY, "MemoryError: MemoryError"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), Cause.OUT_OF_MEMORY, "can't allocate"),
        (RuntimeError("Expected canUse32BitIndexMath(input) to be true"), Cause.BEYOND_INDEX, "canUse32"),
        (RuntimeError("integer out of range"), Cause.BEYOND_INDEX, "integer out of range"),
        (RuntimeError("src size > INT_MAX is not supported"), Cause.BEYOND_INDEX, "INT_MAX"),
        (RuntimeError("launch blocks must be positive, but got N=-2147483648"), Cause.BEYOND_INDEX, "N=-2147483648"),
        (ValueError("integer out of range"), Cause.EXCEPTION, "ValueError: integer out of range"),
        (RuntimeError("shapes\ndo not fit"), Cause.EXCEPTION, "RuntimeError: shapes do not fit"),
        (KeyError("x"), Cause.EXCEPTION, "KeyError: 'x'"),
        (DataError("no such folder"), Cause.DATA_ERROR, "no such folder"),
    ],
)
def test_what_goes_wrong_is_a_cause_and_a_reason_in_one_line(
    error: Exception, cause: Cause, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(trial, "measure", fail)
    reply = trial.answer(request())

    assert reply == Reply(cause=cause, reason=reply.reason)
    assert reason in reply.reason
    assert "\n" not in reply.reason


def test_a_reason_names_no_home_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")

    assert failures.reason_of(RuntimeError("in /home/someone/nin")) == "RuntimeError: in ~/nin"
    assert len(failures.reason_of(RuntimeError(600 * "x"))) == 500


def test_a_model_that_is_not_there_is_an_error_that_names_it() -> None:
    reply = trial.answer(request(model="nowhere:net"))

    assert (reply.cause, reply.reason) == (Cause.MODEL_ERROR, "model nowhere:net: No module named 'nowhere'")


def test_a_variant_that_did_not_take_effect_is_invalid_and_has_no_samples() -> None:
    reply = trial.answer(request(allocator="tcmalloc"))

    assert reply == Reply(cause=Cause.SETTINGS_DIFFER, reason="tcmalloc is not loaded")


def test_a_batch_larger_than_the_data_is_unsupported() -> None:
    assert trial.answer(request(batch_size=5000)).cause is Cause.BATCH_BEYOND_DATA


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_unsupported() -> None:
    assert trial.answer(request(device="cuda")).cause is Cause.NO_DEVICE


def test_data_that_is_not_there_is_an_error_of_the_data(tmp_path: Path) -> None:
    asked = request(shape=None)
    asked = replace(asked, inputs=replace(asked.inputs, folder=str(tmp_path / "nowhere")))

    assert trial.answer(asked).cause is Cause.DATA_ERROR


def test_what_comes_from_elsewhere_than_the_tree_is_invalid(tmp_path: Path) -> None:
    asked = replace(request(), tree=str(tmp_path), caller=str(tmp_path))

    assert trial.answer(asked).cause is Cause.NOT_IN_TREE


def test_probes_that_can_t_share_a_process_are_refused() -> None:
    reply = trial.answer(request("steps+memory"))

    assert reply == Reply(cause=Cause.EXCEPTION, reason="ValueError: a trial has one probe that comes first, got 2")


def test_the_time_of_what_a_pilot_alone_measures_is_told_apart(clock: FakeClock, fake_work: Workload) -> None:
    """A plan subtracts it: what comes again in each round must not be in it."""
    subject = Subject(request=request("steps+layers+canary"), work=fake_work, clock=cast("Clock", clock))

    def lasting(seconds: float, *, once: bool) -> Then:
        def measure(_subject: Subject, so_far: Measured) -> Measured:
            clock.pass_s(seconds)
            return so_far

        return Then(name=Probe.CANARY, measure=measure, once=once)

    first = First(name=Probe.STEPS, measure=lambda _subject: Measured(samples=Samples("steps")))
    reply = trial.run_in_order(
        subject, first, [lasting(1.0, once=False), lasting(4.0, once=True), lasting(2.0, once=True)]
    )

    assert reply.once_s == 6.0
