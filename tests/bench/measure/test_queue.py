"""A loader's workers make batches in advance: what is timed is the long run, whichever of loader and step is slower."""

import gc
import time
from collections.abc import Iterator
from statistics import median
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, RandomSampler

from bench.core.exchange.messages import Reply
from bench.core.header import Counts, PilotCounts
from bench.core.variants import Variant
from bench.measure import queue, trial
from bench.measure.clock import Clock, HostClock
from bench.measure.probe import Subject
from bench.measure.probes import loader as loader_alone
from bench.measure.workload import Inputs, Workload, build, endless
from bench.report.outcome.curves import bound_by
from nin.train import Mark, Setup, no_mark
from tests.bench.measure.asking import request, values
from tests.bench.measure.conftest import FakeClock

RATIOS = (0.3, 0.8, 1.25, 2.5)
"""The loader's seconds a batch, all workers at work, over the step's."""
WORKERS = (1, 2, 3)
PREFETCH = 2
PAUSE_S = 1000.0
"""Long enough for any queue to fill."""


class FakeQueue:
    """A DataLoader on a fake clock: worker k makes every k-th batch, and each has two to make at any time."""

    prefetch_factor = PREFETCH

    def __init__(self, clock: FakeClock, workers: int, batch_s: float) -> None:
        self.clock, self.num_workers, self.batch_s = clock, workers, batch_s
        self.fetched = 0

    def __len__(self) -> int:
        return 10**9

    def __iter__(self) -> Iterator[tuple[None, None]]:
        free_s, ready_s = [0.0] * self.num_workers, list[float]()
        self.order(free_s, ready_s)
        while True:
            self.clock.now_s = max(self.clock.now_s, ready_s[self.fetched])
            self.fetched += 1
            self.order(free_s, ready_s)  # as a batch is taken, its worker is given the next
            yield None, None

    def order(self, free_s: list[float], ready_s: list[float]) -> None:
        """Have as many batches made as may be under way."""
        while len(ready_s) < self.fetched + PREFETCH * self.num_workers:
            worker = len(ready_s) % self.num_workers
            free_s[worker] = max(free_s[worker], self.clock.now_s) + self.batch_s
            ready_s.append(free_s[worker])


@pytest.fixture
def fake_queue(clock: FakeClock) -> Any:  # noqa: ANN401
    """Makes a workload of a step and a loader of known length; its first step pauses, as a compiler would."""

    def made(workers: int, step_s: float, batch_s: float) -> Workload:
        def step(_x: None, _y: None, mark: Mark = no_mark) -> None:
            mark("forward")
            clock.pass_s(step_s if trainer.steps else PAUSE_S)
            trainer.steps += 1

        setup = Setup(device=torch.device("cpu"))
        trainer = SimpleNamespace(step=step, model=nn.Sequential(), setup=setup, steps=0, loss_sum=0.0)
        trainer.move = lambda x, y: (x, y)
        loader = cast("Any", FakeQueue(clock, workers, batch_s))
        variant = Variant(loader="workers")
        stream = cast("Any", iter(loader))
        return Workload(
            trainer=cast("Any", trainer), batches=stream, variant=variant, loader=loader, inputs=Inputs(), seed=0
        )

    return made


def measured(work: Workload, clock: Clock, probes: str = "steps", counts: Counts | None = None) -> Reply:
    """The reply of a trial that finds out by itself how many steps it takes, unless `counts` says so."""
    asked = request(probes, counts=counts, pilot_counts=PilotCounts(plain=3, stamped=1))
    return trial.run_probes(Subject(request=asked, work=work, clock=clock))


@pytest.mark.parametrize("step_s", [0.04, 0.5, 2.0, 10.0])
@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("ratio", RATIOS)
def test_a_step_takes_what_the_slower_of_loader_and_step_takes(
    ratio: float, workers: int, step_s: float, fake_queue: Any, clock: FakeClock  # noqa: ANN401
) -> None:  # fmt: skip
    work = fake_queue(workers, step_s, ratio * step_s * workers)
    reply = measured(work, cast("Clock", clock))

    walls = values(reply.samples, "wall")
    assert walls == pytest.approx([max(1, ratio) * step_s] * len(walls))
    if step_s < 8:
        [waited, *_] = values(reply.samples, "wall", "phase", "data")
        assert waited == pytest.approx(max(0, ratio - 1) * step_s, abs=1e-9)


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("ratio", RATIOS)
def test_a_later_trial_with_the_pilots_counts_agrees_with_it(
    ratio: float, workers: int, fake_queue: Any, clock: FakeClock  # noqa: ANN401
) -> None:  # fmt: skip
    def timed(counts: Counts | None) -> tuple[Reply, float]:
        work, start_s = fake_queue(workers, 0.25, ratio * 0.25 * workers), clock.now_s
        return measured(work, cast("Clock", clock), "steps", counts), clock.now_s - start_s

    pilot, pilot_s = timed(None)
    later, later_s = timed(pilot.counts)

    assert values(later.samples, "wall") == pytest.approx(values(pilot.samples, "wall"))
    assert later_s <= pilot_s  # a budget counts on the pilot's seconds


