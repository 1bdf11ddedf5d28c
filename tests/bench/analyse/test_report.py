"""A report from made-up numbers: what it says, in which order, and that it says it of the data."""

import json
import math
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.analyse import tables
from bench.analyse.labels import label, name_of
from bench.analyse.load import RunData, load
from bench.core.variants import AXES, DEFAULTS, as_row, parse_id
from bench.report import pages
from bench.report.outcome import advice, answer, bound
from bench.report.render import markdown

BASE = "cpu-default-nchw-eager-b32"
NOTEBOOK = "cpu-default-nchw-eager-b32-notebook-syncstep"
KEPT = "cpu-default-nchw-eager-b32-kept"
BEST = "cpu-default-nhwc-eager-b32-kept"
COMPILED = "cpu-default-nhwc-inductor-b32-kept"
BF16 = "cpu-bf16-nchw-eager-b32"
GPU = "cuda-default-nchw-eager-b128"
LARGEST = "cpu-default-nchw-eager-bmax"
ONE = "cpu-default-nchw-eager-b32-t1"
B64 = "cpu-default-nchw-eager-b64"
GATE = {"loss_error": 1e-7, "score_error": 4e-7, "score_bound": 3e-6, "gradient_error": 1e-3, "gradient_bound": 8e-3,
        "live_logits": 5}  # fmt: skip
MakeRun = Callable[..., Path]
TOLD_IN_PYTHON = ("precision", "memory_format", "compile_mode", "loader", "sync", "optimizer", "cudnn_benchmark")
GOLDEN = Path(__file__).parent / "golden.md"


def around(step_s: float, phase: int) -> list[float]:
    """A pilot and nine rounds that swing by 1 %."""
    return [step_s, *(step_s * (1 + 0.01 * ((phase + 4 * i) % 9 - 4) / 4) for i in range(9))]


@pytest.fixture
def data(make_run: MakeRun) -> RunData:
    folder = make_run(
        {
            (BASE, "A"): around(1.6, 0), (BASE, "A'"): around(1.6, 3), (NOTEBOOK, "V"): around(1.7, 1),
            (KEPT, "V"): around(1.2, 5), (BEST, "V"): around(1.0, 2), (COMPILED, "V"): around(0.9, 7),
            (BF16, "V"): [16.0], (LARGEST, "A"): [6.0], (ONE, "V"): around(2.4, 6), (B64, "A"): around(3.1, 4),
            (B64, "A'"): around(3.1, 8),
        },
        metrics={BASE: {"page_faults": 1e5, "cpu_system": 0.5, "cpu_user": 2.5},
                 KEPT: {"page_faults": 20, "cpu_system": 0.01, "cpu_user": 2.3}},
        layers=[("0.0", "Conv2d", 0.2, 0.5), ("0.1", "ReLU", 0.1, 0.17)],
        memory={BASE: {"parameter": 2**23, "gradient": 2**23, "optimizer": 2**24, "saved": 2**27,
                       "allocator_peak": 2**28, "process_peak": 2**30}},
        failed={"cpu-default-nchw-eager-b32-hugepages": ("timeout", "no reply within 900 s")},
        excluded={GPU: "no CUDA device"},
        once={
            BASE: GATE | {"loader_alone": 0.02, "compute_alone": 1.6, "conversions": 0.0, "casts": 0.0},
            NOTEBOOK: GATE | {"loader_alone": 0.1, "compute_alone": 1.6},
            BEST: GATE | {"conversions": 2.0}, COMPILED: GATE | {"graphs": 1, "graph_breaks": 0, "recompiles": 0},
            BF16: GATE | {"score_error": 8e-3, "score_bound": 0.2, "live_logits": 3, "casts": 53.0},
        },
        fits={LARGEST: {32: True, 64: True, 120: True, 128: False}},
        tried={LARGEST: [[32, 10**9], [64, 14 * 10**8], [120, 21 * 10**8], [128, None]]}, largest={LARGEST: 120},
        memory_limit_bytes={"cpu": 2**31, "cuda": None},
    )  # fmt: skip
    return load(folder)


def test_the_page_is_the_golden_one(data: RunData, tmp_path: Path) -> None:
    page = pages.write(data, tmp_path).path.read_text().replace(str(data.folder), "results/made-up")
    if os.environ.get("NIN_GOLDEN") == "write":
        GOLDEN.write_text(page)

    assert page == GOLDEN.read_text()


