"""The job of a sweep whose `bench run` is the fake one."""

import sys
from pathlib import Path

from bench.run.sweep import job

if __name__ == "__main__":
    sys.exit(job.main(sys.argv[1:], (sys.executable, str(Path(__file__).with_name("fake_bench.py")))))
