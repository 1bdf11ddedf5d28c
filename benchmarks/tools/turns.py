"""Versions of the workload that take turns value by value, as the arms of `bench run` and `bench ab` do.

The harness's own workers need PyTorch, which takes seconds to start. So this is the same scheme around layer.py: all
processes of a round are alive, and all but one are stopped, since the idle threads of a BLAS may spin.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO, cast

HERE = Path(__file__).parent


class Version:
    """A fresh process of the workload that has warmed up and is stopped."""

    def __init__(self, calls: int) -> None:
        """Starts the process for the version with that many calls."""
        self.process = subprocess.Popen(
            [sys.executable, "layer.py"],
            cwd=HERE,
            env=os.environ | {"CALLS": str(calls)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def settle(self) -> None:
        """Waits for the end of the warm-up, then stops the process."""
        self._answer()

    def value_s(self) -> float:
        """The seconds of one value, for which the process runs."""
        os.kill(self.process.pid, signal.SIGCONT)
        question = cast("IO[str]", self.process.stdin)
        question.write("\n")
        question.flush()
        return float(self._answer())

    def end(self) -> None:
        """Kills the process."""
        self.process.kill()
        self.process.communicate()

    def _answer(self) -> str:
        line = cast("IO[str]", self.process.stdout).readline()
        os.kill(self.process.pid, signal.SIGSTOP)
        return line


def values_s(versions: Iterable[int], count: int, rng: random.Random) -> list[list[float]]:
    """The seconds of `count` values of each version, given by its calls; each cycle has a random order."""
    with contextlib.ExitStack() as stack:
        alive = [Version(calls) for calls in versions]
        for version in alive:
            stack.callback(version.end)
        for version in alive:
            version.settle()
        seconds: list[list[float]] = [[] for _ in alive]
        for _ in range(count):
            for place in rng.sample(range(len(alive)), len(alive)):
                seconds[place].append(alive[place].value_s())
        return seconds
