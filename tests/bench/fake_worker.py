"""Stands in for the worker: answers at once with made-up samples, or misbehaves as FAKE_WORKER says.

FAKE_WORKER is a JSON object from a variant's id, or a tree's name ("" without trees), to one of: exit, kill, hang,
nothing, garbage, list, wrong-rows, wrong-state, no-steps, no-counts, no-cause, nan, invalid, oom, path, slow, index
(beyond it with more images than MOST_IMAGES). With a number behind it, as in oom/2, only every second trial
does so. Any other variant is measured in no time: a step of 1 s for baselines, 0.8 s for others, and 25 % more in a
tree whose name ends in slow.

FAKE_STEPS is a JSON object from a variant's id to the seconds of its step.

FAKE_METRICS is a JSON list of further metrics of a step: name, unit and value of each.
"""

import json
import math
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from bench.core.variants import Variant, from_row
from bench.process.turn import Turn

IMAGE_BYTES = 1_000_000
"""What an image of a batch needs, when the largest is sought."""
MOST_IMAGES = 60


def samples(probes: str, step_s: float, batch: int = 0) -> list[dict[str, Any]]:
    """A trial's samples, alike for every variant but for their step."""
    rows: list[tuple[str, str, str, str, str, float]] = []
    if probes == "fit":
        rows += [
            ("process", "", "", "fit_batch", "1", batch),
            ("process", "", "", "fit_peak", "B", batch * IMAGE_BYTES),
        ]
    elif probes == "epoch":
        rows += [("process", "", "", name, "s", 1.0) for name in ("first_epoch", "epoch")]
    elif probes == "sustained":
        rows += [("process", "", "", name, "s", step_s) for name in ("sustained_begin", "sustained")]
        rows += [("process", "", "", "energy", "J", 4.0)]
    elif probes == "memory":
        rows += [("process", "", "", name, "B", 1e6) for name in ("parameter", "process_peak")]
    else:
        rows += [("process", "", "", "first_step", "s", 2 * step_s), ("step", "", "", "wall", "s", step_s)]
        rows += [("step", "", "", "stamped_wall", "s", step_s)]
        rows += [("step", "", "", *more) for more in json.loads(os.environ.get("FAKE_METRICS", "[]"))]
        rows += [
            ("phase", "", "forward", "wall", "s", step_s / 3),
            ("phase", "", "backward", "wall", "s", step_s / 1.5),
        ]
    probe = probes if probes in ("memory", "fit", "epoch", "sustained") else "steps"
    return [
        {"probe": probe, "scope": scope, "layer": layer, "phase": phase, "metric": metric, "unit": unit,
         "iterations": 1, "index": 0, "value": value}
        for scope, layer, phase, metric, unit, value in rows
    ]  # fmt: skip


def step_s(variant: Variant, tree: str | None) -> float:
    known = json.loads(os.environ.get("FAKE_STEPS", "{}"))
    usual = 1.0 if variant.is_baseline else 0.8
    return float(known.get(variant.id, usual)) * (1.25 if (tree or "").endswith("slow") else 1)


def this_time(how: str) -> str:
    """What is ordered for this trial, of what is ordered for every so many; the folder it runs in keeps count."""
    how, _, every = how.partition("/")
    if not every:
        return how
    count = Path(".trials")
    number = 1 + int(count.read_text() if count.is_file() else 0)
    count.write_text(str(number))
    return "" if number % int(every) else how


def crash(how: str) -> None:
    """End, or take long, without an answer."""
    if how == "exit":
        print("a library said goodbye")  # noqa: T201 - what a crash leaves in the log
        sys.exit(3)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "nothing":
        sys.exit(0)
    if how in ("hang", "slow"):
        time.sleep(600 if how == "hang" else 0.5)


def spoil(reply: dict[str, Any], how: str) -> str:
    """The text of a reply that is wrong in some way, or of the one given."""
    if how == "garbage":
        return "<html>"
    if how == "list":
        return '["ok"]'
    if how == "nan":
        reply["samples"][1]["value"] = math.nan
    changes: dict[str, Any] = {
        "wrong-rows": {"samples": [{"colour": "red"}]},
        "wrong-state": {"state": {"colour": "red"}},
        "no-steps": {"samples": reply["samples"][:1]},
        "no-counts": {"counts": None},
        "no-cause": {"cause": "bad luck", "samples": []},
        "invalid": {"cause": "settings_differ", "reason": "no such precision", "samples": []},
        "oom": {"cause": "out_of_memory", "reason": "no memory", "samples": []},
        "path": {"cause": "exception", "reason": f"in {Path.cwd()}/nin/model.py", "samples": []},
    }
    return json.dumps(reply | changes.get(how, {}))


def main(request_path: str, reply_path: str) -> None:
    request = json.loads(Path(request_path).read_text())
    variant = from_row(request["variant"])
    orders = json.loads(os.environ.get("FAKE_WORKER", "{}"))
    how = this_time(orders.get(variant.id) or orders.get(Path(request["tree"] or ".").name) or "")
    turn = Turn(request["turns"])
    turn.wait()
    crash(how)
    turn.wait()
    reply: dict[str, Any] = {
        "layers": [], "counts": {"plain": 1, "stamped": 1}, "peak_bytes": 2**20,
        "samples": samples("+".join(request["probes"]), step_s(variant, request["tree"]), int(variant.batch_size)),
    }  # fmt: skip
    if request["hopeless_s"] is not None and step_s(variant, request["tree"]) > request["hopeless_s"]:
        reply |= {"cause": "too_slow", "reason": "its first step took too long"}
    limit = request["memory_limit_bytes"]
    if request["probes"] == ["fit"] and limit is not None and int(variant.batch_size) * IMAGE_BYTES > limit:
        reply |= {"cause": "out_of_memory", "reason": "no memory", "samples": []}
    if request["probes"] == ["fit"] and how == "index" and int(variant.batch_size) > MOST_IMAGES:
        reply |= {"cause": "beyond_index", "reason": "integer out of range", "samples": []}
    Path(reply_path).write_text(spoil(reply, how))


if __name__ == "__main__":
    main(*sys.argv[1:])
