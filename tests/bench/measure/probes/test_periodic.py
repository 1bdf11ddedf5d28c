"""What a task does once in many steps is measured alone, and is not part of the step."""

import os
from pathlib import Path
from typing import cast

import pytest

from bench.core.exchange.cause import Cause
from bench.core.exchange.messages import Reply, Request
from bench.core.exchange.probe import Probe
from bench.core.header import Inputs, PilotCounts
from bench.core.variants import Variant, as_row
from bench.measure import trial
from bench.measure.clock import Clock
from bench.measure.probes.periodic import MOST_CALLS, calls_s, costs
from bench.measure.workload import Inputs as WorkInputs
from bench.measure.workload import Workload, build
from bench.plan.matrix import Entry
from bench.plan.schedule import pilot
from tests.bench.measure.conftest import FakeClock

TASKS = Path(__file__).parents[2] / "tasks"


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The odd tasks can be imported."""
    monkeypatch.syspath_prepend(str(TASKS))
    monkeypatch.setenv("PYTHONPATH", f"{TASKS}{os.pathsep}{Path(__file__).parents[4]}")


def variant_of(name: str) -> Variant:
    """The default variant of an odd task."""
    return Variant(model=f"odd_tasks:{name}", batch_size=2)


def work_of(name: str) -> Workload:
    """The workload of an odd task."""
    return build(variant_of(name), WorkInputs(task=True), seed=0)


def asked(name: str, *probes: Probe) -> Reply:
    """The reply to a request for a task."""
    inputs = Inputs(folder=None, shape=None, classes=10, task=True)
    return trial.answer(
        Request(
            variant=as_row(variant_of(name)), inputs=inputs, seed=0, probes=probes,
            pilot_counts=PilotCounts(plain=1, stamped=1),
        )
    )  # fmt: skip


def test_a_call_lasts_from_an_idle_device_until_its_work_is_done(clock: FakeClock) -> None:
    def call() -> None:
        clock.events.append("call")
        clock.pass_s(1.0)

    assert calls_s(call, cast("Clock", clock)) == [1.0] * MOST_CALLS
    assert clock.events == ["sync", "call", "sync"] * MOST_CALLS


def test_a_long_one_is_called_once(clock: FakeClock) -> None:
    assert calls_s(lambda: clock.pass_s(100.0), cast("Clock", clock)) == [100.0]


def test_each_kind_has_its_seconds_and_its_steps_and_the_model_trains_again(clock: FakeClock) -> None:
    work = work_of("Evaluates")
    rows = costs(work, cast("Clock", clock)).rows

    assert {row.phase: row.value for row in rows if row.metric == "periodic_steps"} == {
        "evaluation": 1000, "a schedule": 1,
    }  # fmt: skip
    assert {row.phase for row in rows if row.metric == "periodic"} == {"evaluation", "a schedule"}
    assert all(module.training for module in work.trainer.model.modules())


def test_a_task_without_any_has_no_rows(clock: FakeClock) -> None:
    assert not costs(work_of("Plain"), cast("Clock", clock)).rows


def test_the_step_is_the_same_with_it_and_the_gate_passes() -> None:
    reply = asked("Evaluates", Probe.STEPS, Probe.PERIODIC, Probe.NUMERICS)

    assert reply.ok
    assert "evaluation" not in {s.phase for s in reply.samples if s.metric == "wall"}
    assert not any(s.metric == "not_gated" for s in reply.samples)


@pytest.mark.parametrize(
    ("name", "probe", "told"),
    [
        ("EvaluatesWrongly", Probe.BUILD, 'periodic(model) must return {"a name": (steps, a function)}, got {'),
        ("EvaluationFails", Probe.STEPS, "its periodic 'evaluation' fails: "),
    ],
)
def test_what_is_wrong_with_it_is_reported(name: str, probe: Probe, told: str) -> None:
    more = () if probe is Probe.BUILD else (Probe.PERIODIC,)
    reply = asked(name, probe, *more)

    assert reply.cause is Cause.MODEL_ERROR
    assert reply.reason.startswith(f"task odd_tasks:{name}: {told}")


def test_only_the_baseline_of_a_task_that_trains_measures_it() -> None:
    variants = [Variant(model="odd_tasks:Plain"), Variant(model="odd_tasks:Plain", memory_format="nhwc")]
    entries = [Entry(variant=variant) for variant in variants]
    measured = {t.arm.variant.id for t in pilot(entries, of_task=True) if Probe.PERIODIC in t.probes}

    assert measured == {variants[0].id}
    assert not any(Probe.PERIODIC in t.probes for t in pilot(entries))
