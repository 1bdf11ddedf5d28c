"""A trial's steps on a device that is made up: what torch is asked, in which order, and the numbers that come of it."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from bench.core.exchange.cause import Cause
from bench.core.header import Counts
from bench.core.variants import Variant
from bench.measure import failures
from bench.measure.devices import xpu
from bench.measure.devices.find import clock_for
from bench.measure.probe import Measured
from bench.measure.probes import fit, kernels, memory, sustained
from bench.measure.samples import Samples
from bench.measure.system.state import State
from bench.measure.timing import stamps, steps
from bench.measure.validity import verify
from bench.measure.workload import Inputs, UnsupportedError, Workload, build
from tests.bench.measure.devices.fake_device import GIB, FakeDevice, install

OTHERS = ["mps", "xpu"]
MakeWork = Callable[..., Workload]
HOST_S, DEVICE_S = 0.125, 0.5
"""What the host takes to give a step to the device, and the device for it."""


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch, real_work: MakeWork) -> Iterator[Callable[..., tuple[Workload, FakeDevice]]]:
    """A real workload on the CPU that says it is on a device; its steps are written down and pass the device's time."""

    def made(kind: str, **axes: object) -> tuple[Workload, FakeDevice]:
        work = real_work(shape=(1, 28, 28), model="tests_models:honest", batch_size=2, **axes)
        step, device = work.trainer.step, install(monkeypatch, kind)

        def noted(*arguments: Any, **options: Any) -> None:  # noqa: ANN401
            device.asked.append("step")
            device.launch(HOST_S, DEVICE_S)
            step(*arguments, **options)

        work.trainer.step = noted
        monkeypatch.setattr(Workload, "device", torch.device(kind))
        return work, device

    yield made
    xpu.spins.cache_clear()


On = Callable[..., tuple[Workload, FakeDevice]]
SAMPLE = {
    "xpu": ["synchronize", "record", "step", "step", "record", "synchronize", "elapsed"],
    "mps": ["synchronize", "step", "step", "synchronize"],
}
DISPATCH = ["synchronize", "step", "synchronize"]


def values(samples: Samples) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for row in samples.rows:
        if not row.layer:
            found.setdefault(row.metric, []).append(row.value)
    return found


@pytest.mark.parametrize("kind", OTHERS)
def test_nothing_waits_within_a_timed_region(on: On, kind: str) -> None:
    work, device = on(kind)
    clock = clock_for(work.device)
    device.asked.clear()
    steps.plain_steps(work, clock, Counts(plain=2, iterations=2))

    assert device.asked == [*SAMPLE[kind], *SAMPLE[kind], *DISPATCH * 5]


@pytest.mark.parametrize("kind", OTHERS)
def test_a_plain_step_is_as_long_as_the_device_needs(on: On, kind: str) -> None:
    """Of two steps the host gives the second while the device does the first: 0.125 + 0.5 + 0.5."""
    work, _ = on(kind)
    found = values(steps.plain_steps(work, clock_for(work.device), Counts(plain=1, iterations=2)))

    assert found["wall"] == pytest.approx([0.5625])
    assert found.get("device", []) == pytest.approx([0.5625] if kind == "xpu" else [])
    assert found["dispatch"] == pytest.approx([HOST_S] * 5)
    assert "page_faults" not in found


@pytest.mark.parametrize(("kind", "asked"), [("xpu", {"_sleep", "record", "step", "query"}), ("mps", None)])
def test_stamped_steps_are_taken_behind_a_backlog_where_there_can_be_one(
    on: On, kind: str, asked: set[str] | None
) -> None:
    work, device = on(kind)
    clock = clock_for(work.device)
    clock.hold(0.01)
    stamper = stamps.Stamper(work, clock)
    device.asked.clear()
    sample = stamper.sample()

    assert sample is not None
    assert work.queues == (kind == "xpu")
    assert stamper.backlog_s == (pytest.approx(1.5 * HOST_S) if kind == "xpu" else 0.0)
    inside = device.asked[1 : device.asked.index("elapsed")] if asked else device.asked
    assert asked is None or set(inside[:-1]) <= asked
    assert sample.wall_s == pytest.approx(DEVICE_S if kind == "xpu" else HOST_S + DEVICE_S)
    assert sum(sample.seconds.values()) == pytest.approx(sample.wall_s)


def test_on_mps_a_part_is_the_time_from_idle_to_idle(on: On) -> None:
    work, device = on("mps")
    timeline, _, held = stamps.timed_stamps(work, clock_for(work.device), 0.0)

    assert not held
    assert device.asked.count("synchronize") == timeline.stamps + 2  # one a stamp, one before and one after all


