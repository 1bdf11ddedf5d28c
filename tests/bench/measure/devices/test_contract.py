"""Every backend answers every question of the seam: on a device that is made up, and on a real one where there is one.

The numbers follow from fake_device.py alone.
"""

import math
import resource
from collections.abc import Callable, Iterator

import pytest
import torch
from torch.profiler import ProfilerActivity

from bench.core.axes.kind import KINDS, OTHERS
from bench.core.facts import Accelerator
from bench.measure.clock import EventClock
from bench.measure.devices import backend, xpu
from bench.measure.devices.find import BACKENDS, backend_of, clock_for
from bench.measure.system.environment import on_others
from tests.bench.measure.devices.fake_device import GIB, FakeDevice, install

EVERY = list(KINDS)
WITH_EVENTS = ["cuda", "xpu"]
GPUS = ["cuda", "mps", "xpu"]
Installed = Callable[[str], FakeDevice]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    yield lambda kind: install(monkeypatch, kind)
    xpu.spins.cache_clear()


def place(kind: str, index: int = 0) -> torch.device:
    return torch.device(kind, index)


def test_there_is_a_backend_for_every_kind() -> None:
    assert {name: backend.kind.name for name, backend in BACKENDS.items()} == {name: name for name in EVERY}


@pytest.mark.parametrize(
    ("kind", "count", "beyond", "why"),
    [
        ("cpu", 1, 1, "no device cpu:1"),
        ("cuda", 2, 2, "no device cuda:2"),
        ("mps", 1, 1, "no device mps:1"),
        ("xpu", 2, 2, "no device xpu:2"),
    ],
)
def test_which_devices_there_are(installed: Installed, kind: str, count: int, beyond: int, why: str) -> None:
    installed(kind)
    backend = BACKENDS[kind]

    assert backend.count() == count
    assert [backend.missing(place(kind, index)) for index in (0, count - 1)] == ["", ""]
    assert backend.missing(torch.device(kind)) == ""
    assert backend.missing(place(kind, beyond)) == why


@pytest.mark.parametrize("kind", [kind.name for kind in OTHERS])
def test_what_is_not_there_is_said(kind: str) -> None:
    if BACKENDS[kind].count():
        pytest.skip(f"a {kind} is here")

    assert BACKENDS[kind].missing(torch.device(kind)) == f"no {kind.upper()} device"


@pytest.mark.parametrize(
    ("kind", "timing", "seconds"),
    [
        ("cpu", "host", 0.75),  # the host does the work itself: 0.25 to begin it, 0.5 to do it
        ("cuda", "events", 0.75),  # from an idle start the device waits for the host
        ("mps", "synchronised", 0.75),
        ("xpu", "events", 0.75),
    ],
)
def test_two_stamps_around_work_are_its_time(installed: Installed, kind: str, timing: str, seconds: float) -> None:
    device, clock = installed(kind), clock_for(place(kind))
    start = clock.mark()
    device.launch(0.25, 0.5)
    end = clock.mark()
    clock.sync()

    assert BACKENDS[kind].timing == timing
    assert clock.elapsed_s(start, end) == pytest.approx(seconds)
    assert clock.waits == (timing == "synchronised")
    assert device.host_s == pytest.approx(0.75)  # after `sync` nothing is left to do
    clock.give_back((start, end))


@pytest.mark.parametrize("kind", WITH_EVENTS)
def test_events_tell_the_device_s_own_time_behind_a_backlog(installed: Installed, kind: str) -> None:
    device, clock = installed(kind), clock_for(place(kind))
    clock.hold(2.0)
    start = clock.mark()
    device.launch(0.25, 0.5)
    end = clock.mark()
    held = not clock.reached(start)
    clock.sync()

    assert held
    assert clock.reached(end)
    assert clock.elapsed_s(start, end) == pytest.approx(0.5)  # without the 0.25 of the host


@pytest.mark.parametrize("kind", EVERY)
def test_only_what_can_be_held_is_held(installed: Installed, kind: str) -> None:
    device, backend = installed(kind), BACKENDS[kind]
    clock = clock_for(place(kind))
    clock.hold(0.0)  # tells how fast the device spins
    clock.sync()
    began = device.host_s
    clock.hold(0.25)
    clock.sync()

    assert backend.holds(place(kind)) == (kind in WITH_EVENTS)
    assert device.host_s - began == pytest.approx(0.25 if kind in WITH_EVENTS else 0.0)


