"""Trials that die more often in the head are a finding, and as seldom a false one as is promised."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.analyse.ab.changes import exit_code
from bench.analyse.ab.deaths import DEATHS_LEVEL, Deaths, deaths, p_of
from bench.analyse.load import load
from bench.plan import schedule
from bench.report import pages

BASE = "cpu-default-nchw-eager-b32"
ARMS = ("A", "A'", "V")
MakeAb = Callable[..., Path]
Steps = Callable[..., Any]


def found(make_ab: MakeAb, arms: Steps, bad: dict[tuple[str, str, int], str]) -> Deaths:
    (told,) = deaths(load(make_ab(arms(12), bad=bad)))
    return told


@pytest.mark.parametrize(("count", "is_finding"), [(1, False), (3, False), (4, False), (5, True), (12, True)])
def test_deaths_of_the_head_alone_have_a_third_of_the_chance_each(
    count: int, is_finding: bool, make_ab: MakeAb, arms: Steps
) -> None:
    told = found(make_ab, arms, {(BASE, "V", number): "error" for number in range(1, count + 1)})

    assert (told.head, told.head_of, told.base, told.base_of) == (count, 12, 0, 24)
    assert told.p == pytest.approx(3.0**-count)
    assert told.more_in_head == is_finding


def test_deaths_that_both_trees_share_are_none_of_the_heads(make_ab: MakeAb, arms: Steps) -> None:
    told = found(make_ab, arms, {(BASE, arm, number): "timeout" for arm in ARMS for number in (2, 3, 4, 5, 6)})

    assert (told.head, told.base, told.p) == (5, 10, 1.0)


def test_the_p_is_that_of_every_way_the_deaths_could_have_fallen() -> None:
    dead = pd.DataFrame({"round": [1, 2, 2, 3, 4, 4, 4], "arm": ["V", "V", "A", "V", "V", "A", "A'"]})
    ways = itertools.product(*(list(itertools.combinations(ARMS, n)) for n in (1, 2, 1, 3)))
    heads = [sum("V" in fallen for fallen in way) for way in ways]

    assert p_of(dead) == pytest.approx(np.mean([count >= 4 for count in heads]))


def test_a_head_that_always_dies_is_a_line_and_an_exit_code(make_ab: MakeAb, arms: Steps, tmp_path: Path) -> None:
    page = pages.write_ab(load(make_ab(arms(7), bad={(BASE, "V", n): "error" for n in range(1, 8)})), tmp_path)

    told = "**default settings dies more often in the head**: 7 of 7 trials in the head, 0 of 14 in the base"
    assert told in page.path.read_text()
    assert exit_code(page.changes, page.deaths, strict=False) == 5


def test_one_death_is_told_and_decides_nothing(make_ab: MakeAb, arms: Steps, tmp_path: Path) -> None:
    page = pages.write_ab(load(make_ab(arms(12), bad={(BASE, "V", 3): "oom"})), tmp_path)

    assert "1 of 12 trials in the head, 0 of 24 in the base died, the last with oom" in page.path.read_text()
    assert exit_code(page.changes, page.deaths, strict=True) == 0


def flagged_share(base: float, head: float, wanted: int, draws: int = 4000) -> float:
    """How often the head is said to die more often, by the rounds that are really taken."""
    rng, count = np.random.default_rng(0), 0
    names = [(BASE, arm) for arm in ARMS]
    for _ in range(draws):
        rows: list[tuple[int, str, str, str]] = []
        while schedule.rounds_left(*schedule.tally(names, rows), wanted, repeated=True):
            number = 1 + len(rows) // 3
            chances = rng.random(3) < (base, base, head)
            rows += [(number, BASE, arm, "error" if dies else "ok") for arm, dies in zip(ARMS, chances, strict=True)]
        dead = pd.DataFrame([(r, arm) for r, _, arm, status in rows if status != "ok"], columns=["round", "arm"])
        count += len(dead) > 0 and p_of(dead) <= DEATHS_LEVEL
    return count / draws


@pytest.mark.slow
@pytest.mark.parametrize("wanted", [6, 12])
@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.9])
def test_a_head_that_dies_as_often_as_its_base_is_seldom_accused(share: float, wanted: int) -> None:
    assert flagged_share(share, share, wanted) <= 1.3 * DEATHS_LEVEL  # 4,000 draws of 1 % swing by 0.16 %


@pytest.mark.slow
@pytest.mark.parametrize(("head", "least"), [(1.0, 1.0), (0.5, 0.9)])
def test_a_head_that_dies_often_is_found(head: float, least: float) -> None:
    assert flagged_share(0.0, head, 12) >= least


def test_how_a_trial_died_is_text_and_does_nothing(make_ab: MakeAb, arms: Steps, tmp_path: Path) -> None:
    folder = make_ab(arms(12), bad={(BASE, "V", 3): "error"})
    trials = folder / "trials.csv"
    lines = trials.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if ",error," in line)
    lines[at] = lines[at].replace(",error,,,", ",error,,\\n# Owned ![x](http://evil/x.png) <b>b</b> \\x1b[31m,")
    trials.write_text("\n".join(lines) + "\n")
    page = pages.write_ab(load(folder), tmp_path)

    for text in (page.path.read_text(), page.summary):
        assert "\\x1b" in text
        assert not [bad for bad in ("\n# Owned", "![x]", "<b>", "\x1b") if bad in text]
