"""Would it do to fork workers from a process that has torch imported already? It saves the import, and it shares luck.

    python -m benchmarks.forks --servers 6 --forks 6

Each server imports torch once. Then a fork of it and a fresh process take turns, in random order: each makes NiN and
takes five steps at batch 32. Printed are, for both ways, the seconds of a process, the spread of its steps' time, and
how many different series of page faults its last steps show. The luck of a process lies in where its memory is; a fork
has the addresses of its server.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]
SETTLED = 2
"""The steps after these are compared."""


def main() -> None:
    """Take the processes of both ways in turns, and print how they differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", type=int, default=6)
    parser.add_argument("--forks", type=int, default=6)
    parser.add_argument("--role", choices=("measure", "server", "fresh"), default="measure")
    options = parser.parse_args()
    if options.role == "fresh":
        print(json.dumps(steps()))
    elif options.role == "server":
        serve()
    else:
        show(taken(options.servers, options.forks))


def steps() -> Row:
    """Seconds and page faults of five steps of NiN in this process."""
    from bench.core.variants import Variant  # noqa: PLC0415 - what a server imports before it forks
    from bench.measure.clock import HostClock  # noqa: PLC0415
    from bench.measure.timing.steps import plain_sample  # noqa: PLC0415
    from bench.measure.workload import Inputs, build  # noqa: PLC0415

    work, clock = build(Variant(), Inputs(), seed=0), HostClock()
    samples = [plain_sample(work, clock, 1) for _ in range(5)]
    return {"step_s": [s.wall_s for s in samples], "faults": [s.used.page_faults for s in samples if s.used]}


def serve() -> None:
    """Fork a process for each line that comes, and print what it prints."""
    from bench.measure import trial  # noqa: F401, PLC0415

    print(json.dumps("ready"), flush=True)
    for _ in sys.stdin:
        if not (pid := os.fork()):
            print(json.dumps(steps()), flush=True)
            os._exit(0)
        os.waitpid(pid, 0)


def taken(servers: int, forks: int) -> list[Row]:
    """A row a process, of both ways in turns."""
    chance, rows = random.Random(0), list[Row]()  # noqa: S311 - no secret
    command = [sys.executable, "-m", "benchmarks.forks", "--role"]
    here = Path(__file__).parents[1]
    for _ in range(servers):
        with subprocess.Popen(
            [*command, "server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=here
        ) as server:
            assert server.stdin is not None and server.stdout is not None  # noqa: S101, PT018
            server.stdout.readline()
            for _ in range(forks):
                for way in chance.sample(["fork", "fresh"], 2):
                    began = time.monotonic()
                    if way == "fork":
                        server.stdin.write("\n")
                        server.stdin.flush()
                        text = server.stdout.readline()
                    else:
                        text = subprocess.check_output([*command, "fresh"], text=True, cwd=here)
                    rows.append({"way": way, "took_s": time.monotonic() - began, **json.loads(text)})
            server.stdin.close()
    return rows


def show(rows: Sequence[Row]) -> None:
    """Print a line a way."""
    for way in ("fresh", "fork"):
        own = [row for row in rows if row["way"] == way]
        step_s = [statistics.median(row["step_s"][SETTLED:]) for row in own]
        spread = statistics.stdev(step_s) / statistics.mean(step_s)
        series = len({tuple(row["faults"][SETTLED:]) for row in own})
        print(
            f"{way}: {len(own)} processes of {statistics.median(row['took_s'] for row in own):.2f} s each, "
            f"a step {statistics.median(step_s):.3f} s, which varies by {100 * spread:.1f} %, "
            f"{series} different series of page faults"
        )


if __name__ == "__main__":
    main()
