"""`nin_bench.py bench.gpu.worker TASK OUTCOME`: runs the step that file TASK names, and reports into file OUTCOME."""

import importlib
import json
import sys
from pathlib import Path

from bench.gpu.plan import STEPS
from bench.gpu.recorder import Recorder, Task


def main(task_path: str, outcome_path: str) -> None:
    """Run the step that the task names."""
    fields = json.loads(Path(task_path).read_text(encoding="utf-8"))
    task = Task(**fields | {"scratch": Path(fields["scratch"])})
    module = {step.name: f"bench.gpu.steps.{step.name}" for step in STEPS}[task.step]
    importlib.import_module(module).measure(task, Recorder(task, Path(outcome_path)))


if __name__ == "__main__":
    main(*sys.argv[1:])
