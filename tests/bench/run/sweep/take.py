"""Takes a local sweep in a folder, whose jobs are fake; goes on with it if it is there."""

import json
import sys
from pathlib import Path

from bench.core.exits import INTERRUPTED
from bench.core.sweep.record import read_sweep
from bench.run.sweep.choose import made
from bench.run.sweep.folder import SweepFolder
from bench.run.sweep.stop import Stop
from bench.run.sweep.supervisor import Supervisor
from tests.bench.run.sweep.made import asked, sweep_of

FAKE_JOB = Path(__file__).with_name("fake_job.py")


def main(folder: Path, wanted: str) -> None:
    whole = asked(cluster="local", **json.loads(wanted))
    there = (folder / "s" / "sweep.json").is_file()
    sweep = read_sweep(folder / "s") if there else sweep_of(whole)
    opened = SweepFolder(folder / "s") if there else SweepFolder.create(folder / "s", sweep)
    cluster = made(whole, opened.submitit)
    cluster.poll_s = 0.1
    with opened, Stop() as stop:
        try:
            Supervisor(
                sweep=sweep, folder=opened, cluster=cluster, reports=folder / "reports",
                say=lambda line: print(line, flush=True), stop=stop, job=(sys.executable, str(FAKE_JOB)),  # noqa: T201
            ).take()  # fmt: skip
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
