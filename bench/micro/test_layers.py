"""Each layer alone: forward and backward, with what it needs in the caches (hot) and without (cold)."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.measure.system.usage import usage
from bench.micro.parts import Caches, Part
from bench.micro.stopwatch import stopwatch

ROUNDS = 15
pytestmark = [
    pytest.mark.benchmark(timer=stopwatch.seconds),
    pytest.mark.parametrize("cache", ["hot", "cold"]),
]


def test_forward(benchmark: BenchmarkFixture, part: Part, cache: str, caches: Caches, labels: dict[str, str]) -> None:
    """The forward of one layer, on its own input."""
    measure(benchmark, part.forward, part.fresh, caches if cache == "cold" else None, labels | {"phase": "forward"})


def test_backward(benchmark: BenchmarkFixture, part: Part, cache: str, caches: Caches, labels: dict[str, str]) -> None:
    """The backward of one layer, on the gradient that came to it: of its parameters, and of its input if wanted."""
    if not (ready := part.ready()).outputs or not ready.wanted:
        pytest.skip("nothing wants a gradient of it")
    run = type(ready).run
    measure(benchmark, run, part.ready, caches if cache == "cold" else None, labels | {"phase": "backward"})


def measure(
    benchmark: BenchmarkFixture,
    run: Callable[[Any], object],
    prepare: Callable[[], object],
    caches: Caches | None,
    labels: dict[str, str],
) -> None:
    """Time `run` on what `prepare` makes for each round, untimed; and count its page faults."""

    def setup() -> tuple[tuple[object], dict[str, object]]:
        prepared = prepare()
        if caches is not None:
            caches.flush()
        return (prepared,), {}

    benchmark.group = f"{labels['phase']} {labels['cache']}"
    benchmark.pedantic(run, setup=setup, rounds=ROUNDS, warmup_rounds=1)
    (prepared,), _ = setup()
    before = usage()
    run(prepared)
    benchmark.extra_info |= labels | {"page_faults": (usage() - before).page_faults}
