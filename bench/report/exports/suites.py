"""The result files of other benchmark suites: of pytest-benchmark, and of asv (airspeed velocity).

Both have the step of each variant in seconds: a value a complete round, the mean of its arms.
"""

import json
import re
import statistics
from datetime import UTC, datetime

from bench.analyse.load import RunData, variant_axes
from bench.core.records import RecordError

COMMIT = re.compile(r"[0-9a-f]{7,40}")
MARKS = "+?"
"""What follows a commit if its tree was changed, or if that is not known."""
ASV_VERSION = 2
COLUMNS = (
    "result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b", "stats_q_25",
    "stats_q_75", "stats_number", "stats_repeat", "samples", "profile",
)  # fmt: skip


def rounds_of(data: RunData) -> dict[str, list[float]]:
    """The seconds of a step in each complete round, by variant. Raises RecordError if no variant has two rounds."""
    seconds = {v: [float(x) for x in steps.mean(axis=1)] for v, steps in data.steps.items() if len(steps) > 1}
    if not seconds:
        msg = f"{data.folder}: no variant has two complete rounds"
        raise RecordError(msg)
    return seconds


def pytest_benchmark(data: RunData) -> str:
    """The run as pytest-benchmark stores one. Raises RecordError if it is not installed, or without two rounds."""
    try:
        from pytest_benchmark import __version__  # noqa: PLC0415 - an extra
        from pytest_benchmark.stats import Stats  # noqa: PLC0415
    except ImportError as error:
        msg = "this format needs pytest-benchmark: pip install 'nin-bench[micro]'"
        raise RecordError(msg) from error
    benchmarks = []
    for variant_id, seconds in rounds_of(data).items():
        stats = Stats()
        for value in seconds:
            stats.update(value)
        benchmarks.append(
            {
                "group": "step", "name": variant_id, "fullname": f"nin-bench::{variant_id}", "param": variant_id,
                "params": variant_axes(data, variant_id), "extra_info": {}, "options": {},
                "stats": stats.as_dict() | {"data": seconds, "iterations": 1},
            }
        )  # fmt: skip
    machine = {"node": "", "cpu": {"brand_raw": data.run.environment.cpu, "count": data.run.environment.cores}}
    own = data.run.environment.commit or ""
    commit = {"id": own.rstrip(MARKS), "time": None, "dirty": own.endswith("+"), "branch": ""}
    whole = {"machine_info": machine, "commit_info": commit, "benchmarks": benchmarks, "version": __version__}
    return json.dumps(whole | {"datetime": ended(data).isoformat()}, indent=2, allow_nan=False)


def asv(data: RunData) -> str:
    """The run as a result file of asv. Raises RecordError without a commit, or without two rounds.

    It has no interval: asv's are of 99 %, and a run's are of 95 %.
    """
    commit = (data.run.environment.commit or "").rstrip(MARKS)
    if not COMMIT.fullmatch(commit):
        msg = f"{data.folder}: asv files results by commit, and this run's code has none"
        raise RecordError(msg)
    began = int(data.run.started_at.timestamp() * 1000)
    results = {}
    for variant_id, seconds in rounds_of(data).items():
        q_25, _, q_75 = statistics.quantiles(seconds, n=4, method="inclusive")
        results[f"step.{variant_id}"] = [
            [statistics.median(seconds)], [], "1", began, None, None, None, [q_25], [q_75], [1], [len(seconds)],
            [seconds],
        ]  # fmt: skip
    here = data.run.environment
    params = {"machine": "nin-bench", "cpu": here.cpu or "", "num_cpu": str(here.cores or ""), "os": here.os or ""}
    whole = {
        "commit_hash": commit, "env_name": "existing", "date": began, "params": params, "python": here.python or "",
        "requirements": {"torch": here.torch or ""}, "env_vars": {}, "result_columns": list(COLUMNS),
        "results": results, "durations": {}, "version": ASV_VERSION,
    }  # fmt: skip
    return json.dumps(whole, indent=2, allow_nan=False)


def ended(data: RunData) -> datetime:
    """When the run ended, or began if it has not ended."""
    return (data.run.state.finished_at or data.run.started_at).astimezone(UTC)
