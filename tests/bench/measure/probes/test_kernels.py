"""What a step called is told by leaf, and copies into another layout or type are counted."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import torch
from torch.profiler import ProfilerActivity, profile

from bench.measure.clock import HostClock
from bench.measure.probes import kernels
from bench.measure.probes.trace import traced_step
from bench.measure.workload import Workload

MakeWork = Callable[..., Workload]


def event(name: str, self_time: float = 0.0, device: tuple[tuple[str, float], ...] = (), *inner: Any) -> Any:  # noqa: ANN401
    """An event of a profile, with kernels of (name, duration) and events inside."""
    found = [SimpleNamespace(name=n, duration=d) for n, d in device]
    return SimpleNamespace(name=name, self_cpu_time_total=self_time, kernels=found, cpu_children=list(inner))


def test_the_operator_that_ran_longest_by_itself_is_named() -> None:
    inner = event("aten::convolution", 1.0, (), event("aten::mkldnn_convolution", 9.0), event("aten::empty", 2.0))

    assert kernels.heaviest([event("layer 0.0 forward", 3.0, (), inner)]) == {"0.0": "aten::mkldnn_convolution"}


def test_a_device_s_kernel_goes_before_the_operator() -> None:
    launched = (("nchwToNhwcKernel", 2.0), ("sm80_xmma_fprop", 7.0))
    inner = event("aten::cudnn_convolution", 9.0, launched)

    assert kernels.heaviest([event("layer 0.0 forward", 3.0, (), inner)]) == {"0.0": "sm80_xmma_fprop"}


def test_convolutions_of_a_real_step(real_work: MakeWork) -> None:
    work = real_work(batch_size=4)
    found = kernels.heaviest(kernels.forward_events(work))
    convolutions = [found[path] for path in ("0.0", "0.2", "2.0", "7.4")]

    assert all("conv" in name or name in ("aten::mm", "aten::addmm") for name in convolutions)
    assert {"conversions": 0, "casts": 0} == kernels.copies_of(work)


def test_conversions_and_casts_are_counted() -> None:
    x = torch.ones(2, 3, 4, 4)
    copies = kernels.Copies()
    with copies:
        nhwc = x.contiguous(memory_format=torch.channels_last)
        nhwc.clone()
        x.copy_(nhwc)
        nhwc.contiguous().bfloat16().float()
        torch.arange(3).float()

    assert copies.counts == {"conversions": 3, "casts": 2}  # a whole number that becomes a float was no float


def test_every_leaf_has_one_range_of_its_forward(real_work: MakeWork) -> None:
    work = real_work(batch_size=2)
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        traced_step(work, HostClock())
    names = [
        e.name for e in cast("Any", profiler.events()) if e.name.startswith("layer ") and e.name.endswith("forward")
    ]

    assert names[:2] == ["layer 0.0 forward", "layer 0.1 forward"]
    assert len(names) == 30


def test_casts_of_inference_are_those_of_the_image_and_of_each_weight(real_work: MakeWork) -> None:
    """Under inference_mode torch shows a mode `to` itself, and not the copy that it makes."""
    work = real_work(batch_size=2, mode="infer", precision="bf16")

    assert kernels.copies_of(work) == {"conversions": 0, "casts": 1 + len(list(work.trainer.model.parameters()))}


def test_kernels_of_inference_are_found(real_work: MakeWork) -> None:
    by_layer = kernels.heaviest(kernels.forward_events(real_work(batch_size=2, mode="infer")))

    assert "conv" in by_layer["0.0"]
