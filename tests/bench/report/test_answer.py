"""The answer of a report: the fastest variant, what it is compared with, and how to switch it on."""

import re
from pathlib import Path

from bench.analyse import tables
from bench.analyse.load import RunData, load
from bench.report import pages
from bench.report.answer import answer
from bench.report.render import markdown
from tests.bench.report.made_up import B64, BASE, BEST, BF16, KEPT, NOTEBOOK, MakeRun, around


def test_the_answer_is_the_fastest_with_what_gives_it(full_run: RunData) -> None:
    text = markdown.text(answer.blocks(full_run, tables.steps(full_run)))

    assert re.search(r"\*\*nhwc \+ inductor \+ kept\*\* trains 35\.\d images/s: 1\.8\d \[.*\] times the notebook", text)
    assert "the verdict is FASTER" in text
    assert "torch.compile(model, dynamic=False)" in text
    assert "export MALLOC_TRIM_THRESHOLD_=100000000000" in text
    assert "--memory-format nhwc --compile-mode inductor --batch-size 32" in text


def test_what_was_faster_in_the_pilot_alone_is_named_with_the_way_to_measure_it(make_run: MakeRun) -> None:
    for pilot_s, shown in ((0.5, True), (2.0, False)):
        folder = make_run(
            {(BASE, "A"): around(1.6, 0), (BEST, "V"): around(1.0, 2), (BF16, "V"): [pilot_s]}, name=f"run{shown}"
        )
        data = load(folder)
        text = markdown.text(answer.blocks(data, tables.steps(data)))

        assert ("In the pilot bf16 was faster**: 64.0 images/s, this one 32.0" in text) == shown
        command = "nox -s bench -- --variant cpu-default-nhwc-eager-b32-kept --variant cpu-bf16-nhwc-eager-b32-kept"
        assert (command in text) == shown


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


def test_the_faster_of_two_alike_arms_is_named_so(make_run: MakeRun, tmp_path: Path) -> None:
    data = load(make_run({(BASE, "A"): [2.0] * 10, (BASE, "A'"): [1.0] * 10}))
    page = pages.write(data, tmp_path).path.read_text()

    assert "measured twice in every round, as A and A'; A' was 2.00" in page
    assert "The same code compared with itself (baseline): A' was 2.000" in page
