"""The job of a sweep whose `bench run` is the fake one."""

import sys
from pathlib import Path

from bench.run.sweep import job

if __name__ == "__main__":
    job.python = lambda _: (sys.executable, str(Path(__file__).with_name("fake_bench.py")))
    folder, number, run, reports, tied, *options = sys.argv[1:]
    sys.exit(job.main(Path(folder), int(number), run, Path(reports), options, tied=tied == "1"))
