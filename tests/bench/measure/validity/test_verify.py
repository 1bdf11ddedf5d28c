"""A variant that did not take effect is found out."""

from collections import Counter
from collections.abc import Callable

import pytest
import torch
from torch import nn

from bench.core.exchange.cause import Cause, Fault
from bench.core.exchange.messages import LayerFacts
from bench.core.partial import shares
from bench.core.variants import Variant
from bench.measure.timing.steps import take_step
from bench.measure.validity import verify
from bench.measure.validity.effects import Effects, disturbed
from bench.measure.workload import Workload

MakeWork = Callable[..., Workload]


def reason_of(fault: Fault | None) -> str:
    return fault.reason if fault else ""


def observe(work: Workload) -> list[LayerFacts]:
    with verify.observed(work.trainer.model) as facts:
        take_step(work)
    return facts


@pytest.mark.parametrize("axes", [{}, {"memory_format": "nhwc"}, {"precision": "bf16"}, {"precision": "fp32"}])
def test_an_honest_variant_passes(axes: dict[str, str], real_work: MakeWork) -> None:
    work = real_work(batch_size=2, **axes)

    assert verify.before_steps(work) == ""
    facts = observe(work)
    assert reason_of(verify.after_steps(work.variant, facts)) == ""
    assert all(share.whole for share in [verify.weights(work), *shares(work.variant, verify.as_rows(facts))])


def test_facts_are_what_the_layers_saw(real_work: MakeWork) -> None:
    facts = {f.layer: f for f in observe(real_work(batch_size=2, memory_format="nhwc"))}

    assert facts["0.0"] == LayerFacts(
        layer="0.0", block="0", type="Conv2d", output_shape="2x96x54x54", parameters=11_712,
        memory_format="nhwc", dtype="float32", gradient_format="nhwc",
    )  # fmt: skip
    assert facts["8"].memory_format == "both"
    assert facts["9"].memory_format == ""


def test_a_layout_lost_midway_took_effect_in_part(real_work: MakeWork) -> None:
    work = real_work(batch_size=2, memory_format="nhwc")
    work.trainer.model.get_submodule("2.3").forward = lambda x: x.relu().contiguous()
    facts = observe(work)

    assert reason_of(verify.after_steps(work.variant, facts)) == ""
    # NiN has 12 convolutions, as many ReLUs and 3 poolings; its global pooling gives 1x1 planes, which tell nothing.
    found = [share.words for share in shares(work.variant, verify.as_rows(facts)) if not share.whole]
    assert found[0] == "26 of 27 image layers' outputs as nhwc"


def test_a_layout_lost_everywhere_is_found(real_work: MakeWork) -> None:
    work = real_work(batch_size=2, memory_format="nhwc")
    for module in work.trainer.model.modules():
        if isinstance(module, (nn.Conv2d, nn.ReLU, nn.MaxPool2d)):
            module.register_forward_hook(lambda _m, _x, y: y.contiguous())
    told = reason_of(verify.after_steps(work.variant, observe(work)))

    assert told == "none of 27 image layers' outputs as nhwc"


def test_a_layer_that_permutes_on_purpose_is_no_lost_layout() -> None:
    permuted = LayerFacts(
        layer="norm", block="norm", type="LayerNorm", output_shape="2x8x8x4", parameters=8,
        memory_format="nchw", dtype="float32",
    )  # fmt: skip

    assert reason_of(verify.after_steps(Variant(memory_format="nhwc"), [permuted])) == ""


def test_compiling_that_did_not_happen_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    counters: dict[str, Counter[str]] = {
        "stats": Counter(),
        "inductor": Counter(cudagraph_skips=1),
        "graph_break": Counter(),
    }
    monkeypatch.setattr("torch._dynamo.utils.counters", counters)
    inductor, overhead = (Variant(device="cuda", compile_mode=mode) for mode in ("inductor", "reduce-overhead"))

    assert verify.after_steps(inductor, []) == Fault(Cause.DID_NOT_COMPILE, "nothing was compiled")
    counters["stats"]["unique_graphs"] = 1
    assert reason_of(verify.after_steps(inductor, [])) == ""
    totals = Effects(graphs=1, graph_breaks=0, cudagraph_skips=1, steps=3, skipped=0)
    skipped = Fault(Cause.CUDA_GRAPHS_SKIPPED, "CUDA graphs were skipped")
    assert disturbed(overhead, 0.0, totals, totals) == skipped
    assert disturbed(inductor, 0.0, totals, totals) is None


