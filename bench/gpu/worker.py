"""`python -m bench.gpu.worker TASK TOLD`: one step, asked in a JSON file, told line by line in another."""

import importlib
import json
import sys
from pathlib import Path

from bench.gpu.plan import STEPS
from bench.gpu.recorder import Recorder, Task


def main(task_path: str, told_path: str) -> None:
    """Take the step that the task names."""
    asked = json.loads(Path(task_path).read_text(encoding="utf-8"))
    task = Task(**asked | {"scratch": Path(asked["scratch"])})
    module = {step.name: f"bench.gpu.steps.{step.name}" for step in STEPS}[task.step]
    importlib.import_module(module).measure(task, Recorder(task, Path(told_path)))


if __name__ == "__main__":
    main(*sys.argv[1:])
