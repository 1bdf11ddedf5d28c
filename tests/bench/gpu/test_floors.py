"""What a step must read and write, counted operator by operator."""

import pytest
import torch

from bench.core.variants import Variant
from bench.gpu.steps.floors import Traffic, copy_bytes_per_s, traffic_bytes
from bench.measure.workload import Inputs, build
from tests.bench.measure.queue_clock import QueueClock

N = 1000


def counted(cache_bytes: int = 0) -> int:
    x = torch.ones(N)
    traffic = Traffic(cache_bytes)
    with traffic:
        (x.view(10, 100).T * 2).add_(1)  # a view; 4 N read, 4 N written; 4 N read and written
        torch.empty(N)
    return traffic.bytes


def test_views_and_empty_tensors_are_no_traffic_and_in_place_is_both() -> None:
    assert counted() == 4 * 4 * N


def test_of_a_tensor_only_what_a_cache_can_t_hold_counts() -> None:
    assert counted(cache_bytes=3 * N) == 4 * N
    assert counted(cache_bytes=4 * N) == 0


def test_an_image_more_moves_what_the_layers_read_and_write() -> None:
    """Counted kernel by kernel NiN moves 74.5 MB an image; an operator of several kernels counts once here."""
    four, eight = (traffic_bytes(build(Variant(batch_size=size), Inputs(), 0), 0) for size in (4, 8))

    assert 0.85 * 74.5e6 < (eight - four) / 4 < 74.5e6


def test_a_copy_reads_and_writes() -> None:
    clock = QueueClock()
    clock.sync = lambda: clock.launch(0.5, 0)  # type: ignore[method-assign]

    assert copy_bytes_per_s(torch.device("cpu"), clock, 4000) == pytest.approx(2 * 8 * 4000 / 0.5)