def test_an_allocator_of_the_users_is_found(real_work: MakeWork, monkeypatch: pytest.MonkeyPatch) -> None:
    work = real_work(batch_size=2)
    monkeypatch.setattr(verify, "_read", lambda _path: "7f00 r-xp /usr/lib/libjemalloc.so.2")

    assert verify.before_steps(work) == "libjemalloc is loaded in place of glibc's allocator (LD_PRELOAD)"


def test_weights_that_all_lie_in_the_other_layout_are_found(real_work: MakeWork) -> None:
    work = real_work(batch_size=2, memory_format="nhwc")
    convs = [
        work.trainer.model.get_submodule(path) for path in ("2.0", "4.0", "7.0")
    ]  # others are 1x1, or of 1 channel
    told = []
    for conv in convs:
        told.append((verify.before_steps(work), verify.weights(work).words))
        conv.weight = nn.Parameter(conv.weight.detach().contiguous())

    assert told == [("", f"{got} of 3 weights as nhwc") for got in (3, 2, 1)]
    assert verify.before_steps(work) == "none of 3 weights as nhwc"


def test_autocast_that_is_off_is_found(real_work: MakeWork) -> None:
    work = real_work(batch_size=2)

    assert reason_of(verify.after_steps(Variant(precision="bf16"), observe(work))) == (
        "none of 12 computing layers in bfloat16"
    )


def test_flags_of_another_precision_are_found(real_work: MakeWork) -> None:
    work = real_work(batch_size=2, precision="fp32")
    assert verify.before_steps(work) == ""
    torch.backends.cudnn.conv.fp32_precision = "tf32"  # type: ignore[attr-defined]

    assert verify.before_steps(work) == (
        "precision fp32 asks for ieee in torch.backends.cudnn.conv.fp32_precision, which is tf32"
    )


@pytest.mark.parametrize(("asked", "has"), [("on", "off"), ("off", "on")])
def test_cudnn_s_trials_that_are_not_as_asked_are_found(asked: str, has: str, real_work: MakeWork) -> None:
    work = real_work(batch_size=2)
    work.variant = Variant(device="cuda", batch_size=2, cudnn_benchmark=asked)
    told = f"cudnn_benchmark {asked} asks for {asked == 'on'} in torch.backends.cudnn.benchmark, which is {has == 'on'}"
    for flag, expected in ((asked, ""), (has, told)):
        torch.backends.cudnn.benchmark = flag == "on"
        assert verify.before_steps(work) == expected
        assert reason_of(verify.after_steps(work.variant, [])) == expected


def test_threads_that_were_not_taken_are_found(real_work: MakeWork, one_thread: None) -> None:  # noqa: ARG001
    work = real_work(batch_size=2)
    work.variant = Variant(batch_size=2, threads=2)

    assert verify.before_steps(work) == "2 threads asked, torch has 1"


def test_kept_without_its_variables_is_found(real_work: MakeWork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    work = real_work(batch_size=2, allocator="kept")

    assert verify.before_steps(work).startswith("allocator kept needs MALLOC_TRIM_THRESHOLD_=100000000000")


@pytest.mark.parametrize(("faults", "found"), [([4e7, 5e7, 6e7], True), ([5e7, 5e7, 0], False)])
def test_kept_that_still_faults_is_found(faults: list[float], found: bool) -> None:
    fault = verify.after_steps(Variant(allocator="kept"), [], faults)
    assert (fault is not None and fault.cause is Cause.ALLOCATOR_INEFFECTIVE) == found
    assert reason_of(fault).startswith("kept took no effect: every step maps") == found
    assert verify.after_steps(Variant(), [], faults) is None


def test_an_allocator_that_was_not_loaded_is_found(real_work: MakeWork) -> None:
    work = real_work(batch_size=2, allocator="tcmalloc")

    assert verify.before_steps(work) == "tcmalloc is not loaded"


@pytest.mark.parametrize(
    ("tensor", "expected"),
    [
        (torch.zeros(2, 3, 4, 5), "nchw"),
        (torch.zeros(2, 3, 4, 5).to(memory_format=torch.channels_last), "nhwc"),
        (torch.zeros(2, 1, 4, 5), "both"),
        (torch.zeros(2, 3, 1, 1), "both"),
        (torch.zeros(2, 3, 4, 5).transpose(2, 3), "other"),
        (torch.zeros(2, 3), ""),
    ],
)
def test_memory_formats_are_told_apart(tensor: torch.Tensor, expected: str) -> None:
    assert verify.format_of(tensor) == expected
