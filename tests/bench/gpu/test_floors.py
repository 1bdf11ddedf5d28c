"""What a step must read and write, counted operator by operator."""

import pytest
import torch

from bench.gpu.floors import Traffic, copy_bytes_per_s, traffic_bytes
from bench.measure.workload import Inputs, build
from bench.variants import Variant
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


def test_a_step_of_nin_moves_what_its_layers_do() -> None:
    """Forward alone writes 2.2 MB an image behind the first convolution and its two 1x1 ones, six times."""
    work = build(Variant(batch_size=4), Inputs(), 0)
    per_image = (traffic_bytes(work, 0) - 8 * 4 * 7_968_664) / 4

    assert 50e6 < per_image < 100e6


def test_a_copy_reads_and_writes() -> None:
    clock = QueueClock()
    clock.sync = lambda: clock.launch(0.5, 0)  # type: ignore[method-assign]

    assert copy_bytes_per_s(torch.device("cpu"), clock, 4000) == pytest.approx(2 * 8 * 4000 / 0.5)
