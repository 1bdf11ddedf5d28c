"""What bounds a step on CUDA, and the words on launch gaps."""

import re
from pathlib import Path

import pytest

from bench.analyse import tables
from bench.analyse.load import load
from bench.report import pages
from bench.report.outcome import bound
from bench.report.render import markdown
from tests.bench.report.made_up import GPU, MakeRun

QUEUED = {"dispatch": 0.0125, "backlog": 0.02}
"""A stamped step takes the device 10.1 ms here, so it waits for 2.4 ms."""


@pytest.mark.parametrize(
    ("variant_id", "metrics", "sentence"),
    [
        (GPU, QUEUED, "12.5 ms of a step of 10.0 ms, so the device waits for the host for 2.40 ms of it."),
        (GPU, QUEUED | {"dispatch": 0.0105}, ""),  # it waits for 0.4 ms
        (GPU, {"dispatch": 0.0095}, ""),  # no backlog held: the host waited, or its queue was full
        (f"{GPU}-syncstep", {"dispatch": 0.0095}, "9.50 ms of a step of 10.0 ms, so its layers' times are mostly gaps"),
        (f"{GPU}-notebook", {"dispatch": 0.0095}, "9.40 ms of a step of 10.0 ms, so its layers' times are mostly gaps"),
    ],
)
def test_a_launch_bound_variant_is_labelled(
    variant_id: str, metrics: dict[str, float], sentence: str, make_run: MakeRun, tmp_path: Path
) -> None:
    data = load(make_run({(variant_id, "A"): [0.01] * 8}, metrics={variant_id: metrics}))
    page = pages.write(data, tmp_path).path.read_text()

    assert ("is launch-bound**: giving the device its work takes " in page) == bool(sentence)
    assert sentence in page


@pytest.mark.parametrize(
    ("dispatch_s", "sentence"),
    [
        (
            0.006,
            "**Bound by the device's own work, each step given sooner than done**: baseline (given in 6.00 ms, done",
        ),
        (0.0105, "**Host and device about even**: baseline (given in 10.5 ms, done in 10.0 ms)."),
        (0.0125, "launch-bound"),
    ],
)
def test_the_page_says_what_bounds_a_step_if_launch_gaps_are_known(
    dispatch_s: float, sentence: str, make_run: MakeRun
) -> None:
    data = load(make_run({(GPU, "A"): [0.01] * 8}, metrics={GPU: QUEUED | {"dispatch": dispatch_s}}))
    text = markdown.text(bound.blocks(data, tables.steps(data)))

    assert sentence in text
    assert 1 == text.count("**:")


def test_a_step_that_makes_its_batch_on_the_host_is_bound_by_that_and_not_by_launches(
    make_run: MakeRun, tmp_path: Path
) -> None:
    loop = f"{GPU}-notebook"
    folder = make_run({(loop, "A"): [0.01] * 8}, metrics={loop: {"dispatch": 0.0095}})
    rows = (folder / "samples.csv").read_text().splitlines()
    in_data = re.compile(r"(,phase,,data,,wall,.*),0\.0001$")
    assert sum(map(bool, map(in_data.search, rows))) == 8
    (folder / "samples.csv").write_text("\n".join(in_data.sub(r"\1,0.007", row) for row in rows) + "\n")

    assert "launch-bound" not in pages.write(load(folder), tmp_path).path.read_text()


def test_steps_that_were_stamped_from_an_idle_device_are_named_beside_those_after_a_backlog(
    make_run: MakeRun,
) -> None:
    loop = f"{GPU}-notebook"
    data = load(make_run({(GPU, "A"): [0.01] * 8, (loop, "V"): [0.02] * 8}, metrics={GPU: QUEUED}))
    (words,) = bound.gap_words(data, tables.steps(data))

    assert words.endswith(" Not so for PIL images: stamped from an idle device, their parts hold such gaps.")
    assert bound.gap_words(data, tables.steps(data)[1:]) == []