@pytest.mark.parametrize(("backward_share", "told"), [(0.67, False), (0.2, True)])
def test_parts_that_do_not_add_up_are_told_of(
    backward_share: float,
    told: bool,
    make_run: MakeRun,
    tmp_path: Path,
) -> None:
    arms = {(BASE, "A"): around(1.6, 0), (BASE, "A'"): around(1.6, 3)}
    folder = make_run(arms, layers=[("0", "Conv2d", 0.3, backward_share)])
    page = pages.write(load(folder), tmp_path).path.read_text()

    assert ("**Not for all variants**" in page) == told


def test_sections_come_in_the_designs_order(data: RunData, tmp_path: Path) -> None:
    page = pages.write(data, tmp_path).path.read_text()

    assert re.findall(r"^## (.*)", page, re.MULTILINE) == [
        "The answer", "Variants", "Where a step goes", "Layers", "Memory", "What bounds an epoch",
        "Threads", "Batch size", "Compiling", "Is each variant what it says?", "Failures and exclusions",
        "How it was measured", "Environment", "Again",
    ]  # fmt: skip
    for figure in re.findall(r"\((figures/[^)]+)\)", page):
        assert (tmp_path / "made-up" / figure).stat().st_size > 5000
    assert {"steps.csv", "layers.csv", "memory.csv", "numerics.csv"} == {
        p.name for p in (tmp_path / "made-up" / "tables").iterdir()
    }


def test_writing_it_again_changes_nothing(data: RunData, tmp_path: Path) -> None:
    pages.write(data, tmp_path)
    first = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and "made-up" in str(p)}
    pages.write(data, tmp_path)

    assert first == {p: p.read_bytes() for p in first}


def test_the_answer_is_the_fastest_with_what_gives_it(data: RunData) -> None:
    text = markdown.text(answer.blocks(data, tables.steps(data)))

    assert re.search(r"\*\*nhwc \+ inductor \+ kept\*\* trains 35\.\d images/s: 1\.8\d \[.*\] times the notebook", text)
    assert "the verdict is FASTER" in text
    assert "torch.compile(model, dynamic=False)" in text
    assert "export MALLOC_TRIM_THRESHOLD_=100000000000" in text
    assert "--memory-format nhwc --compile-mode inductor --batch-size 32" in text


def test_what_was_faster_in_the_pilot_alone_is_told_with_the_way_to_measure_it(make_run: MakeRun) -> None:
    for pilot_s, told in ((0.5, True), (2.0, False)):
        folder = make_run(
            {(BASE, "A"): around(1.6, 0), (BEST, "V"): around(1.0, 2), (BF16, "V"): [pilot_s]}, name=f"run{told}"
        )
        data = load(folder)
        text = markdown.text(answer.blocks(data, tables.steps(data)))

        assert ("In the pilot bf16 was faster**: 64.0 images/s, this one 32.0" in text) == told
        command = "nox -s bench -- --variant cpu-default-nhwc-eager-b32-kept --variant cpu-bf16-nhwc-eager-b32-kept"
        assert (command in text) == told


def test_the_answer_names_what_is_invalid_and_that_the_fastest_is_not_gated(make_run: MakeRun) -> None:
    folder = make_run(
        {(BASE, "A"): around(1.6, 0), (BEST, "V"): around(1.0, 2)},
        failed={BF16: ("invalid", "the output of 3 is off by a factor")},
        once={BEST: {"not_gated": 1.0}},
    )
    path = folder / "trials.csv"
    lines = path.read_text().splitlines()
    reason, status = (lines[0].split(",").index(name) for name in ("reason", "status"))
    for at, line in enumerate(lines):
        fields = line.split(",")
        if BEST in fields and fields[status] == "ok":
            lines[at] = ",".join([*fields[:reason], "the model draws at random", *fields[reason + 1 :]])
    path.write_text("\n".join(lines) + "\n")
    data = load(folder)
    text = markdown.text(answer.blocks(data, tables.steps(data)))

    assert "It is **not gated**: the model draws at random. So compare its accuracy with the baseline's." in text
    assert "**bf16** is INVALID, so it has no speed: the output of 3 is off by a factor." in text


