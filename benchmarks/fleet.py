"""Time and memory of `bench fleet` on 1,000 made-up runs, and which of the planted machines it finds.

`python -m benchmarks.fleet` writes 500 machines with two runs each, whose files are as long as those of real runs, to a
temporary folder, and calls `bench fleet`. `--noise heavy` scatters them like Student's t, `--keep FOLDER` keeps runs
and page. `rates` in place of it prints the table of docs/fleet.md: how often an alike group has a mark, and how often
slow machines are found.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from bench.analyse.fleet.outliers import DRAWN, critical, distances
from bench.analyse.fleet.tails import Tails
from benchmarks import made_fleet

SPREAD, ERROR = 0.02, 0.05
SIZES = (6, 8, 10, 20, 50, 100, 200, 500)
SLOWER = (1.08, 1.2, 1.5)
MIB = 2**20


def whole(folder: Path, noise: str, runs: int) -> None:
    """Write a fleet, call `bench fleet`, and print what that took and found."""
    planted = made_fleet.write(folder / "fleet", runs=runs, noise=made_fleet.NOISES[noise](SPREAD))
    size = sum(path.stat().st_size for path in (folder / "fleet").rglob("*.*"))
    count = sum(1 for _ in (folder / "fleet").glob("*/*/run.json"))
    print(f"{count:,} runs, {size / MIB:,.0f} MiB", flush=True)
    for options in ([], ["--heavy-tails"]):
        start = time.perf_counter()
        command = ["bench", "fleet", str(folder / "fleet"), "--out", str(folder / "reports"), *options]
        subprocess.run([sys.executable, "-m", *command], check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"bench fleet {' '.join(options)}: {seconds:.1f} s, peak {peak_mib:.0f} MiB")
        report(pd.read_csv(folder / "reports" / "fleet-fleet" / "tables" / "machines.csv"), planted)


def report(rows: pd.DataFrame, planted: dict[str, float]) -> None:
    """Print which planted machines were found, and which others were marked."""
    marked = set(rows.machine[rows.verdict.notna()])
    for factor in sorted(set(planted.values())):
        of_factor = {machine for machine, by in planted.items() if by == factor}
        print(f"  {factor:g} times as long: {len(of_factor & marked)} of {len(of_factor)} found")
    print(f"  false: {len(marked - set(planted))} of {rows.machine.nunique() - len(planted)} machines")


def rates(groups: int, seed: int) -> Iterator[list[str]]:
    """A row a size of group and rule: the shares of alike groups with a mark, and of slow machines that are found."""
    slower = [f"{100 * by - 100:.0f} % slower" for by in SLOWER]
    yield ["machines", "rule", "limit", "normal: marked", "t(4): marked", *slower]
    for n in SIZES:
        for tails in Tails:
            rng, limit = np.random.default_rng(seed), critical(n, ERROR, tails)
            alike = [share_beyond(DRAWN[noise](rng, (groups, n)), limit) for noise in Tails]
            found = [share_found(rng, groups, n, by, limit) for by in SLOWER]
            yield [str(n), tails, f"{limit:.2f}", *(f"{100 * share:.1f} %" for share in (*alike, *found))]


def share_beyond(values: np.ndarray, limit: float) -> float:
    """The share of groups in which any machine lies beyond a limit."""
    return float((np.abs(distances(values)).max(-1) >= limit).mean())


def share_found(rng: np.random.Generator, groups: int, n: int, by: float, limit: float) -> float:
    """The share of groups whose one machine that takes `by` times as long is found, if others scatter by SPREAD."""
    values = rng.standard_normal((groups, n)) * SPREAD
    values[:, 0] += np.log(by)
    return float((distances(values)[:, 0] >= limit).mean())


def main() -> None:
    """Print what was asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=("whole", "rates"), default="whole")
    parser.add_argument("--noise", choices=tuple(made_fleet.NOISES), default="normal")
    parser.add_argument("--runs", type=int, default=2, help="runs of each machine")
    parser.add_argument("--keep", type=Path, help="folder for runs and page")
    parser.add_argument("--groups", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.part == "rates":
        for row in rates(options.groups, options.seed):
            print("| " + " | ".join(row) + " |", flush=True)
    elif options.keep:
        whole(options.keep, options.noise, options.runs)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            whole(Path(scratch), options.noise, options.runs)


if __name__ == "__main__":
    main()
