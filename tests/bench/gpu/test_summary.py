"""A reader sees first what is wrong, and never a rehearsal for a result."""

from bench.gpu.checks import Bounds, Check, Status
from bench.gpu.plan import STEPS
from bench.gpu.summary import page

FACTS = {"GPU": "Made-up GPU", "torch": "2.99.0"}
CHECKS = [
    Check(step="machine", check="devices", bounds=Bounds(lo=1), measured=1, status=Status.OK),
    Check(step="times", check="a | b", bounds=Bounds(hi=1), measured=2, status=Status.FAILED),
    Check(step="tests", check="the whole step", status=Status.SKIPPED, reason="without pytest"),
]


def test_what_is_wrong_comes_first_and_every_check_in_its_step() -> None:
    text = page(STEPS, CHECKS, FACTS, rehearse=False)
    headings = [line for line in text.splitlines() if line.startswith("#")]

    assert headings == [
        "# Acceptance on Made-up GPU",
        "## What is wrong",
        "## The machine",
        "## Environment and canary",
        "## Truth of times",
        "## Tests of what only a GPU shows",
    ]
    assert text.splitlines()[2] == "1 ok, 1 failed, 1 skipped."
    assert text.count("| a \\| b | at most 1 | 2 |  | failed |") == 2
    assert "| the whole step |  |  |  | skipped |  | without pytest |" in text


def test_a_rehearsal_is_called_one() -> None:
    assert page(STEPS, [], {}, rehearse=True).startswith("# Rehearsal on the CPU: this says nothing about a GPU\n")