def test_without_a_complete_round_there_is_no_answer_and_it_says_so(make_run: MakeRun) -> None:
    data = load(make_run({(BASE, "A"): [1.6], (BEST, "V"): [1.0]}))
    text = markdown.text(answer.blocks(data, tables.steps(data)))

    assert text.startswith("No round was completed, so there is no answer: the pilot has one trial of each variant.")


def test_of_a_pilot_taken_twice_the_later_counts(make_run: MakeRun) -> None:
    """As in a damaged file; a whole run takes it once."""
    folder = make_run({(BASE, "A"): around(1.6, 0), (BEST, "V"): around(1.0, 2), (BF16, "V"): [0.5]})
    trials = (folder / "trials.csv").read_text()
    (trial,) = [line for line in trials.splitlines() if BF16 in line]
    first, second = trial.split(",")[0], "t99999"
    samples = [line for line in (folder / "samples.csv").read_text().splitlines() if line.startswith(first)]
    with (folder / "trials.csv").open("a") as file:
        file.write(trial.replace(first, second) + "\n")
    with (folder / "samples.csv").open("a") as file:
        file.writelines(line.replace(first, second).replace(",0.5", ",0.25") + "\n" for line in samples)
    data = load(folder)
    text = markdown.text(answer.blocks(data, tables.steps(data)))

    assert "In the pilot bf16 was faster**: 128 images/s, this one 32.0" in text


def test_page_faults_are_named_the_cause_only_where_the_numbers_say_so(data: RunData) -> None:
    steps = tables.steps(data)
    [told] = advice.page_fault_sentences(data, steps)
    assert "100,000 minor page faults (391 MiB mapped, some of it several times) and 500 ms of system time" in told
    assert "it takes 20 and 10.0 ms. **The page faults are the cause of 25 % [" in told

    for verdict, end in (
        ("UNDECIDED", "these rounds do not settle whether the step is shorter for it."),
        ("SAME", "they cost nothing that matters here."),
        ("SLOWER", "they are not what costs here."),
    ):
        assert advice.page_fault_sentences(data, steps.assign(verdict=verdict))[0].endswith(end)
    for faults in (1e5, 0.0):  # still there under `kept`; or never there
        assert advice.page_fault_sentences(data, steps.assign(page_faults=faults)) == []


def test_break_even_is_the_cost_over_the_gain(data: RunData) -> None:
    row = advice.break_even(data, tables.steps(data)).iloc[0]

    # Cold costs two made-up steps of 0.9 s, and each step gains 0.1 s.
    assert row.cold_steps == pytest.approx(18, rel=0.1)
    assert advice.repaid(30.0, 0.1) == pytest.approx(300)
    assert advice.repaid(30.0, -0.1) == math.inf


def test_a_gain_that_is_not_settled_repays_nothing(make_run: MakeRun) -> None:
    data = load(make_run({(BEST, "V"): around(1.0, 2), (COMPILED, "V"): around(1.0, 7)}))

    assert math.isnan(advice.break_even(data, tables.steps(data)).iloc[0].cold_steps)


def test_labels_say_what_differs(data: RunData) -> None:
    told = [label(data, v) for v in (BASE, NOTEBOOK, KEPT, COMPILED, BF16)]

    assert told == ["baseline", "notebook's loop", "kept", "nhwc + inductor + kept", "bf16"]


def test_labels_tell_the_batch_where_there_are_several(make_run: MakeRun) -> None:
    other = "cpu-default-nchw-eager-b64-t2"
    data = load(make_run({(BASE, "A"): [1.0], (other, "V"): [1.0]}))

    assert [label(data, v) for v in (BASE, other)] == ["baseline", "2 threads (batch 64)"]


def test_batches_are_drawn_where_there_are_several(make_run: MakeRun, tmp_path: Path) -> None:
    sizes = {(f"cpu-default-nchw-eager-b{b}", "A"): [b / 20] * 8 for b in (8, 16, 32)}
    data = load(make_run(sizes))
    page = pages.write(data, tmp_path).path.read_text()

    assert answer.families(data, tables.steps(data), "batch_size") == {"baseline": [v for v, _ in sizes]}
    assert "## Batch size" in page


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
            "threads": "unset",
        }  # fmt: skip
        changed = {(name, axes[name]) for name in TOLD_IN_PYTHON if axes[name] != DEFAULTS[name]}
        assert all(AXES[name].value(value).python_lines for name, value in changed)
        python, _ = advice.lines_of(axes)
        compile("\n".join(["if True:", *(f"    {line}" for line in python)]), text, "exec")


