"""Durations in words, and lines where there is no terminal."""

from io import StringIO

import pytest
from rich.console import Console

from bench.core.progress import RunProgress, duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "0 s"), (0.4, "0 s"), (89.4, "89 s"), (90, "2 min"), (1180, "20 min"), (3600, "1 h 0 min"),
     (9000, "2 h 30 min")],
)  # fmt: skip
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_elsewhere_than_in_a_terminal_each_trial_is_a_plain_line() -> None:
    out = StringIO()
    progress = RunProgress(Console(file=out, width=40))
    progress.before("round 1 A cpu-default-nchw-eager-b32 and a long name", 2, 7, 125)
    progress.say("12/s [x]")
    progress.end()

    assert out.getvalue() == ("3/7 round 1 A cpu-default-nchw-eager-b32 and a long name, about 2 min left\n12/s [x]\n")


def test_in_a_terminal_there_is_one_line_drawn_between_trials_alone() -> None:
    out = StringIO()
    progress = RunProgress(Console(file=out, force_terminal=True, width=100))
    progress.before("pilot", 0, 7, 60)
    drawn = out.getvalue()
    progress.end()

    assert "pilot" in drawn
    assert "about 60 s left" in drawn
    assert not progress._bar.live.auto_refresh