@pytest.mark.parametrize("error", [NotImplementedError("not supported on this device"), None])
def test_an_xpu_that_can_t_spin_is_timed_without_a_backlog(
    installed: Installed, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    """Before torch 2.14 there is no such function, and before Xe2 it raises NotImplementedError."""
    device = installed("xpu")
    if error is None:
        monkeypatch.delattr(torch.xpu, "_sleep")
    else:
        monkeypatch.setattr(torch.xpu, "_sleep", lambda _cycles: (_ for _ in ()).throw(error))
    clock = clock_for(place("xpu"))
    clock.hold(0.25)
    clock.sync()

    assert isinstance(clock, EventClock)
    assert not BACKENDS["xpu"].holds(place("xpu"))
    assert device.host_s == 0.0


@pytest.mark.parametrize("kind", GPUS)
def test_peaks_are_reset_on_an_idle_device(installed: Installed, kind: str) -> None:
    device = installed(kind)
    device.launch(0.25, 0.5)

    assert BACKENDS[kind].reset_peaks(place(kind))
    assert device.asked == ["synchronize", "reset_peak_memory_stats"]
    assert device.host_s == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("kind", "allocated", "reserved", "held"),
    [("cuda", 700, 800, 200), ("mps", 700, 800, 900), ("xpu", 700, 800, 200)],
)
def test_the_bytes_that_torch_tells(installed: Installed, kind: str, allocated: int, reserved: int, held: int) -> None:
    installed(kind)
    backend = BACKENDS[kind]

    assert backend.allocated_peak_bytes(place(kind)) == allocated
    assert backend.reserved_peak_bytes(place(kind)) == reserved
    assert backend.held_bytes(place(kind)) == held


def test_a_cpu_has_no_peak_of_torch_s_allocator(installed: Installed) -> None:
    installed("cpu")

    assert BACKENDS["cpu"].allocated_peak_bytes(place("cpu")) is None
    assert BACKENDS["cpu"].reserved_peak_bytes(place("cpu")) is None


