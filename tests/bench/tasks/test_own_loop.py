"""A task's own loop goes on step by step, and its time is in the phases and layers that took it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.core.exchange.cause import Cause, Status
from bench.core.exchange.probe import Probe
from bench.core.variants import Variant
from bench.measure.probes.memory import held_and_peaks
from bench.measure.timing.stamps import stamped_sample, timed_stamps
from bench.measure.workload import Inputs, Workload, build
from tests.bench.tasks.test_own_step import FakeClock
from tests.bench.tasks.test_task import asked

WAIT_S = 2.0


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(__file__).parent
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{folder.parents[2]}")


def work_of(name: str) -> Workload:
    return build(Variant(model=f"own_loops:{name}", batch_size=3), Inputs(task=True), seed=0)


def test_the_loop_takes_one_step_at_a_time() -> None:
    work = work_of("Loop")
    taken = [work.trainer.loop.steps]
    for _ in range(4):
        work.step(next(work.batches))
        taken.append(work.trainer.loop.steps)

    assert taken == [1, 2, 3, 4, 5]  # the first made the model
    assert (work.items, work.unit) == (3, "rows")
    assert float(work.trainer.loss_sum) > 0


def test_phases_and_layers_come_from_torch_s_hooks() -> None:
    work = work_of("Loop")
    taken = stamped_sample([timed_stamps(work, FakeClock(), 0.0)[0]])  # type: ignore[arg-type]

    assert set(taken.phases) == {"other", "data", "forward", "backward", "optimizer"}
    assert {layer for layer, _ in taken.seconds if layer} == {"0", "1", "2"}


def test_a_planted_wait_is_in_its_row() -> None:
    work, clock = work_of("Loop"), FakeClock()

    def wait(*_: object) -> None:
        clock.now_s += WAIT_S

    work.trainer.model[2].register_forward_pre_hook(wait)
    work.trainer.loop.optimizers[0].register_step_pre_hook(wait)
    taken = stamped_sample([timed_stamps(work, clock, 0.0)[0]])  # type: ignore[arg-type]

    assert {phase: s for phase, s in taken.phases.items() if s} == {"forward": WAIT_S, "optimizer": WAIT_S}
    assert {owner: s for owner, s in taken.seconds.items() if s} == {
        ("2", "forward"): WAIT_S, ("", "optimizer"): WAIT_S,
    }  # fmt: skip


def test_without_items_a_step_has_those_of_its_batch() -> None:
    assert work_of("Uncounted").items == 3


def test_it_is_measured_and_not_gated() -> None:
    reply = asked("own_loops:Loop", Probe.STEPS, Probe.LAYERS, Probe.KERNELS, Probe.LOADER, Probe.NUMERICS)

    assert (reply.status, reply.cause) == (Status.OK, Cause.NOT_GATED)


def test_what_is_not_seen_of_its_memory_is_left_out() -> None:
    held = {s.metric: s.value for s in held_and_peaks(work_of("Loop")).rows}

    assert held["parameter"] == 4 * (4 * 4 + 4 + 4 + 1)
    assert held["optimizer"] == 2 * held["parameter"] + 4 * 4
    assert not held.keys() & {"saved", "allocator_peak"}


def test_memory_format_is_as_the_loop_has_it() -> None:
    reply = asked("own_loops:Loop", Probe.STEPS, memory_format="nhwc")

    assert (reply.cause, reply.reason) == (Cause.UNSUPPORTED_SETTING, "the task decides its memory_format itself")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Short", "train ended after 2 steps: it must take `steps` steps"),
        ("NoModel", "step_done was not given the model: call step_done(model=model, ...)"),
        ("OtherArguments", "train takes callback: it must take step_done, and may take steps, device and batch_size"),
        ("Fails", "train fails: ValueError: no more data (own_loops.py, line "),
    ],
)
def test_what_is_wrong_with_a_loop_is_told_in_one_line(name: str, told: str) -> None:
    reply = asked(f"own_loops:{name}", Probe.STEPS if name == "Short" else Probe.BUILD)

    assert (reply.status, reply.cause) == (Status.ERROR, Cause.MODEL_ERROR)
    assert reply.reason.startswith(f"task own_loops:{name}: {told}")


CHECKED: dict[str, list[str]] = {
    "own_steps:Named": [
        "own_steps:Named: a task with a step of its own", "a step works through 64 rows at a batch of 32",
        "phases: data, other, D, h2d, update, G", "layers: 4", "  G.0 Linear", "  G.1 Tanh", "  D.0 Linear",
        "  D.1 Linear",
        "variants can differ in: device, memory_format, batch_size, cudnn_benchmark, threads, allocator",
        "as the task has it: loader, compile_mode, optimizer, sync, precision",
    ],
    "odd_tasks:Plain": ["odd_tasks:Plain: a task with a declared loss", "checked against float64: yes"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), CHECKED.items())
def test_check_says_what_was_understood(name: str, expected: list[str]) -> None:
    result = CliRunner().invoke(app, ["check", "--task", name])
    lines = result.output.splitlines()

    assert result.exit_code == 0
    assert [line for line in expected if line not in lines] == []


def test_check_says_what_is_wrong() -> None:
    result = CliRunner().invoke(app, ["check", "--task", "odd_tasks:Rows"])

    assert result.exit_code == 2
    assert (
        "loss(model, batch) must return a tensor with one number, got the shape (32, 1): take its mean" in result.output
    )