def test_cudnn_s_trials_are_named_and_told_how_to_switch_on(data: RunData) -> None:
    axes = as_row(parse_id("cuda-bf16-nhwc-eager-b8-cudnnbenchon"))

    assert name_of(axes, []) == "bf16 + nhwc + cudnn.benchmark"
    assert "torch.backends.cudnn.benchmark = True" in advice.lines_of(axes)[0]
    assert advice.nin_command(data.run, axes).endswith("--optimizer default --cudnn-benchmark on")
    assert "cudnn" not in advice.nin_command(data.run, axes | {"cudnn_benchmark": "off"})


def test_a_run_in_which_all_failed_has_a_page_that_says_so(make_run: MakeRun, tmp_path: Path) -> None:
    data = load(make_run({}, failed={BASE: ("error", "the worker ended with exit code 3")}))
    page = pages.write(data, tmp_path).path.read_text()

    assert "no answer" in page
    assert "the worker ended with exit code 3" in page


def test_few_rounds_are_warned_of(make_run: MakeRun, tmp_path: Path) -> None:
    data = load(make_run({(BASE, "A"): [1.0] * 8, (BASE, "A'"): [1.0] * 8, (KEPT, "V"): [0.5] * 8}))

    assert "**Only 7 rounds: a change of 10 % may go undecided.**" in pages.write(data, tmp_path).path.read_text()


def test_noise_is_said_where_the_verdicts_would_be(make_run: MakeRun, tmp_path: Path) -> None:
    data = load(make_run({(BASE, "A"): around(1, 0), (BASE, "A'"): around(1.3, 3), (KEPT, "V"): around(0.5, 1)}))

    assert (
        "**NOISY: identical code came out different, so cpu gets no verdict.**"
        in pages.write(data, tmp_path).path.read_text()
    )


def test_a_run_that_ended_before_its_first_trial_has_a_page(make_run: MakeRun, tmp_path: Path) -> None:
    folder = make_run({(BASE, "A"): []})
    page = pages.write(load(folder), tmp_path).path.read_text()

    assert "no answer" in page
    assert "0 complete rounds" in page


def test_a_reference_without_rounds_is_not_compared_with(make_run: MakeRun) -> None:
    data = load(make_run({(KEPT, "V"): around(1.0, 1)}, failed={BASE: ("oom", "no memory"), NOTEBOOK: ("oom", "")}))
    text = markdown.text(answer.blocks(data, tables.steps(data)))

    assert "images/s.\n" in text
    assert "The baseline has no rounds to compare it with" in text


def test_a_baseline_that_is_fastest_is_said_to_be_one(make_run: MakeRun) -> None:
    data = load(make_run({(BASE, "A"): around(1, 0), (BASE, "A'"): around(1, 3), (NOTEBOOK, "V"): around(1.5, 1)}))
    text = markdown.text(answer.blocks(data, tables.steps(data)))

    assert re.search(
        r"\*\*baseline\*\* trains 32\.\d images/s: 1\.\d\d \[.*\] times the notebook's loop \(9 rounds\)", text
    )
    assert "no variant came out ahead of it" in text


def test_devices_are_answered_apart_and_both_drawn(make_run: MakeRun, tmp_path: Path) -> None:
    steps = {
        (variant.format(batch), arm): around(step_s / (1 if "cpu" in variant else 20), 1)
        for variant, step_s in (("cpu-default-nchw-eager-b{}", 1.0), ("cuda-default-nchw-eager-b{}", 1.0))
        for batch in (32, 64)
        for arm in ("A", "A'")
    }
    data = load(make_run(steps, layers=[("0", "Conv2d", 0.3, 0.67)]))
    page = pages.write(data, tmp_path).path.read_text()

    assert "On **cpu**, nin:" in page
    assert "On **cuda**, nin:" in page
    assert "figures/layers.png" in page
    assert "figures/layers-2.png" in page
    assert set(answer.families(data, tables.steps(data), "batch_size")) == {"baseline (cpu)", "baseline (cuda)"}


