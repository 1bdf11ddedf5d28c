"""Stands in for the worker: answers at once with made-up samples, or misbehaves as FAKE_WORKER says.

FAKE_WORKER is a JSON object from variant id to one of: exit, kill, hang, garbage, list, wrong-rows,
wrong-state, oom, slow. Any other variant is measured in no time: a step of 1 s for baselines, 0.8 s for others.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from bench.variants import from_row


def samples(probes: str, step_s: float) -> list[dict[str, Any]]:
    """A trial's samples, alike for every variant but for their step."""
    rows: list[tuple[str, str, str, str, str, float]] = []
    if probes == "memory":
        rows += [("process", "", "", name, "B", 1e6) for name in ("parameter", "process_peak")]
    else:
        rows += [("process", "", "", "first_step", "s", 2 * step_s), ("step", "", "", "wall", "s", step_s)]
        rows += [("step", "", "", "stamped_wall", "s", step_s)]
        rows += [
            ("phase", "", "forward", "wall", "s", step_s / 3),
            ("phase", "", "backward", "wall", "s", step_s / 1.5),
        ]
    probe = "memory" if probes == "memory" else "steps"
    return [
        {"probe": probe, "scope": scope, "layer": layer, "phase": phase, "metric": metric, "unit": unit,
         "iterations": 1, "index": 0, "value": value}
        for scope, layer, phase, metric, unit, value in rows
    ]  # fmt: skip


def main(request_path: str, reply_path: str) -> None:
    request = json.loads(Path(request_path).read_text())
    variant = from_row(request["variant"])
    how = json.loads(os.environ.get("FAKE_WORKER", "{}")).get(variant.id)
    reply: Any = {
        "status": "ok", "reason": "", "layers": [], "counts": {"plain": 1, "stamped": 1},
        "samples": samples(request["probes"], 1.0 if variant.is_baseline else 0.8),
    }  # fmt: skip
    if how == "exit":
        print("a library said goodbye")  # noqa: T201 - what a crash leaves in the log
        sys.exit(3)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "hang":
        time.sleep(600)
    if how == "slow":
        time.sleep(0.5)
    if how == "garbage":
        Path(reply_path).write_text("<html>")
        return
    if how == "list":
        reply = ["ok"]
    if how == "wrong-rows":
        reply["samples"] = [{"colour": "red"}]
    if how == "wrong-state":
        reply["state"] = {"colour": "red"}
    if how == "oom":
        reply |= {"status": "oom", "reason": "no memory", "samples": []}
    Path(reply_path).write_text(json.dumps(reply))


if __name__ == "__main__":
    main(*sys.argv[1:])
