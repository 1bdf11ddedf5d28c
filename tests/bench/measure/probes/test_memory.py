"""Bytes, to the byte where shapes tell them."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock

import pytest
import torch
from torch import nn

from bench.core.variants import Variant
from bench.measure.devices import cuda
from bench.measure.probes import memory
from bench.measure.workload import Workload
from bench.process import child
from nin.train import Setup
from tests.bench.measure.asking import request, values

MakeWork = Callable[..., Workload]

# Bytes an image that NiN saves for backward, from the shapes alone: a convolution its input unless a
# ReLU has saved it already, a ReLU its output, a pooling layer the place of each maximum (int64), a
# Dropout its mask (float32 on the CPU). float32 is 4 bytes, int64 is 8.
SAVED_PER_IMAGE = {
    "0.0": 1 * 224 * 224 * 4,
    "0.1": 96 * 54 * 54 * 4, "0.2": 0, "0.3": 96 * 54 * 54 * 4, "0.4": 0, "0.5": 96 * 54 * 54 * 4,
    "1": 96 * 26 * 26 * 8,
    "2.0": 96 * 26 * 26 * 4,
    "2.1": 256 * 26 * 26 * 4, "2.2": 0, "2.3": 256 * 26 * 26 * 4, "2.4": 0, "2.5": 256 * 26 * 26 * 4,
    "3": 256 * 12 * 12 * 8,
    "4.0": 256 * 12 * 12 * 4,
    "4.1": 384 * 12 * 12 * 4, "4.2": 0, "4.3": 384 * 12 * 12 * 4, "4.4": 0, "4.5": 384 * 12 * 12 * 4,
    "5": 384 * 5 * 5 * 8,
    "6": 384 * 5 * 5 * 4,
    "7.0": 384 * 5 * 5 * 4,
    "7.1": 10 * 5 * 5 * 4, "7.2": 0, "7.3": 10 * 5 * 5 * 4, "7.4": 0, "7.5": 10 * 5 * 5 * 4,
    "8": 0,
    "9": 0,
}  # fmt: skip
# Outside of the layers: the loss keeps log probabilities and labels, and the sum of weights once.
SAVED_BY_LOSS_PER_IMAGE, SAVED_BY_LOSS = 10 * 4 + 8, 4


@pytest.mark.parametrize("batch_size", [2, 3])
@pytest.mark.parametrize("memory_format", ["nchw", "nhwc"])
def test_saved_bytes_are_what_the_shapes_imply(batch_size: int, memory_format: str, real_work: MakeWork) -> None:
    work = real_work(batch_size=batch_size, memory_format=memory_format)
    expected = {layer: batch_size * size for layer, size in SAVED_PER_IMAGE.items()}
    expected["between"] = batch_size * SAVED_BY_LOSS_PER_IMAGE + SAVED_BY_LOSS

    assert expected == memory.saved_bytes(work)


def test_a_storage_that_two_layers_save_counts_for_the_first(real_work: MakeWork) -> None:
    saved = memory.saved_bytes(real_work(shape=(1, 28, 28), batch_size=4, model="tests_models:twice"))

    assert saved == {"relu": 4 * 28 * 28 * 4, "square": 0, "head": 4 * 784 * 4, "between": 4 * 48 + 4}


def test_what_layers_save_is_told_by_the_names_of_their_times(real_work: MakeWork) -> None:
    saved = memory.saved_bytes(real_work(shape=(1, 28, 28), batch_size=4, model="tests_models:odd"))
    image = 4 * 784 * 4

    assert saved == {"relu": 2 * image, "unused": 0, ".between": 0, "between": 4 * 48 + 4}


def test_parameters_gradients_and_optimizer_are_exact(real_work: MakeWork) -> None:
    samples = memory.held_and_peaks(real_work(batch_size=2))
    found = {r.metric: r.value for r in samples.rows if r.scope == "process"}

    assert found["parameter"] == found["gradient"] == 1_992_166 * 4
    assert found["optimizer"] == 1_992_166 * 8 + 24 * 4  # Adam: two moments; a step count a parameter
    held = found["parameter"] + found["gradient"] + found["optimizer"]
    assert held + found["saved"] < found["allocator_peak"] < held + 2 * found["saved"]
    assert found["process_peak"] > found["allocator_peak"]


def test_shared_storages_count_once() -> None:
    x = torch.zeros(1000)

    assert memory.storage_bytes([x, x[:10], x.view(10, 100), None, 3]) == 4000


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux resets a peak")
def test_a_peak_is_of_the_time_since_the_reset() -> None:
    cpu = torch.device("cpu")
    big = torch.ones(64 * 2**20 // 4)
    before = memory.process_peak_bytes(cpu)
    del big
    memory.reset_peak(cpu)
    after = memory.process_peak_bytes(cpu)
    assert before
    assert after
    assert before - after > 48 * 2**20
    again = torch.ones(64 * 2**20 // 4)
    grown = memory.process_peak_bytes(cpu)

    assert len(again)
    assert grown
    assert 48 * 2**20 < grown - after < 80 * 2**20


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux resets a peak")
def test_a_process_grows_by_one_to_two_times_what_an_added_image_saves() -> None:
    """In fresh processes, as a run measures it: memory that an earlier step left would hide the growth.

    A process's peak varies by tens of MiB from one to the next, so that the batches must lie far apart.
    """
    peaks = {}
    for batch_size in (4, 32):
        variant = Variant(batch_size=batch_size)
        asked = request("memory", None, model=variant.model, batch_size=batch_size)
        reply = child.ask(asked, child.environment_of(variant, {}, Path()), limit_s=300)
        assert reply.ok, reply.reason
        [peaks[batch_size]] = values(reply.samples, "process_peak", "process")
    growth = (peaks[32] - peaks[4]) / 28
    saved = sum(SAVED_PER_IMAGE.values()) + SAVED_BY_LOSS_PER_IMAGE

    assert saved <= growth <= 2 * saved


@pytest.mark.parametrize(("own", "expected"), [(12, 12), (None, 20)])
def test_on_cuda_the_process_s_own_bytes_count_where_nvml_tells_them(
    own: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 30 bytes 10 are free: 20 are in use by all processes."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (10, 30))
    monkeypatch.setattr(cuda, "Gpu", lambda _device: SimpleNamespace(used_bytes=lambda: own))

    assert memory.process_peak_bytes(torch.device("cuda")) == expected


@pytest.mark.parametrize(("compile_mode", "allocator_peak"), [("inductor", 5), ("reduce-overhead", None)])
def test_on_cuda_the_peaks_begin_behind_the_warm_up(
    compile_mode: str, allocator_peak: int | None, monkeypatch: pytest.MonkeyPatch, fake_work: Workload
) -> None:
    """A replay of CUDA graphs allocates nothing, so it has no peak."""
    asked: list[str] = []
    device = torch.device("cuda")
    answers = {
        "synchronize": None, "reset_peak_memory_stats": None, "max_memory_allocated": 5, "max_memory_reserved": 7,
        "mem_get_info": (10, 30),
    }  # fmt: skip

    def answering(name: str, answer: object) -> Callable[[object], object]:
        def spied(_device: object) -> object:
            asked.append(name)
            return answer

        return spied

    for name, answer in answers.items():
        spy = mock.create_autospec(getattr(torch.cuda, name), side_effect=answering(name, answer))
        monkeypatch.setattr(torch.cuda, name, spy)
    fake_work.trainer = cast(
        "Any",
        SimpleNamespace(
            model=nn.Linear(2, 2), setup=Setup(device=device), optimizer=SimpleNamespace(state={}),
            step=lambda _x, _y: asked.append("step"),
        ),
    )  # fmt: skip
    fake_work.variant = Variant(device="cuda", compile_mode=compile_mode)
    found = {r.metric: r.value for r in memory.held_and_peaks(fake_work).rows}

    assert asked[:6] == ["step"] * 3 + ["synchronize", "reset_peak_memory_stats", "step"]
    assert (found.get("allocator_peak"), found["reserved"], found["process_peak"]) == (allocator_peak, 7, 20)
    assert found["parameter"] == 24


def test_inference_holds_parameters_and_neither_gradients_nor_saved_activations(real_work: MakeWork) -> None:
    work = real_work(batch_size=2, mode="infer")
    held = {row.metric: row.value for row in memory.held_and_peaks(work).rows}

    assert held["parameter"] == sum(4 * p.numel() for p in work.trainer.model.parameters())
    assert (held["gradient"], held["optimizer"]) == (0, 0)
    assert "saved" not in held