QUEUED = {"dispatch": 0.0125, "backlog": 0.02}
"""A stamped step takes the device 10.1 ms here, so it waits for 2.4 ms."""


@pytest.mark.parametrize(
    ("variant_id", "metrics", "told"),
    [
        (GPU, QUEUED, "12.5 ms of a step of 10.0 ms, so the device waits for the host for 2.40 ms of it."),
        (GPU, QUEUED | {"dispatch": 0.0105}, ""),  # it waits for 0.4 ms
        (GPU, {"dispatch": 0.0095}, ""),  # no backlog held: the host waited, or its queue was full
        (f"{GPU}-syncstep", {"dispatch": 0.0095}, "9.50 ms of a step of 10.0 ms, so its layers' times are mostly gaps"),
        (f"{GPU}-notebook", {"dispatch": 0.0095}, "9.40 ms of a step of 10.0 ms, so its layers' times are mostly gaps"),
    ],
)
def test_a_launch_bound_variant_is_labelled(
    variant_id: str, metrics: dict[str, float], told: str, make_run: MakeRun, tmp_path: Path
) -> None:
    data = load(make_run({(variant_id, "A"): [0.01] * 8}, metrics={variant_id: metrics}))
    page = pages.write(data, tmp_path).path.read_text()

    assert ("is launch-bound**: giving the device its work takes " in page) == bool(told)
    assert told in page


@pytest.mark.parametrize(
    ("dispatch_s", "told"),
    [
        (
            0.006,
            "**Bound by the device's own work, each step given sooner than done**: baseline (given in 6.00 ms, done",
        ),
        (0.0105, "**Host and device about even**: baseline (given in 10.5 ms, done in 10.0 ms)."),
        (0.0125, "launch-bound"),
    ],
)
def test_what_bounds_a_step_is_told_where_launch_gaps_are_known(
    dispatch_s: float, told: str, make_run: MakeRun
) -> None:
    data = load(make_run({(GPU, "A"): [0.01] * 8}, metrics={GPU: QUEUED | {"dispatch": dispatch_s}}))
    text = markdown.text(bound.blocks(data, tables.steps(data)))

    assert told in text
    assert 1 == text.count("**:")


def test_a_step_that_makes_its_batch_on_the_host_is_bound_by_that_and_not_by_launches(
    make_run: MakeRun, tmp_path: Path
) -> None:
    loop = f"{GPU}-notebook"
    folder = make_run({(loop, "A"): [0.01] * 8}, metrics={loop: {"dispatch": 0.0095}})
    rows = (folder / "samples.csv").read_text().splitlines()
    in_data = re.compile(r"(,phase,,data,wall,.*),0\.0001$")
    assert sum(map(bool, map(in_data.search, rows))) == 8
    (folder / "samples.csv").write_text("\n".join(in_data.sub(r"\1,0.007", row) for row in rows) + "\n")

    assert "launch-bound" not in pages.write(load(folder), tmp_path).path.read_text()


def test_steps_that_were_stamped_from_an_idle_device_are_named_beside_those_behind_a_backlog(
    make_run: MakeRun,
) -> None:
    loop = f"{GPU}-notebook"
    data = load(make_run({(GPU, "A"): [0.01] * 8, (loop, "V"): [0.02] * 8}, metrics={GPU: QUEUED}))
    told = bound.gap_words(data, tables.steps(data))

    assert told.endswith(" Not so for PIL images: stamped from an idle device, their parts hold such gaps.")
    assert bound.gap_words(data, tables.steps(data)[1:]) == ""


def test_a_reason_with_a_bar_stays_in_its_cell(make_run: MakeRun, tmp_path: Path) -> None:
    data = load(make_run({(BASE, "A"): [1.0]}, failed={KEPT: ("error", "a | b")}))

    assert "a \\| b" in pages.write(data, tmp_path).path.read_text()


