"""The step `trace`: whether torch's profiler sees kernels here, and one trace to be sent back."""

import gzip
import json
import os

from bench.core.exchange.messages import Request, Trace
from bench.core.exchange.probe import Probe
from bench.core.header import Inputs
from bench.core.traces import FOLDER, RAW
from bench.core.variants import as_row
from bench.gpu.checks import Bounds
from bench.gpu.recorder import Recorder, Task
from bench.gpu.steps.times import variants
from bench.process import child

STEPS = 1
END_S = 2.0
"""The part of the step's time that is kept for reading the trace."""


def measure(task: Task, to: Recorder) -> None:
    """Trace a step of the baseline as bench profile does."""
    folder = task.scratch / FOLDER
    folder.mkdir()
    variant = variants(task)[0]
    request = Request(
        variant=as_row(variant),
        inputs=Inputs(folder=None, shape=None, classes=10),
        seed=0,
        probes=(Probe.TRACE,),
        trace=Trace(steps=STEPS, folder=str(folder)),
    )
    reply = child.ask(request, dict(os.environ), task.limit_s - END_S)
    to.check("traces", reply.ok, Bounds(lo=1, hi=1), of_gpu=False, reason=reply.reason)
    if (folder / RAW).exists():
        events = json.loads(gzip.decompress((folder / RAW).read_bytes()))["traceEvents"]
        to.check("kernels in a step", sum(event.get("cat") == "kernel" for event in events), Bounds(lo=1))
