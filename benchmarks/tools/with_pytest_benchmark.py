"""The layer as a user of pytest-benchmark measures it: `pytest with_pytest_benchmark.py`."""

from collections.abc import Callable

from layer import Layer


def test_layer(benchmark: Callable[[Layer], None]) -> None:
    """Measure it."""
    benchmark(Layer())