def test_another_batch_with_the_notebook_s_loop_has_an_answer_of_its_own(make_run: MakeRun) -> None:
    big, loop, best = (v.replace("b32", "b128") for v in (BASE, NOTEBOOK, BEST))
    data = load(
        make_run(
            {
                (BASE, "A"): around(1.6, 0), (NOTEBOOK, "V"): around(1.7, 1), (BEST, "V"): around(1.0, 2),
                (big, "A"): around(7.0, 3), (loop, "V"): around(7.2, 4), (best, "V"): around(4.8, 5),
                (B64, "A"): around(1.9, 6),
            }
        )
    )  # fmt: skip
    text = markdown.text(answer.blocks(data, tables.steps(data)))

    assert text.startswith("Fastest: **nhwc + kept** trains 32.0 images/s")
    assert re.search(
        r"At batch 128 the fastest is nhwc \+ kept: 26\.7 images/s, 1\.5\d \[1\.\d\d, 1\.\d\d\] times the", text
    )
    assert "Faster yet, but another recipe: baseline (batch 64), 33.7 images/s." in text


def test_a_variant_whose_trials_died_is_never_called_the_fastest(make_run: MakeRun) -> None:
    steps_s = {
        (BASE, "A"): [1.0] * 10,
        (BASE, "A'"): [1.0] * 10,
        (KEPT, "V"): [0.5] * 10,
        ("cpu-default-nhwc-eager-b32", "V"): [0.8] * 10,
    }
    data = load(make_run(steps_s, bad={(KEPT, "V", number): "error" for number in range(1, 9)}))
    text = markdown.text(answer.blocks(data, tables.steps(data)))

    assert text.startswith("Fastest: **nhwc** trains 40.0 images/s")
    assert "kept is not recommended: it was ok in 1 of 9 rounds (64.0 images/s in those)." in text


def test_where_every_variant_died_once_there_is_no_answer(make_run: MakeRun) -> None:
    steps_s = {(BASE, "A"): [1.0] * 10, (BASE, "A'"): [1.0] * 10}
    data = load(make_run(steps_s, bad={(BASE, "A", 3): "error"}))
    text = markdown.text(answer.blocks(data, tables.steps(data)))

    assert text.startswith("No variant was ok in every complete round, so there is no answer.")


def test_the_line_that_repeats_a_run_names_the_seed_of_its_order(make_run: MakeRun, tmp_path: Path) -> None:
    folder = make_run({(BASE, "A"): [1.0, 1.1], (BASE, "A'"): [1.0, 1.2]})
    whole = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(whole | {"order_seed": 4711}))
    page = pages.write(load(folder), tmp_path).path.read_text()

    assert "nox -s bench -- --order-seed 4711\n" in page
    assert "in a new random order each round (seed 4711)" in page


def test_the_page_says_whose_steps_differ_and_that_means_are_shown(make_run: MakeRun, tmp_path: Path) -> None:
    steps = {(BASE, "A"): [1.0, 1.0], (BASE, "A'"): [1.0, 1.0], (KEPT, "V"): [1.0, 1.0]}
    alike = pages.write(load(make_run(steps)), tmp_path).path.read_text()
    differ = load(make_run(steps, once={BASE: {"step_paths": 4}, KEPT: {"step_paths": 1}}, name="differ"))
    page = pages.write(differ, tmp_path).path.read_text()
    [line] = [line for line in page.splitlines() if line.startswith("**Steps differ**")]

    assert "in baseline (4 paths in a trial)" in line
    assert "means" in line
    assert "kept" not in line
    assert "Steps differ" not in alike
    assert "1 plain steps, which give the step, and in turns with them 1 stamped ones" in page
    assert "1 plain steps, which give the step, then 1 stamped ones" in alike


LAYERS = [("0.0", "Conv2d", 0.2, 0.5)]


