"""What the acceptance says of the model's own steps."""

from collections.abc import Callable
from typing import Any

import pytest

from bench.core.facts import CudaDevice, Environment
from bench.core.variants import Variant
from bench.gpu.recorder import Outcome, Recorder
from bench.gpu.steps import floors, times
from bench.measure.samples import Samples

BASE, HALF = "cuda-default-nchw-eager-b128", "cuda-bf16-nhwc-eager-b128"


def test_a_precision_that_this_device_has_not_is_skipped_with_the_reason(
    recorder: Callable[..., Recorder], outcome: Callable[[], Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A T4 has no bf16: its steps would be measured in something else."""
    card = CudaDevice(name="Made-up T4", memory_bytes=2**34, capability=(7, 5))
    taken: list[str] = []

    def step(variant: Variant, *_: object, **__: object) -> None:
        taken.append(variant.id)

    monkeypatch.setattr(times, "describe", lambda: Environment(cuda_devices=[card]))
    monkeypatch.setattr(times, "clock_for", lambda _: None)
    monkeypatch.setattr(times, "known_work", lambda *_: None)
    monkeypatch.setattr(floors, "copy_bytes_per_s", lambda *_: 1e11)
    monkeypatch.setattr(times, "model_step", step)
    to = recorder()
    times.measure(to.task, to)

    assert taken == [BASE]
    assert [(check.check, check.status.value, check.reason) for check in outcome().checks] == [
        (f"{HALF}: its step", "skipped", "bf16 needs compute capability 8.0, this device has 7.5")
    ]


def samples(**values: float) -> Samples:
    found = Samples("steps")
    for name, value in values.items():
        phase = name if name in ("data", "backward") else ""
        found.add("wall" if phase else name, value, phase=phase)
    return found


@pytest.mark.parametrize(("dispatch", "expected"), [(0.8, 1.0), (1.2, 1.2)])
def test_launch_gaps_are_a_part_of_the_step(dispatch: float, expected: float) -> None:
    """Parts of 0.3 + 0.7 s, a plain step of 1 s; the host takes 1.2 s to give a step of 1 s: 0.2 s of gaps."""
    plain = samples(wall=1.0, dispatch=dispatch)
    stamped = samples(stamped_wall=1.0, backlog=2.0, data=0.3, backward=0.7)

    assert times.closure(plain, stamped) == pytest.approx(expected)


@pytest.mark.parametrize(("step_s", "status"), [(0.0095, "ok"), (0.002, "failed")])
def test_a_step_faster_than_its_memory_fails(
    step_s: float, status: str, recorder: Callable[..., Recorder], outcome: Callable[[], Outcome],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """9.5 GB at 3 TB/s take 3.2 ms."""
    timed: Any = type("Timed", (), {"plain": Samples("steps"), "stamped": Samples("steps"), "step_s": step_s})
    work: Any = type("Work", (), {"device": None})
    monkeypatch.setattr(times, "build", lambda *_: work)
    monkeypatch.setattr(times, "take_step", lambda _: None)
    monkeypatch.setattr(times, "timed_steps", lambda *_: timed)
    monkeypatch.setattr(times, "closure", lambda *_: 1.0)
    monkeypatch.setattr(floors, "traffic_bytes", lambda *_: 9.5e9)
    monkeypatch.setattr(floors, "cache_bytes", lambda _: 0)
    times.model_step(Variant(device="cuda", batch_size=128), recorder(), Any, 3e12, few=False)  # type: ignore[arg-type]

    assert [check.status.value for check in outcome().checks] == ["ok", status]
