"""The registry of metrics: the code that measures them and the code that shows them both read it.

To add a metric, add a line here and measure it: CONTRIBUTING.md has the recipe.
"""

from bench.core.metrics.metric import Better, Kind, Metric, MetricTable, Source
from bench.core.metrics.sample import Scope

S, B, C, N = Kind.SECONDS, Kind.BYTES, Kind.COUNT, Kind.NUMBER
PROCESS, STEPS, MEMORY, NUMERICS = Scope.PROCESS, MetricTable.STEPS, MetricTable.MEMORY, MetricTable.NUMERICS
LESS, MORE = Better.LESS, Better.MORE

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        # What a variant is judged by.
        Metric(
            name="items_per_s", kind=N, source=Source.VARIANT, table=STEPS, better=MORE,
            page="{unit}/s", terminal="{unit}/s", board="{unit} a second",
        ),
        Metric(
            name="wall", kind=S, table=STEPS, column="step_s", bounds=True, by_phase=True, better=LESS,
            page="step", terminal="step", board="seconds a step",
        ),
        Metric(
            name="ratio", kind=Kind.RATIO, source=Source.VARIANT, table=STEPS, bounds=True, better=MORE,
            page="speedup", board="times the baseline",
        ),
        # A step, in the order of the columns of steps.csv.
        Metric(
            name="closure", kind=Kind.RATIO, source=Source.TRIAL, table=STEPS, bounds=True, better=Better.NEAR_ONE,
        ),
        Metric(name="overhead", kind=Kind.SHARE, source=Source.TRIAL, table=STEPS, column="instrument_overhead"),
        Metric(name="cpu_user", kind=S, table=STEPS, page="CPU user"),
        Metric(name="cpu_system", kind=S, table=STEPS, page="CPU system"),
        Metric(name="page_faults", kind=C, table=STEPS, page="page faults", terminal="page faults"),
        Metric(name="package_energy", kind=Kind.JOULES, table=STEPS, page="energy", rare=True),
        Metric(name="dispatch", kind=S, table=STEPS, terminal="dispatch"),
        Metric(name="device", kind=S, table=STEPS, terminal="device"),
        Metric(name="launch_gaps", kind=S, source=Source.TRIAL, table=STEPS),
        Metric(
            name="roof_share", kind=Kind.SHARE, source=Source.VARIANT, table=STEPS, page="of the roof", rare=True,
        ),
        # Single calls of inference.
        Metric(name="latency_p50", kind=S, scope=PROCESS, table=STEPS, page="call p50", terminal="p50", rare=True),
        Metric(name="latency_p90", kind=S, scope=PROCESS, table=STEPS, page="call p90", rare=True),
        Metric(name="latency_p99", kind=S, scope=PROCESS, table=STEPS, page="call p99", terminal="p99", rare=True),
        Metric(name="latency_calls", kind=C, scope=PROCESS, table=STEPS, page="calls a trial", rare=True),
        # Several ranks: what they exchange. What of it is exposed is the phase `communication`.
        Metric(name="collective", kind=S, table=STEPS, rare=True),
        Metric(name="skew", kind=S, table=STEPS, rare=True),
        Metric(name="exchanged", kind=B, table=STEPS, rare=True),
        # A step, in samples.csv alone.
        Metric(name="involuntary_switches", kind=C),
        Metric(name="stamped_wall", kind=S),
        Metric(name="traced_wall", kind=S),
        Metric(name="backlog", kind=S),
        Metric(name="stamps", kind=C),
        Metric(name="loss", kind=N),
        Metric(name="conversions", kind=C),
        Metric(name="casts", kind=C),
        Metric(name="loader_alone", kind=S),
        Metric(name="compute_alone", kind=S),
        Metric(name="flops", kind=Kind.FLOPS),
        Metric(name="half_flops", kind=Kind.FLOPS),
        Metric(name="least_bytes", kind=B),
        Metric(name="alive", kind=B),
        Metric(name="alive_peak", kind=B),
        Metric(name="roof_flops", kind=Kind.FLOPS_PER_S, scope=PROCESS),
        Metric(name="roof_bytes", kind=Kind.BYTES_PER_S, scope=PROCESS),
        Metric(name="roof_spread", kind=Kind.SHARE, scope=PROCESS),
        Metric(name="periodic", kind=S, scope=PROCESS),
        Metric(name="periodic_steps", kind=C, scope=PROCESS),
        Metric(name="power_throttled", kind=Kind.SHARE),
        Metric(name="heat_throttled", kind=Kind.SHARE),
        # A process.
        Metric(name="first_step", kind=S, scope=PROCESS),
        Metric(name="first_epoch", kind=S, scope=PROCESS),
        Metric(name="epoch", kind=S, scope=PROCESS),
        Metric(name="epoch_images", kind=C, scope=PROCESS),
        Metric(name="sustained_begin", kind=S, scope=PROCESS),
        Metric(name="sustained", kind=S, scope=PROCESS),
        Metric(name="energy", kind=Kind.JOULES, scope=PROCESS),
        Metric(name="step_paths", kind=C, scope=PROCESS),
        Metric(name="stamp_cost", kind=S, scope=PROCESS),
        Metric(name="graphs", kind=C, scope=PROCESS),
        Metric(name="graph_breaks", kind=C, scope=PROCESS),
        Metric(name="recompiles", kind=C, scope=PROCESS),
        Metric(name="cudagraph_skips", kind=C, scope=PROCESS),
        Metric(name="skipped_settling", kind=C, scope=PROCESS),
        Metric(name="skipped_timed", kind=C, scope=PROCESS),
        Metric(name="weights_as_asked", kind=C, scope=PROCESS),
        Metric(name="weights_that_tell", kind=C, scope=PROCESS),
        Metric(name="canary_convolution", kind=S, scope=PROCESS),
        Metric(name="canary_matmul", kind=S, scope=PROCESS),
        Metric(name="canary_copy", kind=S, scope=PROCESS),
        Metric(name="fit_batch", kind=C, scope=PROCESS),
        Metric(name="fit_peak", kind=B, scope=PROCESS),
        # Memory, in the order of the columns of memory.csv.
        Metric(name="parameter", kind=B, scope=PROCESS, table=MEMORY),
        Metric(name="gradient", kind=B, scope=PROCESS, table=MEMORY),
        Metric(name="optimizer", kind=B, scope=PROCESS, table=MEMORY),
        Metric(name="saved", kind=B, scope=PROCESS, table=MEMORY),
        Metric(name="allocator_peak", kind=B, scope=PROCESS, table=MEMORY),
        Metric(
            name="process_peak", kind=B, scope=PROCESS, table=MEMORY, better=LESS, board="peak of the process (bytes)",
        ),
        Metric(name="reserved", kind=B, scope=PROCESS, table=MEMORY),
        # The numerics gate, in the order of the columns of numerics.csv.
        Metric(name="loss_error", kind=N, scope=PROCESS, table=NUMERICS),
        Metric(name="score_error", kind=N, scope=PROCESS, table=NUMERICS),
        Metric(name="score_bound", kind=N, scope=PROCESS, table=NUMERICS),
        Metric(name="gradient_error", kind=N, scope=PROCESS, table=NUMERICS),
        Metric(name="gradient_bound", kind=N, scope=PROCESS, table=NUMERICS),
        Metric(name="live_logits", kind=C, scope=PROCESS, table=NUMERICS),
        Metric(name="own_weights", kind=C, scope=PROCESS, table=NUMERICS),
        Metric(name="not_gated", kind=C, scope=PROCESS, table=NUMERICS),
        Metric(name="gate_attempts", kind=C, scope=PROCESS),
    )
}  # fmt: skip


def metric(name: str) -> Metric:
    """The metric of a name. Raises LookupError, with the file to add it to, if it is not registered."""
    if name not in METRICS:
        msg = f"unknown metric {name!r}: register it in bench/core/metrics/registry.py"
        raise LookupError(msg)
    return METRICS[name]


def in_table(table: MetricTable) -> list[Metric]:
    """The metrics that have a column in a table, in the order of its columns."""
    return [metric for metric in METRICS.values() if metric.table is table]
