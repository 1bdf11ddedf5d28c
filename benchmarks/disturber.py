"""Disturbs this machine as a neighbour does: bursts of work on one core, and pauses between them, at random.

    python -m benchmarks.disturber                     # until Ctrl-C or SIGTERM
    python -m benchmarks.disturber --seed 3 --seconds 600

Bursts and pauses last 1 to 30 s, log-uniformly. One seed gives one sequence. A burst is one process that computes in
plain Python and copies memory through the last cache. Each line has the wall clock and the monotonic clock, so that it
can be compared with a run's trials. The last line says which share of the time was in bursts.
"""

import argparse
import contextlib
import itertools
import math
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bench.process.kept import Kept

SHORTEST_S, LONGEST_S = 1.0, 30.0
COPIED_BYTES = 2**28
"""Larger than the last cache of most processors, so that a copy takes memory bandwidth from others."""
LOOPS = 500_000
"""Of plain Python after each copy: about as long as the copy."""
GRACE_S = 10.0
"""How long the disturber may take to end after SIGTERM."""
ROOT = Path(__file__).parents[1]


def main() -> None:
    """Disturb until the time is over, or a signal comes, and print which share of it was in bursts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=math.inf, help="until it is ended, if not given")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    bursts_s: list[float] = []
    began = time.monotonic()
    with contextlib.suppress(KeyboardInterrupt):
        disturb(lengths_s(options.seed), began + options.seconds, bursts_s)
    passed_s = time.monotonic() - began
    say(f"{len(bursts_s)} bursts took {sum(bursts_s):.1f} of {passed_s:.1f} s: {100 * sum(bursts_s) / passed_s:.1f} %")


def lengths_s(seed: int) -> Iterator[float]:
    """Seconds of burst, pause, burst and so on, without end. At half of all seeds the first burst has no length."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    if chance.random() < 0.5:
        yield 0.0
    while True:
        yield SHORTEST_S * (LONGEST_S / SHORTEST_S) ** chance.random()


def disturb(lengths: Iterator[float], end: float, bursts_s: list[float]) -> None:
    """Take bursts and pauses in turn until `end` of the monotonic clock. The seconds of each burst go to `bursts_s`."""
    source, target = np.ones(COPIED_BYTES, np.uint8), np.ones(COPIED_BYTES, np.uint8)
    for is_burst, length_s in zip(itertools.cycle((True, False)), lengths, strict=False):
        now = time.monotonic()
        if now >= end:
            return
        until = min(end, now + length_s)
        if not is_burst:
            time.sleep(until - now)
        elif length_s:
            with announced(len(bursts_s) + 1, bursts_s):
                work(source, target, until)


@contextlib.contextmanager
def announced(number: int, bursts_s: list[float]) -> Iterator[None]:
    """Prints when a burst begins and ends, whatever ends it, and adds its seconds to the list."""
    began = time.monotonic()
    say(f"burst {number} begins")
    try:
        yield
    finally:
        bursts_s.append(time.monotonic() - began)
        say(f"burst {number} ends after {bursts_s[-1]:.1f} s")


def work(source: np.ndarray, target: np.ndarray, until: float) -> None:
    """Keep one core busy until then, by the monotonic clock."""
    while time.monotonic() < until:
        np.copyto(target, source)
        for _ in range(LOOPS):
            pass


def say(text: str) -> None:
    """Print a line with both clocks."""
    wall = datetime.now(UTC).isoformat(timespec="milliseconds")
    print(f"{wall} {time.monotonic():.3f} s: {text}", flush=True)


@contextlib.contextmanager
def disturbed(seed: int, log: Path | None) -> Iterator[None]:
    """Disturbs the machine during this context, and writes the disturber's lines to the log; without a log, does not.

    The disturber ends with this process, in whatever way that ends.
    """
    if log is None:
        yield
        return
    command = (sys.executable, "-m", "benchmarks.disturber", "--seed", str(seed))
    with log.open("wb") as file, Kept(command, os.environ, folder=ROOT, log=file) as kept:
        try:
            yield
        finally:
            kept.send(signal.SIGTERM)
            kept.wait(GRACE_S)


if __name__ == "__main__":
    main()