@pytest.mark.parametrize(
    ("told", "steps", "more"),
    [
        ("it is INVALID", {(KEPT, "V"): [1.0]}, {"failed": {BASE: ("invalid", "was not")}}),
        ("its trial ran out of memory", {(KEPT, "V"): [1.0]}, {"failed": {BASE: ("oom", "no memory")}}),
        ("its trial did not end in time", {(KEPT, "V"): [1.0]}, {"failed": {BASE: ("timeout", "none")}}),
        ("its trial failed", {(KEPT, "V"): [1.0]}, {"failed": {BASE: ("error", "RuntimeError")}}),
        ("too slow for stamped ones beside the plain ones (a step takes 9.00 s)", {(BASE, "A"): [9.0]}, {}),
    ],
)
def test_a_baseline_without_a_table_of_layers_says_why(
    make_run: MakeRun, tmp_path: Path, told: str, steps: dict[tuple[str, str], list[float]], more: dict[str, object]
) -> None:
    folder = make_run(steps, layers=[] if (BASE, "A") in steps else LAYERS, **more)
    header = json.loads((folder / "run.json").read_text())
    if (BASE, "A") in steps:
        header["learned"]["counts"][BASE]["stamped"] = 0
    (folder / "run.json").write_text(json.dumps(header))
    page = pages.write(load(folder), tmp_path).path.read_text()
    layers = page.partition("## Layers")[2].partition("\n## ")[0]
    [line] = [line for line in layers.splitlines() if "has no table of layers" in line]

    assert line.startswith("**baseline** has no table of layers: ")
    assert told in line
    assert ("### kept" in layers) == ((KEPT, "V") in steps)


def test_a_fastest_variant_that_is_compiled_says_why_it_has_no_table(data: RunData, tmp_path: Path) -> None:
    page = pages.write(data, tmp_path).path.read_text()

    assert "**nhwc + inductor + kept** has no table of layers: it is compiled, which fuses layers." in page


TUNED = "cuda-default-nhwc-max-autotune-b128"


@pytest.mark.parametrize(
    ("variant_id", "capability", "told"),
    [
        (TUNED, [9, 0], True),
        (TUNED, [7, 5], False),
        (TUNED.replace("default", "bf16"), [9, 0], False),
        (TUNED.replace("max-autotune", "inductor"), [9, 0], False),
    ],
)
def test_that_max_autotune_computes_some_convolutions_in_float32_is_told(
    make_run: MakeRun, tmp_path: Path, variant_id: str, capability: list[int], told: bool
) -> None:
    card = {"cuda_devices": [{"name": "Made-up GPU", "memory_bytes": 2**34, "capability": capability}]}
    steps = {("cuda-default-nchw-eager-b128", "A"): [1.0, 1.1], (variant_id, "V"): [0.5, 0.6]}
    page = pages.write(load(make_run(steps, environment=card)), tmp_path)

    assert ("turns 1x1 convolutions into matrix products" in page.path.read_text()) is told


def test_the_page_of_a_run_without_nox_has_commands_that_need_none(make_run: MakeRun, tmp_path: Path) -> None:
    folder = make_run({(BASE, "A"): around(1.6, 0), (BEST, "V"): around(1.0, 2), (BF16, "V"): [0.5]})
    whole = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(whole | {"by_nox": False}))
    page = pages.write(load(folder), tmp_path).path.read_text()

    assert "nox" not in page
    for command in (
        "python -m bench run\n", f"python -m bench report {folder} ",
        f"python -m bench run --variant {BEST} --variant {BF16}",
    ):  # fmt: skip
        assert command.replace(BF16, "cpu-bf16-nhwc-eager-b32-kept") in page
    assert " python -m nin --device cpu" in page


def test_the_page_tells_what_is_known_of_a_gpu(make_run: MakeRun, tmp_path: Path) -> None:
    known = {"name": "Made-up GPU", "memory_bytes": 2**34, "capability": [8, 9], "multiprocessors": 58,
             "power_limit_w": 72.0, "max_sm_clock_hz": 2.04e9, "mig": False}  # fmt: skip
    facts = {"driver": "580.65.06", "triton": "3.8.0", "cudnn_benchmark": False, "cuda_devices": [known],
             "cuda_architectures": ["sm_80", "sm_90"], "gpu_processes": [1]}  # fmt: skip
    page = pages.write(load(make_run({(BASE, "A"): [1.0, 1.1]}, environment=facts)), tmp_path).path.read_text()
    rows = dict(re.findall(r"^\| ([a-z ]+?) +\| +(.*?) +\|$", page, re.MULTILINE))

    told = "Made-up GPU (16.0 GiB, capability 8.9, 58 multiprocessors, at most 72 W, at most 2040 MHz, MIG off)"
    assert rows["cuda devices"].replace("\\", "") == told
    assert (rows["driver"], rows["triton"], rows["gpu processes"]) == ("580.65.06", "3.8.0", "1")
    assert rows["cudnn benchmark"] == "False"
    assert rows["cuda architectures"].replace("\\", "") == "sm_80 sm_90"
