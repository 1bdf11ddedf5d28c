"""Several ranks train one model as one process does on all of their batches together."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.core.variants import Variant
from bench.measure.ranks.averaging import Bucket, Step
from bench.measure.ranks.exchange import latest, union_s
from bench.measure.ranks.peers import ALONE, Peers
from bench.measure.workload import Inputs, build, part_of
from nin.data import random_images
from tests.bench.measure.ranks.one_step import BATCH, SHAPE

RANKS = 2
SCRIPT = Path(__file__).with_name("one_step.py")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def stepped(folder: Path, model: str, parallel: str) -> list[dict[str, Any]]:
    """What each rank had and found in one step."""
    path = os.pathsep.join([str(SCRIPT.parents[4]), str(SCRIPT.parents[1])])
    variables = os.environ | {
        "MASTER_ADDR": "localhost", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(RANKS), "PYTHONPATH": path,
        "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    started = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder), model, parallel], env=variables | {"RANK": str(rank)}
        )
        for rank in range(RANKS)
    ]
    assert [process.wait(120) for process in started] == [0] * RANKS
    return [torch.load(folder / f"rank-{rank}") for rank in range(RANKS)]


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_the_gradients_are_those_of_one_process_on_the_joint_batch(parallel: str, tmp_path: Path) -> None:
    model = "tests_models:honest"
    first, second = stepped(tmp_path, model, parallel)
    alone = build(Variant(model=model, batch_size=RANKS * BATCH), Inputs(shape=SHAPE), 0)
    alone.step([torch.cat(parts) for parts in zip(first["batch"], second["batch"], strict=True)])
    expected = [parameter.grad for parameter in alone.trainer.model.parameters()]

    assert not torch.equal(first["batch"][0], second["batch"][0])
    for own, other, joint in zip(first["gradients"], second["gradients"], expected, strict=True):
        assert torch.equal(own, other)
        torch.testing.assert_close(own, joint)
    for own, other, joint in zip(
        first["weights"], second["weights"], alone.trainer.model.state_dict().values(), strict=True
    ):
        assert torch.equal(own, other)
        torch.testing.assert_close(own, joint)
    whole_bytes = sum(parameter.nbytes for parameter in alone.trainer.model.parameters())
    held_bytes = first["held_bytes"], second["held_bytes"]
    assert (sum(held_bytes) if parallel == "fsdp" else held_bytes[0]) == whole_bytes


@pytest.mark.parametrize("ranks", [2, 3])
def test_every_image_is_one_rank_s(ranks: int) -> None:
    images = random_images((1, 2, 2), 10, 0, count=7)
    parts = [part_of(images, Peers(rank, ranks)) for rank in range(ranks)]

    assert sum(map(len, parts)) == len(images)
    rows = torch.cat([part.pixels_NCHW for part in parts]).flatten(1).tolist()
    assert sorted(rows) == sorted(images.pixels_NCHW.flatten(1).tolist())
    assert part_of(images, ALONE) is images


def test_a_process_that_trains_alone_is_its_own_only_rank() -> None:
    assert (ALONE.most(2.5), ALONE.gathered([1.0, 2.0]), ALONE.are_several) == (2.5, [[1.0, 2.0]], False)


def test_collectives_that_overlap_count_once() -> None:
    spans_ns = ((8_000, 9_000), (0, 4_000), (1_000, 3_000), (2_000, 6_000))

    assert union_s(spans_ns) == pytest.approx(7e-6)
    assert Step(buckets=[Bucket(begin, 8, end) for begin, end in spans_ns]).collective_s == pytest.approx(7e-6)


@pytest.mark.parametrize(
    ("last_ns", "expected_s"),
    [
        ((5_000, 9_000), 3e-6),  # the other began its last bucket 3 us after this one had computed everything
        ((5_000, 5_500), 0.0),  # the other was ready before this one had
    ],
)
def test_skew_is_the_wait_for_the_slowest_rank(last_ns: tuple[float, float], expected_s: float) -> None:
    step = Step(buckets=[Bucket(5_000, 8, 9_500)], computed_ns=6_000)

    [slowest_ns] = latest([[each] for each in last_ns])

    assert step.waited_s(slowest_ns) == pytest.approx(expected_s)
