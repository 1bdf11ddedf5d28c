"""The page of a run as a whole: its sections in order, and what it says of made-up numbers."""

import dataclasses
import json
import os
import re
from pathlib import Path

import pytest
from msgspec import structs

from bench.analyse import tables
from bench.analyse.load import RunData, load
from bench.core.header import Ended
from bench.report import pages
from bench.report.answer import answer
from bench.report.trust import noise
from tests.bench.report.made_up import BASE, BEST, BF16, KEPT, MakeRun, around

pytestmark = pytest.mark.rendered

GOLDEN = Path(__file__).parent / "golden.md"


def test_the_page_is_the_golden_one(full_run: RunData, tmp_path: Path) -> None:
    page = pages.write(full_run, tmp_path).path.read_text().replace(str(full_run.folder), "results/made-up")
    if os.environ.get("NIN_GOLDEN") == "write":
        GOLDEN.write_text(page)

    assert page == GOLDEN.read_text()


def test_sections_come_in_the_designs_order(full_run: RunData, tmp_path: Path) -> None:
    page = pages.write(full_run, tmp_path).path.read_text()

    assert re.findall(r"^## (.*)", page, re.MULTILINE) == [
        "The answer", "Variants", "Where a step goes", "Layers", "Memory", "What bounds an epoch",
        "Threads", "Batch size", "Compiling", "Is each variant what it says?", "Failures and exclusions",
        "How it was measured", "Environment", "Reproduce",
    ]  # fmt: skip
    for figure in re.findall(r"\((figures/[^)]+)\)", page):
        assert (tmp_path / "made-up" / figure).stat().st_size > 5000
    assert {"steps.csv", "layers.csv", "memory.csv", "numerics.csv"} == {
        p.name for p in (tmp_path / "made-up" / "tables").iterdir()
    }


def test_writing_it_again_changes_nothing(full_run: RunData, tmp_path: Path) -> None:
    pages.write(full_run, tmp_path)
    first = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and "made-up" in str(p)}
    pages.write(full_run, tmp_path)

    assert first == {p: p.read_bytes() for p in first}


def test_batches_are_drawn_where_there_are_several(make_run: MakeRun, tmp_path: Path) -> None:
    sizes = {(f"cpu-default-nchw-eager-b{b}", "A"): [b / 20] * 8 for b in (8, 16, 32)}
    data = load(make_run(sizes))
    page = pages.write(data, tmp_path).path.read_text()

    assert answer.families(data, tables.steps(data), "batch_size") == {"baseline": [v for v, _ in sizes]}
    assert "## Batch size" in page


def test_a_run_in_which_all_failed_has_a_page_that_says_so(make_run: MakeRun, tmp_path: Path) -> None:
    data = load(make_run({}, failed={BASE: ("error", "the worker ended with exit code 3")}))
    page = pages.write(data, tmp_path).path.read_text()

    assert "no answer" in page
    assert "the worker ended with exit code 3" in page


def test_few_rounds_are_warned_of(make_run: MakeRun, tmp_path: Path) -> None:
    data = load(make_run({(BASE, "A"): [1.0] * 8, (BASE, "A'"): [1.0] * 8, (KEPT, "V"): [0.5] * 8}))

    assert "**Only 7 rounds: a change of 10 % may go undecided.**" in pages.write(data, tmp_path).path.read_text()


@pytest.mark.parametrize(
    ("rounds", "ended_because", "words"),
    [
        (7, "budget", "under 8 no verdict is given."),
        (8, "budget", "a change of 10 % may go undecided."),
        (8, "decided", ""),
        (10, "budget", ""),
    ],
)
def test_a_run_with_looks_is_warned_of_fewer_rounds_than_its_first(
    rounds: int, ended_because: Ended, words: str, make_run: MakeRun
) -> None:
    values = [1.0] * (rounds + 1)
    data = load(make_run({(BASE, "A"): values, (BASE, "A'"): values}, looks={"rounds": [8, 10], "error": 0.006}))
    state = structs.replace(data.run.state, ended_because=ended_because)

    assert noise.few_words(dataclasses.replace(data, run=structs.replace(data.run, state=state))) == words


def test_a_run_with_looks_says_the_level_of_its_ratios(make_run: MakeRun, tmp_path: Path) -> None:
    values = {(BASE, "A"): around(1, 0), (BASE, "A'"): around(1, 3), (KEPT, "V"): around(0.5, 1)}
    level = "those of *speedup* 98.8 %"
    pages_of = [
        pages.write(load(make_run(values, looks=looks, name=name)), tmp_path / name).path.read_text()
        for name, looks in (("with", {"rounds": [8, 10], "error": 0.006}), ("without", None))
    ]

    assert [level in page for page in pages_of] == [True, False]


def test_more_rounds_are_advised_unless_a_trial_died(make_run: MakeRun, tmp_path: Path) -> None:
    """A ratio of 1.028 [1.024, 1.032] is UNDECIDED. With a trial that died it stays so, however many rounds follow."""
    values = {(BASE, "A"): around(1, 0), (BASE, "A'"): around(1, 3), (KEPT, "V"): around(0.974, 1)}
    died = {"none": {}, "variant": {(KEPT, "V", 3): "oom"}, "baseline": {(BASE, "A", 3): "oom"}}
    pages_of = {
        name: pages.write(load(make_run(values, bad=bad, name=name)), tmp_path / name).path.read_text()
        for name, bad in died.items()
    }

    assert all("would have been seen in four runs of five" in page for page in pages_of.values())
    assert [name for name, page in pages_of.items() if "may decide it" in page] == ["none"]


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


def test_a_reason_with_a_bar_stays_in_its_cell(make_run: MakeRun, tmp_path: Path) -> None:
    data = load(make_run({(BASE, "A"): [1.0]}, failed={KEPT: ("error", "a | b")}))

    assert "a \\| b" in pages.write(data, tmp_path).path.read_text()


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

    words = "Made-up GPU (16.0 GiB, capability 8.9, 58 multiprocessors, at most 72 W, at most 2040 MHz, MIG off)"
    assert rows["cuda devices"].replace("\\", "") == words
    assert (rows["driver"], rows["triton"], rows["gpu processes"]) == ("580.65.06", "3.8.0", "1")
    assert rows["cudnn benchmark"] == "False"
    assert rows["cuda architectures"].replace("\\", "") == "sm_80 sm_90"