def test_a_torch_that_tells_no_peak_of_mps_leaves_it_blank(
    installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch 2.9 raises: its allocator of MPS is none that torch.accelerator knows (pytorch issue 167447)."""
    device, backend = installed("mps"), BACKENDS["mps"]

    def refuse(*_: object) -> None:
        raise RuntimeError

    device.put(
        monkeypatch, torch.accelerator,
        dict.fromkeys(("reset_peak_memory_stats", "max_memory_allocated", "max_memory_reserved"), refuse),
    )  # fmt: skip

    assert backend.reset_peaks(place("mps"))
    assert backend.allocated_peak_bytes(place("mps")) is None
    assert backend.reserved_peak_bytes(place("mps")) is None
    assert backend.held_bytes(place("mps")) == 900


@pytest.mark.parametrize("kind", ["mps", "xpu"])
def test_no_bytes_are_not_known_bytes(installed: Installed, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    device = installed(kind)
    holder = torch.accelerator if kind == "mps" else torch.xpu
    device.put(monkeypatch, holder, {"max_memory_allocated": 0, "max_memory_reserved": 0})

    assert BACKENDS[kind].allocated_peak_bytes(place(kind)) is None
    assert BACKENDS[kind].reserved_peak_bytes(place(kind)) is None


def test_an_xpu_whose_driver_does_not_tell_what_is_free_leaves_it_blank(
    installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError

    device = installed("xpu")
    device.put(monkeypatch, torch.xpu, {"mem_get_info": refuse})

    assert BACKENDS["xpu"].held_bytes(place("xpu")) is None


@pytest.mark.parametrize(("kind", "given"), [("cuda", (0.25, 0)), ("mps", (0.25,)), ("xpu", (0.25, place("xpu")))])
def test_memory_is_limited_by_a_share_of_the_device_s(
    installed: Installed, kind: str, given: tuple[object, ...]
) -> None:
    device = installed(kind)

    assert BACKENDS[kind].limit(place(kind), GIB)
    assert device.given["set_per_process_memory_fraction"] == given


def test_the_cpu_s_memory_is_limited_by_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(resource, "setrlimit", lambda *arguments: asked.append(arguments))

    assert BACKENDS["cpu"].limit(place("cpu"), GIB)
    assert asked == [(resource.RLIMIT_DATA, (GIB, GIB))]


def test_a_torch_that_can_t_limit_an_xpu_says_so(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    installed("xpu")
    monkeypatch.delattr(torch.xpu, "set_per_process_memory_fraction")  # torch 2.9 has none

    assert not BACKENDS["xpu"].limit(place("xpu"), GIB)


@pytest.mark.parametrize(("kind", "given"), [("cpu", None), ("cuda", (1,)), ("mps", None), ("xpu", (1,))])
def test_a_device_among_several_is_made_the_current_one(
    installed: Installed, kind: str, given: tuple[int] | None
) -> None:
    device = installed(kind)
    BACKENDS[kind].take(place(kind, 1))

    assert device.given.get("set_device") == given


@pytest.mark.parametrize(
    ("kind", "name", "activities", "capability", "monitored", "recorded", "cache_bytes"),
    [
        ("cpu", "cpu", (), None, False, None, None),
        ("cuda", "Made-up GPU", (ProfilerActivity.CUDA,), (9, 0), True, torch.cuda.memory, 50 * 2**20),
        ("mps", "Made-up GPU", (), None, False, None, backend.DEFAULT_CACHE_BYTES),
        ("xpu", "Made-up GPU", (ProfilerActivity.XPU,), None, False, None, 16 * 2**20),
    ],
)
def test_what_else_is_known_of_a_device(
    installed: Installed,
    kind: str,
    name: str,
    activities: tuple[ProfilerActivity, ...],
    capability: tuple[int, int] | None,
    monitored: bool,
    recorded: object,
    cache_bytes: int | None,
) -> None:
    installed(kind)
    known, at = BACKENDS[kind], place(kind)

    assert (known.name(at), known.activities, known.capability(at)) == (name, activities, capability)
    assert (known.gpu(at) is not None) == monitored
    assert known.history is recorded
    assert cache_bytes in (None, known.cache_bytes(at))
    assert bool(known.activities) == (known.kind.profiled and known.kind.accelerates)
    assert known.holds(at) == known.kind.held


def test_what_run_json_says_of_an_xpu(installed: Installed) -> None:
    installed("xpu")
    one = Accelerator(
        kind="xpu", name="Made-up GPU", memory_bytes=4 * GIB, driver="1.6.3", compute_units=160, timing="events"
    )

    assert on_others() == {"accelerators": [one, one], "built_for": ["xpu"]}


def test_what_run_json_says_of_apple_s_gpu(installed: Installed) -> None:
    installed("mps")
    gpu = Accelerator(kind="mps", name="Made-up GPU", memory_bytes=4 * GIB, compute_units=40, timing="synchronised")

    assert on_others() == {"accelerators": [gpu], "built_for": ["mps"]}


def test_an_older_torch_has_no_name_for_apple_s_gpu(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    installed("mps")
    for name in ("get_name", "get_core_count"):
        monkeypatch.delattr(torch.backends.mps, name)

    assert BACKENDS["mps"].described(place("mps")) == Accelerator(
        kind="mps", name="MPS", memory_bytes=4 * GIB, timing="synchronised"
    )


@pytest.mark.skipif(torch.backends.mps.is_built() or torch.xpu._is_compiled(), reason="torch is built for one of them")
def test_run_json_is_as_before_where_torch_has_none_of_them() -> None:
    assert on_others() == {}


@pytest.mark.parametrize("kind", EVERY)
def test_the_same_holds_of_a_real_device(kind: str) -> None:
    """Nothing is faked: it is skipped where there is no device of the kind."""
    real, at = BACKENDS[kind], torch.device(kind)
    if why := real.missing(at):
        pytest.skip(f"{why} here")
    real.take(at)
    clock, x = clock_for(at), torch.rand(512, 512, device=at)
    real.synchronise(at)
    began = clock.host_s()
    start = clock.mark()
    y = x @ x
    end = clock.mark()
    clock.sync()
    passed_s = clock.host_s() - began
    reset = real.reset_peaks(at)
    kept = torch.ones(2**20, device=at)
    real.synchronise(at)

    assert backend_of(y.device) is real
    assert 0 < clock.elapsed_s(start, end) < passed_s + 1e-3
    assert clock.reached(end)
    assert kept.sum().item() == 2**20
    peaks = [real.allocated_peak_bytes(at), real.reserved_peak_bytes(at)]
    assert all(peak is None or peak >= kept.nbytes for peak in peaks)
    assert not reset or (real.held_bytes(at) or math.inf) >= kept.nbytes
    assert real.name(at)
    assert real.cache_bytes(at) > 0
    assert (real.described(at) is not None) == (real.kind in OTHERS)
