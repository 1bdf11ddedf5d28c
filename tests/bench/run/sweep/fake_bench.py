"""Stands in for `bench run` in a job of a sweep: a copy of a stored run, or an end as FAKE_RUNS says.

FAKE_RUNS is a JSON object from a run's name to one of: hang, kill, usage, nothing, error, partial. FAKE_SOURCE is the
run that is copied.
"""

import json
import os
import shutil
import signal
import sys
import time
from itertools import pairwise
from pathlib import Path


def main() -> None:
    words = dict(pairwise(sys.argv))
    name = words["--run-id"]
    how = json.loads(os.environ.get("FAKE_RUNS", "{}")).get(name, "")
    run = Path(words["--out"]) / name
    print(f"{name} begins")  # noqa: T201 - as a run does
    shutil.copytree(os.environ["FAKE_SOURCE"], run)
    if how in ("hang", "kill", "partial", "error"):
        whole = json.loads((run / "run.json").read_text())
        whole["state"]["status"] = "running"
        (run / "run.json").write_text(json.dumps(whole))
    sys.stdout.flush()
    if how == "hang":
        time.sleep(600)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how in ("usage", "nothing"):
        shutil.rmtree(run)
        sys.exit(({"usage": "bench: no such preset", "nothing": ""}[how] and 2) or 4)
    sys.exit(1 if how == "error" else 0)


if __name__ == "__main__":
    main()
