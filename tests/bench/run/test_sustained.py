"""The sustained stretch of the fastest variants on CUDA."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bench.core.header import read_run
from bench.run import session
from tests.bench.run.runs import BASE, KEPT, Start, trials

CUDA, HALF = "cuda-default-nchw-eager-b128", "cuda-bf16-nchw-eager-b128"


def stretches(folder: Path) -> list[tuple[str, int]]:
    """The variants of sustained trials, and how many trials were taken before each."""
    return [(t["variant_id"], n) for n, t in enumerate(trials(folder)) if t["probes"] == "sustained"]


def test_the_fastest_on_cuda_trains_a_stretch_behind_the_rounds_and_its_baseline_in_the_pilot(start: Start) -> None:
    run = start(BASE, KEPT, CUDA, HALF)
    session.execute(run, after_pilot=lambda _: None, fastest=lambda _: [KEPT, HALF, CUDA])
    folder = run.folder.folder

    assert [variant_id for variant_id, _ in stretches(folder)] == [CUDA, HALF]
    assert stretches(folder)[1][1] == len(trials(folder)) - 1
    assert read_run(folder).state.status == "complete"


@pytest.mark.parametrize(
    ("planned", "taken"), [({"budget_s": 30.0}, False), ({"budget_s": 60.0}, True), ({"verdicts": False}, False)]
)
def test_without_time_or_verdicts_there_is_no_stretch_behind_the_rounds(
    planned: dict[str, Any], taken: bool, start: Start
) -> None:
    """Of the budget 15 s are the report's: 10 s and the 6 s in which its process starts fit into 45 s, not into 15."""
    run = start(CUDA, HALF, **planned)

    def piloted(_folder: Path) -> None:
        run.save(replace(run.learned, trial_s=run.learned.trial_s | {HALF: 6.0}))

    session.execute(run, after_pilot=piloted, fastest=lambda _: [HALF])

    assert taken == (HALF in dict(stretches(run.folder.folder)))


def test_on_the_cpu_nobody_asks_for_the_fastest(start: Start) -> None:
    run = start(BASE, KEPT)
    session.execute(run, after_pilot=lambda _: None, fastest=lambda _: pytest.fail("asked"))

    assert stretches(run.folder.folder) == []
