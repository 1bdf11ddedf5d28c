"""Several ranks: their id, their baseline, and where they can't be measured."""

from dataclasses import replace

import pytest

from bench.core.axes.place import Cuda, Device, Machine
from bench.core.axes.world_size import NOT_DIVIDED
from bench.core.variants import Variant, VariantError, parse_id
from bench.plan.matrix import Entry, excluded_reason, matrix
from bench.run.prepare.machine import exclusions
from tests.bench.core.test_device import PYPI

TWO = Variant(world_size=2)
GPU = Device(capability=(9, 0))
MACHINE = Machine(cxx_compiler=True, c_compiler=True, python_headers=True)


def test_ranks_are_in_an_id_and_their_baseline_has_one() -> None:
    assert (TWO.id, parse_id(TWO.id)) == ("cpu-default-nchw-eager-b32-w2", TWO)
    assert (TWO.baseline, TWO.is_baseline) == (Variant(), False)
    assert [entry.variant.id for entry in matrix("look", ["cpu"], ["world_size=1,2", "batch_size=8"])][:2] == [
        "cpu-default-nchw-eager-b8", "cpu-default-nchw-eager-b8-notebook-syncstep",
    ]  # fmt: skip
    assert [e.variant.id for e in matrix("look", ["cpu"], variant_ids=[TWO.id])] == [Variant().id, TWO.id]


@pytest.mark.parametrize("text", ["0", "two", "-1", ""])
def test_ranks_are_a_number(text: str) -> None:
    with pytest.raises(VariantError):
        parse_id(f"cpu-default-nchw-eager-b32-w{text}")


@pytest.mark.parametrize(
    ("axes", "reason"),
    [
        ({}, ""),
        ({"compile_mode": "inductor"}, "a compiled model is measured in one process alone"),
        ({"loader": "workers"}, "a loader with processes of its own is measured in one process alone"),
        ({"batch_size": "max"}, "the largest batch is measured in one process alone"),
        ({"mode": "infer"}, "inference has no gradients to average: world_size=2 changes nothing"),
        ({"device": "cuda"}, "2 ranks take 2 CUDA devices from cuda on, there are 1"),
    ],
)
def test_why_ranks_can_t_be_measured(axes: dict[str, str], reason: str) -> None:
    one = replace(MACHINE, cuda=Cuda(devices=(GPU,), architectures=PYPI))

    assert excluded_reason(replace(TWO, **axes), one) == reason  # type: ignore[arg-type] # axes of text
    assert excluded_reason(replace(TWO, **axes, world_size=1), one) == ""  # type: ignore[arg-type]


def test_each_rank_has_a_cuda_device_of_its_own() -> None:
    two = replace(MACHINE, cuda=Cuda(devices=(GPU, GPU), architectures=PYPI))

    assert excluded_reason(replace(TWO, device="cuda"), two) == ""
    assert excluded_reason(replace(TWO, device="cuda:1"), two) == (
        "2 ranks take 2 CUDA devices from cuda:1 on, there are 1"
    )


def test_a_task_is_trained_by_one_process_alone() -> None:
    entries = [Entry(variant=Variant()), Entry(variant=TWO)]

    assert exclusions(entries, MACHINE, of_task=True) == {Variant().id: "", TWO.id: NOT_DIVIDED}
    assert exclusions(entries, MACHINE, of_task=False) == {Variant().id: "", TWO.id: ""}
