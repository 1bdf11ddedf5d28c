"""On a device with a queue a layer reads what the device takes, whoever is slower."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest
import torch
from msgspec.structs import asdict
from torch import nn

from bench.analyse.values import closures, launch_gaps, overheads
from bench.core.header import Counts
from bench.core.variants import Variant
from bench.measure.samples import Samples
from bench.measure.timing.stamps import timed_stamps
from bench.measure.timing.timed import timed_steps
from bench.measure.workload import Inputs, Workload
from nin.train import Mark, Setup, no_mark
from tests.bench.measure.queue_clock import Launching, QueueClock

US = 1e-6
LAYERS = 20


MakeWork = Callable[..., tuple[Workload, QueueClock]]


@pytest.fixture
def queued() -> MakeWork:
    """A workload of alike layers on a device with a queue."""

    def made(host_s: float, device_s: float, *, waits: bool = False, loader: str = "resident") -> Any:  # noqa: ANN401
        clock = QueueClock()
        model = nn.Sequential(*(Launching(clock, host_s, device_s) for _ in range(LAYERS)))

        def batches() -> Iterator[tuple[torch.Tensor, None]]:
            while True:
                clock.launch(host_s, device_s)
                yield torch.zeros(1), None

        def step(x: torch.Tensor, _y: None, mark: Mark = no_mark) -> None:
            for phase in ("h2d", "forward", "loss", "optimizer", "backward", "optimizer", "read"):
                mark(phase)
                if phase == "forward":
                    model(x)
                else:
                    clock.launch(host_s, device_s)
            if waits:
                clock.sync()

        setup = Setup(device=torch.device("cuda"))
        trainer = SimpleNamespace(step=step, model=model, setup=setup)
        variant = Variant(device="cuda", loader=loader, sync="step" if waits else "epoch")
        work = Workload(
            trainer=cast("Any", trainer), batches=cast("Any", batches()), variant=variant, loader=cast("Any", None),
            inputs=Inputs(), seed=0,
        )  # fmt: skip
        return work, clock

    return made


def as_values(samples: Samples) -> pd.DataFrame:
    """The samples as the values of one trial."""
    frame = pd.DataFrame(map(asdict, samples.rows))
    values = frame.groupby(["metric", "scope", "layer", "phase"])["value"].median().reset_index()
    return values.assign(trial_id="t", variant_id="v", arm="A", round=1, stage="measure")


def layers_us(samples: Samples) -> set[float]:
    return {round(r.value / US, 3) for r in samples.rows if r.scope == "layer" and r.layer != "between"}


@pytest.mark.parametrize(("host_us", "device_us"), [(50, 5), (5, 50), (20, 20)])
def test_a_layer_reads_its_device_time_and_the_parts_add_up_to_the_plain_step(
    queued: MakeWork, host_us: float, device_us: float
) -> None:
    work, clock = queued(host_us * US, device_us * US)
    timed = timed_steps(work, clock, Counts(plain=3, iterations=50, stamped=3))
    samples, stamped = timed.plain, timed.stamped
    samples.add_all([stamped])
    values = as_values(samples)
    values = pd.concat([values, launch_gaps(values)])

    assert layers_us(stamped) == {device_us}
    assert closures(values)["value"].item() == pytest.approx(1, abs=0.02)
    assert overheads(values)["value"].item() == pytest.approx(0, abs=0.02)
    gaps_s = launch_gaps(values)["value"].item()
    assert gaps_s == pytest.approx(max(0, host_us - device_us) * (LAYERS + 7) * US, rel=0.05, abs=3 * US)


def test_from_an_idle_start_the_same_layer_reads_what_the_host_takes(queued: MakeWork) -> None:
    """What the backlog is for: shown by the way that steps which wait still take."""
    work, clock = queued(50 * US, 5 * US, waits=True)

    found = timed_steps(work, clock, Counts(plain=1, stamped=2)).stamped

    assert layers_us(found) == {50.0}
    assert clock.held == []
    assert "backlog" not in {r.metric for r in found.rows}


def test_steps_fed_by_the_host_are_stamped_from_an_idle_start(queued: MakeWork) -> None:
    work, clock = queued(50 * US, 5 * US, loader="notebook")
    timed_steps(work, clock, Counts(plain=1, stamped=2))

    assert clock.held == []


def test_a_step_that_the_device_came_to_too_early_is_taken_again(queued: MakeWork) -> None:
    work, clock = queued(50 * US, 5 * US)
    timed_stamps(work, clock, 0.0)
    step, slow = work.trainer.step, iter([0, 0, 10_000 * US])  # the second step is plain

    def sometimes_slow(*arguments: Any, **options: Any) -> None:  # noqa: ANN401
        clock.host += next(slow, 0)
        step(*arguments, **options)

    work.trainer.step = sometimes_slow
    found = timed_steps(work, clock, Counts(plain=1, stamped=3)).stamped

    assert layers_us(found) == {5.0}
    assert len([r for r in found.rows if r.metric == "stamped_wall"]) == 3
    assert clock.held[1:] == [2 * clock.held[0]] * 3


def test_a_step_that_waits_unasked_is_stamped_from_an_idle_start_and_says_so(queued: MakeWork) -> None:
    work, clock = queued(50 * US, 5 * US)
    step = work.trainer.step

    def waits(*arguments: Any, **options: Any) -> None:  # noqa: ANN401
        step(*arguments, **options)
        clock.sync()

    work.trainer.step = waits
    found = timed_steps(work, clock, Counts(plain=1, stamped=3)).stamped

    assert layers_us(found) == {50.0}
    assert "backlog" not in {r.metric for r in found.rows}
