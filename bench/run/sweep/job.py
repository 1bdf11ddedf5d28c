"""What a job does on its node: one whole `bench run`, and a word on how it ended.

    python -P nin_bench.py bench.run.sweep.job FOLDER NUMBER RUN REPORTS TIED OPTION...

If this process ends, in whatever way, the keeper ends the run. A job that is TIED (1) also ends once the sweep no
longer holds the lock of this attempt: a local job never outlives its sweep.
"""

import fcntl
import os
import platform
import re
import select
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from bench.core.sweep.record import NODE_NAME
from bench.process.kept import Kept
from bench.process.python import python
from bench.run.folder import replace_file
from bench.run.sweep.files import Ended, encoded, ended_of, lock_of, log_of

JOB, BENCH = python("bench.run.sweep.job"), python("bench")
RELEASED = 1
"""The exit code of a job whose sweep let go of it."""


def words_of(folder: Path, number: int, run: str, reports: Path, options: Sequence[str], *, tied: bool) -> list[str]:
    """The words behind the command of a job."""
    return [str(folder), str(number), run, str(reports), str(int(tied)), *options]


def node() -> str:
    """The name of this node: Slurm's, or the machine's."""
    name = os.environ.get("SLURMD_NODENAME") or platform.node()
    plain = re.sub(r"[^A-Za-z0-9._-]", "-", name).lstrip("._-")[:253]
    return plain if NODE_NAME.fullmatch(plain) else "localhost"


def main(arguments: Sequence[str], bench: Sequence[str] = BENCH) -> int:
    """Takes the run. Returns its exit code as a shell gives it."""
    folder, number, run, reports, tied = Path(arguments[0]), int(arguments[1]), *arguments[2:5]
    words = [*bench, "run", "--run-id", run, "--out", str(folder), "--reports", reports, *arguments[5:]]
    with log_of(folder, number).open("wb") as log, Kept(words, os.environ, log=log) as kept:
        watched = [kept.fileno(), *([released(lock_of(folder, number))] if tied == "1" else [])]
        if kept.fileno() not in select.select(watched, [], [])[0]:
            return RELEASED
        kept.wait()
    replace_file(ended_of(folder, number), encoded(Ended(exit_code=kept.returncode, node=node())))
    return kept.returncode if kept.returncode >= 0 else 128 - kept.returncode


def released(lock: Path) -> int:
    """A descriptor that becomes readable once nobody holds the lock any more."""
    read_end, write_end = os.pipe()

    def wait() -> None:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
        os.close(write_end)

    threading.Thread(target=wait, daemon=True).start()
    return read_end


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
