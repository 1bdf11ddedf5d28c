"""The trace of real steps: ranges by layer and phase, and times that agree with the probe of layers."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from msgspec.structs import asdict
from torch.profiler.profiler import _KinetoProfile

from bench.analyse.traces import trace as read
from bench.core.traces import FUSION, RAW
from bench.measure import fusion
from bench.measure.clock import HostClock
from bench.measure.leaves import leaves
from bench.measure.probes import kernels, trace
from bench.measure.samples import Samples
from bench.measure.timing import steps
from bench.measure.workload import Workload

STEPS = 3


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Samples, read.Trace, Workload]:
    """NiN at batch 32, traced."""
    from bench.core.variants import Variant
    from bench.measure.workload import Inputs, build

    folder = tmp_path_factory.mktemp("trace")
    work = build(Variant(), Inputs(), seed=0)
    steps.take_step(work)
    samples = trace.traced(work, HostClock(), STEPS, folder).samples
    return samples, read.of_file(folder / RAW, "NiN"), work


def test_each_layer_has_its_ranges_forward_and_backward(traced: tuple[Samples, read.Trace, Workload]) -> None:
    _, found, work = traced
    owners = set(zip(found.work.layer, found.work.phase, strict=True))

    assert STEPS == found.steps
    for path in leaves(work.trainer.model):
        assert (path, "forward") in owners
        assert (path, "backward") in owners
    assert {("", "data"), ("", "loss"), ("", "optimizer")} <= owners


def test_heavy_layers_take_as_long_by_the_trace_as_by_the_probe(traced: tuple[Samples, read.Trace, Workload]) -> None:
    samples, found, _ = traced
    probe = pd.DataFrame([asdict(row) for row in samples.rows if row.metric == "traced_wall" and row.scope == "layer"])
    probe_s = probe.groupby("layer")["value"].sum() / STEPS
    trace_s = found.work.groupby("layer")["seconds"].sum()
    heavy = probe_s[probe_s > 0.05 * found.step_s].drop("between", errors="ignore")

    assert len(heavy) >= 3
    for layer in heavy.index:
        assert heavy[layer] == pytest.approx(trace_s[layer], rel=0.05), layer


def test_the_parts_of_a_trace_add_up_to_its_steps(traced: tuple[Samples, read.Trace, Workload]) -> None:
    samples, found, _ = traced
    stamped_s = sum(row.value for row in samples.rows if row.metric == "stamped_wall") / STEPS

    assert 0.85 * stamped_s < found.work.seconds.sum() < found.step_s


def test_plain_steps_and_their_losses_are_told_of_the_same_process(
    traced: tuple[Samples, read.Trace, Workload],
) -> None:
    samples, _, _ = traced
    losses = [row.value for row in samples.rows if row.metric == "loss"]

    assert STEPS == len(losses)
    assert all(1.5 < loss < 3.5 for loss in losses)  # ln 10 = 2.30 before anything is learned
    assert STEPS == len([row for row in samples.rows if row.metric == "wall"])


def test_ranges_of_one_thread_lie_within_each_other_or_apart(
    real_work: Callable[..., Workload], tmp_path: Path
) -> None:
    from bench.analyse.traces import mend

    work = real_work((1, 28, 28), batch_size=4, model="tests_models:twice")
    trace.traced(work, HostClock(), 1, tmp_path)
    spans = sorted(
        (e["ts"], -e["dur"], e["name"])
        for e in mend.read(tmp_path / RAW)["traceEvents"]
        if e.get("cat") in ("user_annotation", "cpu_op")
    )
    under_way: list[float] = []
    for start, duration, name in spans:
        while under_way and under_way[-1] <= start:
            under_way.pop()
        assert not under_way or start - duration <= under_way[-1] + 1e-3, name
        under_way.append(start - duration)


@pytest.mark.parametrize("gone", ["trace.provenance_tracking_to_timeline", "get_kernel_information_jsons"])
def test_a_torch_without_book_keeping_of_kernels_is_left_as_it_was(gone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch 2.11 has neither the setting nor the function."""
    from torch import _inductor
    from torch._inductor import custom_graph_pass, debug

    assert custom_graph_pass is not None  # imported while the settings are torch's own
    trace_settings = type("Settings", (), {"__slots__": ()} if gone.startswith("trace") else {})()
    config = SimpleNamespace(
        cpp=SimpleNamespace(enable_kernel_profile=False), trace=trace_settings, post_grad_custom_post_pass=None
    )
    monkeypatch.setattr(_inductor, "config", config)
    if gone == "get_kernel_information_jsons":
        monkeypatch.delattr(debug, gone)

    assert fusion.watch() is None
    assert (config.cpp.enable_kernel_profile, config.post_grad_custom_post_pass) == (False, None)
    assert not hasattr(trace_settings, "provenance_tracking_to_timeline")


def test_an_older_profiler_may_say_that_it_clears_events(
    real_work: Callable[..., Workload], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch 2.11 does of every profile, and a warning ends a test; it is no error of ours."""
    prepare = _KinetoProfile.prepare_trace

    def older(profiler: _KinetoProfile) -> None:
        warnings.warn("Warning: Profiler clears events at the end of each cycle.", stacklevel=2)
        prepare(profiler)

    monkeypatch.setattr(_KinetoProfile, "prepare_trace", older)
    work = real_work((1, 28, 28), batch_size=4, model="tests_models:twice")

    assert kernels.heaviest(kernels.forward_events(work))


@pytest.mark.slow
def test_kernels_of_a_compiled_model_are_told_with_all_layers_that_they_cover(
    real_work: Callable[..., Workload], tmp_path: Path
) -> None:
    watch = fusion.Watch()
    work = real_work((1, 28, 28), batch_size=4, model="tests_models:honest", compile_mode="inductor")
    steps.take_step(work)
    fusion.write(watch, work.trainer.model, tmp_path)
    trace.traced(work, HostClock(), 1, tmp_path)
    kernels = json.loads((tmp_path / FUSION).read_text())
    found = read.of_file(tmp_path / RAW, "block").work
    convolutions = found[(found.name == "aten::mkldnn_convolution") & (found.phase == "forward")]
    fused = found[found.name.str.contains("cpp_fused") & (found.phase == "forward")]

    assert [["conv"], ["conv2"]] == [layers for name, layers in kernels["forward"] if "convolution" in name][:2]
    assert {"conv", "conv2"} == set(convolutions.layer)
    assert any("relu" in layers.split(", ") for layers in fused.layer)


def test_a_trace_of_inference_has_no_loss(real_work: Callable[..., Workload], tmp_path: Path) -> None:
    samples = trace.traced(real_work(batch_size=2, mode="infer"), HostClock(), 1, tmp_path).samples

    assert {row.phase for row in samples.rows} == {"", "data", "h2d", "forward", "read"}
    assert "loss" not in {row.metric for row in samples.rows}