def test_counts_of_a_faster_loader_do_for_a_slower_one(fake_queue: Any, clock: FakeClock) -> None:  # noqa: ANN401
    """`ab` has one tree's counts for both, and the other's loader may have become the slower one."""
    counts = Counts(plain=3, iterations=1, stamped=1)
    reply = measured(fake_queue(3, 0.25, 1.5), cast("Clock", clock), "steps", counts)

    assert values(reply.samples, "wall") == pytest.approx([0.5] * 3)
    assert values(reply.samples, "wall", "phase", "data") == pytest.approx([0.25])


@pytest.mark.parametrize("batch_s", [0.0, 1.0, 1.9])
def test_where_the_loader_is_faster_the_queue_is_full(
    batch_s: float, fake_queue: Any, clock: FakeClock  # noqa: ANN401
) -> None:  # fmt: skip
    """Workers that still fill it would take cores from the steps that are timed."""
    work = fake_queue(2, 1.0, batch_s)
    work.trainer.step(None, None)

    assert not queue.steady(work, cast("Clock", clock))
    steady_s = clock.now_s
    for _ in range(2 * PREFETCH):
        next(work.batches)
    assert clock.now_s == steady_s


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("ratio", RATIOS)
def test_the_loader_alone_is_its_long_run_and_bounds_where_it_is_slower(
    ratio: float, workers: int, fake_queue: Any, clock: FakeClock  # noqa: ANN401
) -> None:  # fmt: skip
    work = fake_queue(workers, 0.25, ratio * 0.25 * workers)
    reply = measured(work, cast("Clock", clock), "steps+loader")

    loader, compute, together = (values(reply.samples, m) for m in ("loader_alone", "compute_alone", "wall"))
    assert loader == pytest.approx([ratio * 0.25] * 3)
    assert compute == pytest.approx([0.25] * 3)
    rate = [1 / median(seconds) for seconds in (loader, compute, together)]
    assert bound_by(*rate) == ("loader" if ratio > 1 else "step")


class Slow(Dataset[int]):
    """Numbers that take their time; an epoch of them is short."""

    def __init__(self, item_s: float) -> None:
        self.item_s = item_s

    def __len__(self) -> int:
        return 15

    def __getitem__(self, index: int) -> int:
        time.sleep(self.item_s)
        return index


def as_batch(indices: list[int]) -> tuple[list[int], None]:
    """No tensors: fetching those from a worker takes a while on a machine that is busy."""
    return indices, None


def planted_step_s(ratio: float) -> float:
    """Longer where the step is what is measured: what else happens in a step then counts less."""
    return 0.06 if ratio < 1 else 0.04


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes a real workload whose step and whose DataLoader sleep."""
    monkeypatch.setattr("torch.utils.data.dataloader.DataLoader.check_worker_number_rationality", lambda _loader: None)
    made: list[Workload] = []

    def make(ratio: float, workers: int) -> Workload:
        work = build(Variant(batch_size=1, model="tests_models:twice8"), Inputs(shape=(1, 8, 8)), seed=0)
        step_s = planted_step_s(ratio)
        item_s = ratio * step_s * workers
        loader = DataLoader(
            Slow(item_s), batch_size=1, num_workers=workers, persistent_workers=True, collate_fn=as_batch
        )
        work.loader = cast("Any", loader)
        work.batches = endless(work.loader)
        step, batch = work.trainer.step, work.trainer.move(torch.zeros(1, 1, 8, 8), torch.zeros(1).long())
        work.trainer.move = lambda _x, _y: batch

        def slow(x: torch.Tensor, y: torch.Tensor, mark: Mark = no_mark) -> None:
            ends = time.perf_counter() + step_s
            step(x, y, mark)
            time.sleep(max(0, ends - time.perf_counter()))

        work.trainer.step = slow
        made.append(work)
        return work

    yield make
    for work in made:
        cast("Any", work.batches).close()
    made.clear()
    gc.collect()  # workers end with their loader's iterator


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("ratio", RATIOS)
def test_a_step_behind_real_workers_takes_what_the_slower_one_takes(
    ratio: float, workers: int, planted: Any  # noqa: ANN401
) -> None:  # fmt: skip
    walls = values(measured(planted(ratio, workers), HostClock()).samples, "wall")

    assert median(walls) == pytest.approx(max(1, ratio) * planted_step_s(ratio), rel=0.05)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_real_workers_that_are_slower_bound_an_epoch(planted: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    monkeypatch.setattr(loader_alone, "LEAST_SAMPLE_S", 0.2)
    work = planted(2.5, 1)
    wall_s = median(values(measured(work, HostClock()).samples, "wall"))
    alone = loader_alone.rates(work, HostClock(), wall_s).rows
    loader_s, step_s = (median(r.value for r in alone if r.metric == m) for m in ("loader_alone", "compute_alone"))

    assert loader_s == pytest.approx(2.5 * planted_step_s(2.5), rel=0.05)
    assert bound_by(1 / loader_s, 1 / step_s, 1 / wall_s) == "loader"


@pytest.mark.parametrize("workers", [0, 2])
def test_epochs_are_chained_in_the_loaders_own_order(workers: int) -> None:
    """Whether or not workers go on across an epoch's end."""

    def loader() -> Any:  # noqa: ANN401
        sampler = RandomSampler(Slow(0), generator=torch.Generator().manual_seed(3))
        return DataLoader(Slow(0), 2, sampler=sampler, num_workers=workers, drop_last=True, collate_fn=as_batch)

    stream = endless(loader())
    batches = [next(stream) for _ in range(2 * 7)]
    cast("Any", stream).close()
    plain = loader()

    assert batches == [batch for _ in range(2) for batch in plain]
