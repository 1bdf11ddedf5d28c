"""A task's own step is called as it asks, and its time is in the phases and layers that took it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.core.exchange.cause import Cause, Status
from bench.core.exchange.probe import Probe
from bench.core.variants import Variant
from bench.measure.probes.memory import held_and_peaks
from bench.measure.timing.stamps import Stamped, stamped_sample, timed_stamps
from bench.measure.validity.gate import numerics
from bench.measure.validity.gate.weights import NotGatedError
from bench.measure.workload import Inputs, Workload, build
from tests.bench.tasks.test_task import asked

WAIT_S = 2.0
Wait = Callable[[], None]


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


class FakeClock:
    """A clock that only `pass_s` moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def host_s(self) -> float:
        return self.now_s

    mark = host_s

    def sync(self) -> None:
        pass

    def elapsed_s(self, start: float, end: float) -> float:
        return end - start

    def reached(self, _stamp: float) -> bool:
        return True

    def give_back(self, stamps: object) -> None:
        pass


def work_of(name: str) -> Workload:
    return build(Variant(model=f"own_steps:{name}", batch_size=3), Inputs(task=True), seed=0)


def sample(work: Workload, clock: Any) -> Stamped:  # noqa: ANN401
    return stamped_sample([timed_stamps(work, clock, 0.0)[0]])


def shown(seconds: dict[Any, float]) -> dict[Any, float]:
    return {key: value for key, value in seconds.items() if value}


def slowed(call: Callable[..., Any], wait: Wait) -> Callable[..., Any]:
    """The call, after a wait."""

    def slow(*args: Any, **more: Any) -> Any:  # noqa: ANN401
        wait()
        return call(*args, **more)

    return slow


def plant_in_layer(work: Workload, wait: Wait) -> None:
    """A layer of D waits in forward, which runs in both halves of the step."""
    work.trainer.model["D"][0].register_forward_pre_hook(lambda *_: wait())


def plant_in_optimizer(work: Workload, wait: Wait) -> None:
    """The second optimizer waits, in what torch's own hooks see."""
    optimizer = work.trainer.task.step.__self__.optimizers[1]
    optimizer.register_step_pre_hook(lambda *_: wait())


def plant_in_batches(work: Workload, wait: Wait) -> None:
    """Making a batch waits."""
    stream = work.trainer.pulled.batches
    stream._stream = iter(slowed(stream._stream.__next__, wait), None)


PLANTED = [
    ("Two", plant_in_layer, {"forward": 2 * WAIT_S}, {("D.0", "forward"): 2 * WAIT_S}),
    ("Two", plant_in_optimizer, {"optimizer D": WAIT_S}, {("", "optimizer D"): WAIT_S}),
    ("Two", plant_in_batches, {"data": 2 * WAIT_S}, {("", "data"): 2 * WAIT_S}),
    ("Named", plant_in_layer, {"D": WAIT_S, "G": WAIT_S}, {("D.0", "forward"): 2 * WAIT_S}),
    ("Named", plant_in_optimizer, {"update": WAIT_S}, {("", "update"): WAIT_S}),
]


@pytest.mark.parametrize(("name", "plant", "phases", "owners"), PLANTED)
def test_a_planted_wait_is_in_its_phase_and_in_its_layer(
    name: str, plant: Callable[[Workload, Wait], None], phases: dict[str, float], owners: dict[tuple[str, str], float]
) -> None:
    work, clock = work_of(name), FakeClock()

    def wait() -> None:
        clock.now_s += WAIT_S

    work.step(next(work.batches))
    plant(work, wait)
    taken = sample(work, clock)

    assert shown(taken.phases) == phases
    assert shown(taken.seconds) == owners


@pytest.mark.parametrize(
    ("name", "phases"),
    [
        ("Two", {"data", "h2d", "forward", "backward", "optimizer D", "optimizer G", "other"}),
        ("Named", {"data", "h2d", "D", "G", "update", "other"}),
        ("TwoOfOne", {"data", "h2d", "forward", "backward", "optimizer", "optimizer 2", "other"}),
    ],
)
def test_the_phases_of_a_step(name: str, phases: set[str]) -> None:
    taken = sample(work_of(name), FakeClock())

    assert set(taken.phases) == phases


def test_layers_of_several_models_have_their_names_in_front() -> None:
    taken = sample(work_of("Two"), FakeClock())

    assert {layer for layer, _ in taken.seconds if layer} == {"G.0", "G.1", "D.0", "D.1"}


def test_items_of_a_step_are_those_of_all_batches_that_it_pulls() -> None:
    work = work_of("Two")
    for _ in range(2):
        work.step(next(work.batches))

    assert (work.items, work.unit) == (6, "rows")


def test_memory_holds_the_state_of_all_optimizers_and_what_all_forwards_save() -> None:
    held = {s.metric: s.value for s in held_and_peaks(work_of("Two")).rows if not s.layer}

    parameters = 4 * (4 * 4 + 4 + 4 * 4 + 4 + 4 + 1)
    assert (held["parameter"], held["gradient"]) == (parameters, parameters)
    assert held["saved"] > 0
    assert held["optimizer"] == 0  # SGD without momentum has no state


def test_the_state_of_each_optimizer_is_counted() -> None:
    held = {s.metric: s.value for s in held_and_peaks(work_of("WithState")).rows if not s.layer}

    assert (
        held["optimizer"] == 2 * held["parameter"] + 6 * 4
    )  # Adam's two averages, and the step of each of 6 parameters


def test_torch_s_own_backward_is_in_place_again_after_a_marked_step() -> None:
    before = torch.Tensor.backward
    sample(work_of("Two"), FakeClock())

    assert torch.Tensor.backward is before


def test_it_is_measured_and_not_gated() -> None:
    reply = asked("own_steps:Two", Probe.STEPS, Probe.LAYERS, Probe.KERNELS, Probe.LOADER, Probe.NUMERICS)

    assert (reply.status, reply.cause) == (Status.OK, Cause.NOT_GATED)
    assert "only a declared loss can be computed in both" in reply.reason
    with pytest.raises(NotGatedError):
        numerics.measure(work_of("Two"))


@pytest.mark.parametrize(
    "axes", [{"precision": "bf16"}, {"compile_mode": "inductor"}, {"optimizer": "fused"}, {"sync": "step"}], ids=str
)
def test_what_the_step_decides_itself_is_no_variant(axes: dict[str, str]) -> None:
    reply = asked("own_steps:Two", Probe.STEPS, **axes)

    assert (reply.status, reply.cause) == (Status.UNSUPPORTED, Cause.UNSUPPORTED_SETTING)
    assert reply.reason == f"the task decides its {next(iter(axes))} itself"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Unpulled", "step(batches) pulled 0 rows: it must call next(batches)"),
        ("Still", "step(batches) changed no parameter of the model: did it train another one?"),
        ("OtherArguments", "step takes data, rate: it must take batches, and may take phase and device"),
        ("Fails", "step(batches) fails: RuntimeError: "),
    ],
)
def test_what_is_wrong_with_an_own_step_is_told_in_one_line(name: str, told: str) -> None:
    reply = asked(f"own_steps:{name}")

    assert (reply.status, reply.cause) == (Status.ERROR, Cause.MODEL_ERROR)
    assert reply.reason.startswith(f"task own_steps:{name}: {told}")


def test_a_first_step_at_a_rate_of_0_is_no_fault() -> None:
    assert asked("own_steps:WarmsUp").status is Status.OK