PEAKS = {
    "xpu": ["step", "reset_peak_memory_stats", "step", "mem_get_info", "max_memory_allocated", "max_memory_reserved"],
    "mps": [
        "step", "reset_peak_memory_stats", "step", "driver_allocated_memory", "max_memory_allocated",
        "max_memory_reserved",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "held"), [("xpu", 200), ("mps", 900)])
def test_the_peak_is_reset_behind_the_warm_up(on: On, kind: str, held: int) -> None:
    work, device = on(kind)
    device.asked.clear()
    found = values(memory.held_and_peaks(work))

    assert [name for name in device.asked if name in PEAKS[kind]][:6] == PEAKS[kind]
    assert device.asked[device.asked.index("reset_peak_memory_stats") - 1] == "synchronize"
    assert (found["allocator_peak"], found["reserved"], found["process_peak"]) == ([700.0], [800.0], [float(held)])


def test_a_peak_that_torch_does_not_tell_is_no_sample(on: On, monkeypatch: pytest.MonkeyPatch) -> None:
    work, device = on("mps")
    device.put(monkeypatch, torch.accelerator, {"max_memory_allocated": 0, "max_memory_reserved": 0})
    found = values(memory.held_and_peaks(work))

    assert not {"allocator_peak", "reserved"} & set(found)
    assert found["parameter"]


@pytest.mark.parametrize("kind", OTHERS)
def test_the_largest_batch_is_tried_under_the_device_s_limit(on: On, kind: str) -> None:
    work, device = on(kind)
    fit.limit(kind, GIB)
    found = values(fit.try_batch(work, clock_for(work.device)))

    assert device.given["set_per_process_memory_fraction"][0] == 0.25
    assert found["fit_peak"] == [800.0]


def test_a_limit_that_can_t_be_set_is_refused(on: On, monkeypatch: pytest.MonkeyPatch) -> None:
    on("xpu")
    monkeypatch.delattr(torch.xpu, "set_per_process_memory_fraction")

    with pytest.raises(UnsupportedError, match="can't limit the memory that a process takes of xpu") as raised:
        fit.limit("xpu", GIB)
    assert raised.value.cause is Cause.UNSUPPORTED_SETTING


@pytest.mark.parametrize("kind", OTHERS)
def test_a_gpu_is_warmed_up_and_has_a_sustained_stretch_without_energy(on: On, kind: str) -> None:
    work, device = on(kind)
    counts = steps.warm_up(work, clock_for(work.device), Counts(warmup=0, iterations=1))
    warmed = device.host_s
    found = values(sustained.stretch(work, clock_for(work.device), stretch_s=5.0))

    assert counts.iterations == 1
    assert warmed >= steps.WARM_S
    assert found["sustained"] == pytest.approx([HOST_S + DEVICE_S])
    assert "energy" not in found
    assert State(work).gpu is None


@pytest.mark.parametrize(("kind", "named"), [("cpu", True), ("mps", False)])
def test_no_kernel_is_named_where_the_profiler_sees_none(on: On, kind: str, named: bool) -> None:
    """On MPS it would be the operator that the host took longest to give to the device."""
    work, _ = on(kind)
    so_far = Measured(samples=Samples("steps"), layers=verify.unobserved(work.trainer.model))
    result = kernels.measure(cast("Any", SimpleNamespace(work=work)), so_far)

    assert any(layer.kernel for layer in result.layers) == named
    assert {row.metric for row in result.samples.rows} == {"conversions", "casts"}


@pytest.mark.parametrize(("device", "reason"), [("mps", "no MPS device"), ("xpu", "no XPU device")])
def test_a_trial_on_a_device_that_is_not_there_has_that_cause(device: str, reason: str) -> None:
    if torch.device(device).type in str(torch.accelerator.current_accelerator(check_available=True)):
        pytest.skip(f"a {device} is here")
    with pytest.raises(UnsupportedError, match=reason) as raised:
        build(Variant(device=device), Inputs(), seed=0)
    assert raised.value.cause is Cause.NO_DEVICE


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(
            "MPS backend out of memory (MPS allocated: 9.00 GB, other allocations: 1.00 GB, max allowed: 9.07"
        ),
        torch.OutOfMemoryError("XPU out of memory. Tried to allocate 2.00 GiB."),
    ],
)
def test_what_runs_out_of_a_device_s_memory_has_that_cause(error: Exception) -> None:
    assert failures.cause_of(error) is Cause.OUT_OF_MEMORY
