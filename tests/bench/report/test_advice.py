"""Names of variants, the lines that switch them on, and what page faults and compiling cost."""

import math
from pathlib import Path

import pytest

from bench.analyse import tables
from bench.analyse.labels import label, name_of
from bench.analyse.load import RunData, load
from bench.core.variants import AXES, DEFAULTS, as_row, parse_id
from bench.report import pages
from bench.report.answer import advice
from tests.bench.report.made_up import BASE, BEST, BF16, COMPILED, KEPT, NOTEBOOK, MakeRun, around

TOLD_IN_PYTHON = ("precision", "memory_format", "compile_mode", "loader", "sync", "optimizer", "cudnn_benchmark")


def test_labels_say_what_differs(full_run: RunData) -> None:
    labels = [label(full_run, v) for v in (BASE, NOTEBOOK, KEPT, COMPILED, BF16)]

    assert labels == ["baseline", "notebook's loop", "kept", "nhwc + inductor + kept", "bf16"]


def test_labels_tell_the_batch_where_there_are_several(make_run: MakeRun) -> None:
    other = "cpu-default-nchw-eager-b64-t2"
    data = load(make_run({(BASE, "A"): [1.0], (other, "V"): [1.0]}))

    assert [label(data, v) for v in (BASE, other)] == ["baseline", "2 threads (batch 64)"]


def test_page_faults_are_named_the_cause_only_where_the_numbers_say_so(full_run: RunData) -> None:
    steps = tables.steps(full_run)
    [sentence] = advice.page_fault_sentences(full_run, steps)
    assert "100,000 minor page faults (391 MiB mapped, some of it several times) and 500 ms of system time" in sentence
    assert "it takes 20 and 10.0 ms. **The page faults are the cause of 25 % [" in sentence

    for verdict, end in (
        ("UNDECIDED", "these rounds do not settle whether the step is shorter for it."),
        ("SAME", "they cost nothing that matters here."),
        ("SLOWER", "they are not what costs here."),
    ):
        assert advice.page_fault_sentences(full_run, steps.assign(verdict=verdict))[0].endswith(end)
    for faults in (1e5, 0.0):  # still there under `kept`; or never there
        assert advice.page_fault_sentences(full_run, steps.assign(page_faults=faults)) == []


def test_break_even_is_the_cost_over_the_gain(full_run: RunData) -> None:
    row = advice.break_even(full_run, tables.steps(full_run)).iloc[0]

    # Cold costs two made-up steps of 0.9 s, and each step gains 0.1 s.
    assert row.cold_steps == pytest.approx(18, rel=0.1)
    assert advice.repaid(30.0, 0.1) == pytest.approx(300)
    assert advice.repaid(30.0, -0.1) == math.inf


def test_a_gain_that_is_not_settled_repays_nothing(make_run: MakeRun) -> None:
    data = load(make_run({(BEST, "V"): around(1.0, 2), (COMPILED, "V"): around(1.0, 7)}))

    assert math.isnan(advice.break_even(data, tables.steps(data)).iloc[0].cold_steps)


def test_every_way_to_get_a_variant_is_known() -> None:
    for text in (
        BEST,
        COMPILED,
        BF16,
        "cuda-tf32-nchw-max-autotune-b8-fused",
        "cuda-fp32-nchw-reduce-overhead-b8-workers-foreach",
        "cuda-bf16-nhwc-eager-b8-cudnnbenchon",
    ):
        variant = parse_id(text)
        axes = {"device": variant.device, "batch_size": str(variant.batch_size)} | {
            name: str(getattr(variant, name))
            for name in TOLD_IN_PYTHON
        } | {
            "allocator": variant.allocator, "model": variant.model,
            "threads": "unset", "mode": variant.mode,
        }  # fmt: skip
        changed = {(name, axes[name]) for name in TOLD_IN_PYTHON if axes[name] != DEFAULTS[name]}
        assert all(AXES[name].value(value).python_lines for name, value in changed)
        python, _ = advice.lines_of(axes)
        compile("\n".join(["if True:", *(f"    {line}" for line in python)]), text, "exec")


def test_cudnn_s_trials_are_named_with_how_to_switch_them_on(full_run: RunData) -> None:
    axes = as_row(parse_id("cuda-bf16-nhwc-eager-b8-cudnnbenchon"))

    assert name_of(axes, []) == "bf16 + nhwc + cudnn.benchmark"
    assert "torch.backends.cudnn.benchmark = True" in advice.lines_of(axes)[0]
    assert advice.nin_command(full_run.run, axes).endswith("--optimizer default --cudnn-benchmark on")
    assert "cudnn" not in advice.nin_command(full_run.run, axes | {"cudnn_benchmark": "off"})


TUNED = "cuda-default-nhwc-max-autotune-b128"


@pytest.mark.parametrize(
    ("variant_id", "capability", "warned"),
    [
        (TUNED, [9, 0], True),
        (TUNED, [7, 5], False),
        (TUNED.replace("default", "bf16"), [9, 0], False),
        (TUNED.replace("max-autotune", "inductor"), [9, 0], False),
    ],
)
def test_that_max_autotune_computes_some_convolutions_in_float32_is_said(
    make_run: MakeRun, tmp_path: Path, variant_id: str, capability: list[int], warned: bool
) -> None:
    card = {"cuda_devices": [{"name": "Made-up GPU", "memory_bytes": 2**34, "capability": capability}]}
    steps = {("cuda-default-nchw-eager-b128", "A"): [1.0, 1.1], (variant_id, "V"): [0.5, 0.6]}
    page = pages.write(load(make_run(steps, environment=card)), tmp_path)

    assert ("turns 1x1 convolutions into matrix products" in page.path.read_text()) is warned
