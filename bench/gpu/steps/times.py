"""The step `times`: whether the harness reads the true seconds of work whose time is known."""

import pandas as pd
import torch
from msgspec.structs import asdict

from bench.analyse.values import closures, launch_gaps
from bench.core.header import Counts
from bench.core.variants import Variant
from bench.gpu.checks import Bounds
from bench.gpu.recorder import Recorder, Task
from bench.gpu.steps import floors
from bench.gpu.steps.known import Products, Spinning, host_seconds, layer_seconds
from bench.machine.environment import machine
from bench.measure.clock import Clock
from bench.measure.devices.find import clock_for
from bench.measure.samples import Samples
from bench.measure.system.environment import describe
from bench.measure.timing.steps import take_step
from bench.measure.timing.timed import timed_steps
from bench.measure.workload import Inputs, build
from bench.plan.matrix import excluded_reason

CLOSE = Bounds(lo=0.9, hi=1.1)
"""A long layer's seconds over the known ones."""
NEAR = Bounds(lo=0.75, hi=1.5)
"""The same of a short layer, to which the stamps around it add."""
WHOLE = Bounds(lo=0.95, hi=1.05)
"""The sum of a step's parts over the plain step. On an H100 it was 1.002 and 1.015 (docs/gpu.md)."""
NEVER_BELOW = Bounds(lo=0.9)
"""A step over its floor. A device may read a little faster than it copies."""
LONG_S, SHORT_S = 0.01, 20e-6
SHORT_LAYERS = 20
SLOWER = 5
"""A busy host takes this many times as long to launch a layer as the device takes to run it."""
CYCLES = 20_000_000
WARM_STEPS = 10


def measure(task: Task, to: Recorder) -> None:
    """Compare layers of known work, and steps of the model, with the host's clock."""
    device = torch.device(task.device)
    clock = clock_for(device)
    known_work(task, to, device, clock)
    copied = floors.copy_bytes_per_s(device, clock, 2**22 if task.rehearse else 2**30)
    to.fact("copy within the device's memory, read and written (bytes/s)", f"{copied:.4g}")
    here = machine(describe())
    for variant in variants(task):
        if reason := excluded_reason(variant, here):
            to.skip(f"{variant.id}: its step", reason)
        else:
            model_step(variant, to, clock, copied, few=task.rehearse)


def variants(task: Task) -> tuple[Variant, Variant]:
    """The baseline and bf16 + nhwc."""
    batch = 2 if task.rehearse else 128
    return tuple(  # type: ignore[return-value] # two
        Variant(device=task.device, batch_size=batch, precision=precision, memory_format=memory_format)
        for precision, memory_format in (("default", "nchw"), ("bf16", "nhwc"))
    )


def known_work(task: Task, to: Recorder, device: torch.device, clock: Clock) -> None:
    """Check a long and a short spin, and a chain of products, each with an idle host and with a busy one."""
    spinning = Spinning.on(device, clock, CYCLES)
    to.fact("spins (Hz)", f"{spinning.cycles_per_s:.4g}")
    long_s = LONG_S / 10 if task.rehearse else LONG_S
    products = Products.lasting(long_s, 256 if task.rehearse else 2048, device, clock)
    products_s = host_seconds(products, clock)
    to.fact("matrix products of float32 (FLOP/s)", f"{products.flops / products_s:.4g}")
    for host, slower in (("idle", 0), ("busy", SLOWER)):
        for what, work, known_s, layers, bounds in (
            (f"a spin of {long_s * 1e3:g} ms", lambda: spinning.spin(long_s), long_s, 2, CLOSE),
            (f"a spin of {SHORT_S * 1e6:g} us", lambda: spinning.spin(SHORT_S), SHORT_S, SHORT_LAYERS, NEAR),
            (f"{products.flops:.4g} FLOP of products", products, products_s, 2, CLOSE),
        ):
            seen_s = layer_seconds(work, layers, slower * known_s, device, clock)
            to.check(f"layer of {what}, host {host}: stamps over known time", seen_s / known_s, bounds)


def model_step(variant: Variant, to: Recorder, clock: Clock, copied: float, *, few: bool) -> None:
    """Check that a step's parts add up to it, and that it is not faster than its memory traffic allows."""
    work = build(variant, Inputs(), 0)
    for _ in range(1 if few else WARM_STEPS):
        take_step(work)
    counts = Counts(plain=1, stamped=1) if few else Counts(plain=5, iterations=20, stamped=10)
    timed = timed_steps(work, clock, counts)
    to.fact(f"step of {variant.id} (s)", f"{timed.step_s:.5g}")
    to.check(f"{variant.id}: sum of parts over plain step", closure(timed.plain, timed.stamped), WHOLE)
    floor_s = floors.traffic_bytes(work, floors.cache_bytes(work.device)) / copied
    to.check(f"{variant.id}: plain step over the floor of its memory", timed.step_s / floor_s, NEVER_BELOW)


def closure(plain: Samples, stamped: Samples) -> float:
    """The closure of one trial's samples, computed as for a run's page."""
    frame = pd.DataFrame(map(asdict, [*plain.rows, *stamped.rows]))
    values = frame.groupby(["metric", "scope", "layer", "phase"])["value"].median().reset_index()
    values = values.assign(trial_id="", variant_id="", arm="A", round=0, stage="pilot")
    values = pd.concat([values, launch_gaps(values)])
    return float(closures(values)["value"].item())
