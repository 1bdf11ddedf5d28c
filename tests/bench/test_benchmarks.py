"""The arithmetic of the benchmarks that judge the harness itself."""

import itertools
import math
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.analyse.ab.cells import Change
from bench.analyse.stats import Interval, as_ratio, exact_interval
from bench.analyse.verdicts import DELTA_CPU, verdict
from benchmarks import looks
from benchmarks.alarms import cell_words, summary
from benchmarks.answer import stage_s
from benchmarks.disturber import lengths_s
from benchmarks.lockstep import row


def test_bursts_and_pauses_last_1_to_30_s_log_uniformly() -> None:
    lengths = [length for length in itertools.islice(lengths_s(0), 4000) if length]

    assert 1 <= min(lengths) < 1.1
    assert 29 < max(lengths) <= 30
    # The median of a log-uniform law is the geometric mean of its ends. Its standard error here is 2.7 %.
    assert np.median(lengths) == pytest.approx(math.sqrt(30), rel=0.1)
    assert lengths == [length for length in itertools.islice(lengths_s(0), 4000) if length]


def test_a_seed_decides_whether_the_first_length_is_that_of_a_burst() -> None:
    pauses_first = [next(lengths_s(seed)) == 0 for seed in range(200)]

    assert 70 < sum(pauses_first) < 130


def test_a_way_is_judged_by_the_rounds_that_have_every_arm() -> None:
    values = pd.DataFrame(
        {
            "A": [1.0, 1.0, 9.0],
            "A'": [1.0, 3.0, 9.0],
            "V": [0.5, 1.0, math.nan],
            "round_s": [10.0, 30.0, 99.0],
            "samples_s": [5.0, 15.0, 1.0],
        }
    )

    # log(A / A') is 0 and -log 3; log(V / mean) is -log 2 twice. The standard deviation of 0 and x is |x| / sqrt(2).
    assert row("lockstep", values) == ["lockstep", "2", f"{math.log(3) / math.sqrt(2):.4f}", "0.0000", "2.000", "20.0",
                                       "50.0 %"]  # fmt: skip


def test_a_stage_lasts_until_the_next_trial_begins_however_long_trials_in_lockstep_say_they_took() -> None:
    began = ["10:00:00", "10:01:00", "10:01:00", "10:03:00", "10:03:30", "10:03:30"]
    trials = pd.DataFrame(
        {
            "started_at": [f"2026-01-01T{time}+00:00" for time in began],
            "duration_s": [60.0, 100.0, 100.0, 30.0, 80.0, 80.0],
            "stage": ["pilot", "race", "race", "pilot", "measure", "measure"],
        }
    )

    seconds = stage_s(trials, datetime(2026, 1, 1, 10, 5, tzinfo=UTC))

    assert seconds == {"pilot": 60 + 30, "race": 120, "measure": 90}


def cell(confirmed: str, code: str) -> dict[str, str]:
    return {"planted": "10 %", "disturbed": "no", "exit": code, "confirmed": confirmed}


def test_confirmed_words_are_counted_by_run_and_place() -> None:
    slower = Change(variant_id="v", scope="layer", layer="2.0", phase="forward", flag="SLOWER", confirmed=True,
                    ratio=Interval(estimate=0.5, lo=0.4, hi=0.6))  # fmt: skip
    step = Change(variant_id="v", flag="SLOWER", confirmed=True, ratio=Interval(estimate=0.9, lo=0.8, hi=0.95))
    both = "; ".join(map(cell_words, (step, slower)))

    counted = summary(
        [cell(both, "1"), cell(cell_words(slower), "1"), cell("optimizer FASTER 1.2", "0"), cell("", "0")]
    )

    assert both == "step SLOWER 0.900; 2.0 forward SLOWER 0.500"
    assert counted == [
        {"planted": "10 %", "disturbed": "no", "runs": 4, "exit codes": "0: 2, 1: 2", "step SLOWER": 1,
         "2.0 forward SLOWER": 2, "any SLOWER": 2, "any FASTER": 1}
    ]  # fmt: skip


@pytest.mark.parametrize("noise", ["normal, sd 2 %", "spoiled", "one arm 5 x"])
def test_simulated_runs_have_the_verdicts_and_widths_of_their_intervals(noise: str) -> None:
    """The simulation only asks whether the tests reject a shift, which is faster than to look for the interval."""
    names = {looks.SLOWER: "SLOWER", looks.FASTER: "FASTER", looks.SAME: "SAME", looks.UNDECIDED: "UNDECIDED"}
    runs = looks.trials(noise, 5, 12, looks.MIXED, np.random.default_rng(2))
    variants, controls = looks.cases(runs)
    words = looks.words(variants, controls, 0.006)
    ratios = [as_ratio(exact_interval(v, c, 0.006)) for v, c in zip(variants, controls, strict=True)]

    assert [names[word] for word in words] == [verdict(ratio, 12, DELTA_CPU) for ratio in ratios]
    for run, (logs, of_run) in enumerate(zip(runs, words.reshape(5, -1), strict=True)):
        fastest = ratios[run * len(of_run) + int(np.argmin(np.median(logs[:, looks.FIRST :], axis=0)))]
        sharp = math.sqrt(fastest.hi / fastest.lo) - 1 <= DELTA_CPU

        assert looks.is_sharp(logs, of_run, 0.006) == sharp


DOCS = Path(__file__).parents[2] / "docs" / "verdicts.md"


@pytest.mark.slow
def test_the_docs_have_the_table_of_runs_that_end_by_looks() -> None:
    """One row of it, with a tenth of its runs."""
    tolerances = (0.5, 1.5, 1, 1, 2, 5, 1, 0.3)
    [shown] = [line for line in DOCS.read_text().splitlines() if line.startswith("| normal, sd 2 % | 0")]
    measured = list(looks.table("normal, sd 2 %", 300, 2))[-1]
    cells, expected = (re.findall(r"([\d.]+)(?: %)? \|", line.partition("sd 2 %")[2]) for line in (measured, shown))

    assert len(cells) == 8
    for tolerance, cell, value in zip(tolerances, map(float, cells), map(float, expected), strict=True):
        assert cell == pytest.approx(value, abs=tolerance)
