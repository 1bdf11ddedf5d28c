"""Time and memory of `bench trace` on a large trace that is made by rule: a GPU's, with stacks, shapes and memory.

python benchmarks/traces.py --mb 300              # makes it, then reads it in a process of its own
python benchmarks/traces.py --mb 300 --gzip
"""

import argparse
import gzip
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

OPERATORS = 12
"""In each layer of a step: each calls one other, which launches one kernel."""
STEP_LAYERS = 50
MEASURED = """
import resource, sys, time
from bench.__main__ import main
begin = time.perf_counter()
try:
    main()
except SystemExit as ended:
    code = ended.code
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
print(f"{time.perf_counter() - begin:.1f} s, peak {peak:.0f} MiB, exit code {code}")
"""


def written(event: dict[str, object]) -> str:
    """An event as torch writes it: indented."""
    return json.dumps(event, indent=4)


def span(cat: str, name: str, tid: int, begin: float, duration: float, **args: object) -> dict[str, object]:
    """A complete event; the device is process 0."""
    pid = 0 if tid < 100 else 4242
    return {
        "ph": "X", "cat": cat, "name": name, "pid": pid, "tid": tid, "ts": round(begin, 3), "dur": round(duration, 3),
        "args": args,
    }  # fmt: skip


def step(number: int, begin: float) -> Iterator[str]:
    """The events of a step of STEP_LAYERS layers."""
    length = STEP_LAYERS * OPERATORS * 20.0
    yield written(span("user_annotation", f"ProfilerStep#{number}", 4242, begin, length))
    for layer in range(STEP_LAYERS):
        at = begin + layer * OPERATORS * 20
        name = f"nn.Module: Linear_{layer}"
        yield written(span("python_function", name, 4242, at, OPERATORS * 20 - 1, **{"Python id": layer}))
        for operator in range(OPERATORS):
            one = at + 1 + operator * 19.5
            key = (number * STEP_LAYERS + layer) * OPERATORS + operator + 1
            shapes = {"Input Dims": [[32, 64 + layer], [64 + layer, 128], []], "Input type": ["float", "float", ""]}
            yield written(span("cpu_op", "aten::linear", 4242, one, 18, **{"External id": 2 * key}, **shapes))
            yield written(span("cpu_op", f"aten::op{operator}", 4242, one + 2, 12, **{"External id": 2 * key + 1}))
            args = {"External id": 2 * key + 1, "correlation": key}
            yield written(span("cuda_runtime", "cudaLaunchKernel", 4242, one + 4, 5, cbid=211, **args))
            grid = {"grid": [64, 1, 1], "block": [256, 1, 1], "blocks per SM": 0.6, "est. achieved occupancy %": 30}
            kernel = f"void at::native::kernel_{operator}<float, {layer}>(long)"
            yield written(span("kernel", kernel, 7, one + 30, 15, device=0, stream=7, **args, **grid))
            change = 4096 if operator % 2 else -4096
            yield written(
                {
                    "ph": "i", "cat": "cpu_instant_event", "s": "t", "name": "[memory]", "pid": 4242, "tid": 4242,
                    "ts": round(one + 3, 3),
                    "args": {"Device Type": 1, "Device Id": 0, "Bytes": change, "Total Allocated": 6144 + change // 2},
                }
            )  # fmt: skip


def make(path: Path, size: int) -> int:
    """Write a trace of about so many bytes of text. Returns the number of its steps."""
    count = 0
    with gzip.open(path, "wt", compresslevel=1) if path.suffix == ".gz" else path.open("w") as file:
        length = file.write(
            '{"schemaVersion": 1, "deviceProperties": [{"id": 0, "name": "Made-up"}], "traceEvents": [\n'
        )
        while length < size:
            text = io.StringIO()
            for event in step(count, 5e12 + count * STEP_LAYERS * OPERATORS * 20.5):
                text.write(f"{event},\n")
            length += file.write(text.getvalue())
            count += 1
        file.write('{"ph": "i", "name": "Record Window End", "ts": 0}], "traceName": "made.json"}')
    return count


def main() -> None:
    """Make the trace and read it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--mb", type=int, default=300, help="size of the text in MB")
    options.add_argument("--gzip", action="store_true", help="pack it")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"made.json{'.gz' if chosen.gzip else ''}"
        begin = time.perf_counter()
        steps = make(path, chosen.mb * 10**6)
        print(f"made {steps} steps, {path.stat().st_size / 1e6:.0f} MB, in {time.perf_counter() - begin:.0f} s")
        command = [sys.executable, "-c", MEASURED, "trace", str(path), "--out", folder]
        subprocess.run(command, check=True, cwd=Path(__file__).parents[1])


if __name__ == "__main__":
    main()
