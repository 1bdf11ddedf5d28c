"""Stands for a step's process: does what the step's name says."""

import json
import os
import sys
import time
from pathlib import Path

from bench.gpu.checks import Bounds
from bench.gpu.plan import Need
from bench.gpu.recorder import Recorder, Task

asked = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
task = Task(**asked | {"scratch": Path(asked["scratch"])})
to = Recorder(task, Path(sys.argv[2]))
sys.stdout.write(f"{task.step} was here\n")
to.check("answer", 42, Bounds(lo=42, hi=42))
if task.step == "found":
    to.has(Need.CUDA)
    to.fact("GPU", "Made-up GPU")
if task.step == "wrong":
    to.check("one", 2, Bounds(hi=1))
if task.step == "hangs":
    time.sleep(60)
if task.step == "crashes":
    raise SystemExit(3)
if task.step == "killed":
    os.kill(os.getpid(), 9)
if task.step == "torn":
    with to.path.open("a") as file:
        file.write('{"step": "to')
