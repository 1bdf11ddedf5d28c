"""The registry of metrics: what each number is, which way is better, and where it is shown.

Who measures a metric and who shows it both read this file: to add one, add a line here and measure it. CONTRIBUTING.md
has the recipe. Standard library alone: the child knows it.
"""

from dataclasses import dataclass
from enum import StrEnum

from bench.core.sample import Scope


class Kind(StrEnum):
    """What sort of number a metric is: it gives the unit in samples.csv, the end of a column's name, and the format."""

    SECONDS = "seconds"
    BYTES = "bytes"
    JOULES = "joules"
    COUNT = "count"
    NUMBER = "number"
    SHARE = "share"
    RATIO = "ratio"

    @property
    def unit(self) -> str:
        """The unit in samples.csv; 1 for a number without one."""
        return UNITS.get(self, "1")

    @property
    def suffix(self) -> str:
        """How the name of a column ends that holds such numbers."""
        return SUFFIXES.get(self, "")


UNITS = {Kind.SECONDS: "s", Kind.BYTES: "B", Kind.JOULES: "J"}
SUFFIXES = {Kind.SECONDS: "_s", Kind.BYTES: "_bytes", Kind.JOULES: "_j"}


class Better(StrEnum):
    """Which way a metric is better."""

    LESS = "less"
    MORE = "more"
    NEAR_ONE = "near one"


class Source(StrEnum):
    """What a metric is computed from."""

    SAMPLE = "sample"
    """The worker measures it: it is a metric of samples.csv."""
    TRIAL = "trial"
    """analyse/values.py computes it from the other values of a trial."""
    VARIANT = "variant"
    """analyse/tables computes it from all trials of a variant."""


class Table(StrEnum):
    """A table of a report with a row a variant."""

    STEPS = "steps"
    MEMORY = "memory"
    NUMERICS = "numerics"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric."""

    name: str
    """As samples.csv has it."""
    kind: Kind
    scope: Scope = Scope.STEP
    """What its whole is: a step or a process. A sample of a phase or a layer of it says so itself."""
    source: Source = Source.SAMPLE
    better: Better | None = None
    """TensorBoard's HParams show the metrics that say this and have a column."""
    table: Table | None = None
    """The table that has a column of it: the median over the rounds."""
    column: str = ""
    """The column's name; by default the metric's, with its unit."""
    bounds: bool = False
    """Whether the columns of its interval's two ends follow (_lo and _hi)."""
    by_phase: bool = False
    """Whether a column of each phase follows, such as forward_s."""
    page: str = ""
    """Its heading in the page's table of variants; empty if it is not there."""
    terminal: str = ""
    """Its heading in the terminal's table; empty if it is not there."""
    board: str = ""
    """Its name in TensorBoard's HParams; by default the metric's, in words."""

    def __post_init__(self) -> None:
        """Raise ValueError for a metric that would be shown from a column that it has not."""
        if (self.better or self.page or self.terminal) and self.table is None:
            msg = f"{self.name} is to be shown: it needs a table"
            raise ValueError(msg)

    @property
    def in_table(self) -> str:
        """The name of its column."""
        return self.column or self.name + self.kind.suffix

    @property
    def in_words(self) -> str:
        """What it is called where nothing shorter is asked for."""
        return self.board or self.name.replace("_", " ")


S, B, C, N = Kind.SECONDS, Kind.BYTES, Kind.COUNT, Kind.NUMBER
PROCESS, STEPS, MEMORY, NUMERICS = Scope.PROCESS, Table.STEPS, Table.MEMORY, Table.NUMERICS
LESS, MORE = Better.LESS, Better.MORE

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        # What a variant is judged by.
        Metric(
            name="images_per_s", kind=N, source=Source.VARIANT, table=STEPS, better=MORE,
            page="images/s", terminal="images/s", board="images a second",
        ),
        Metric(
            name="wall", kind=S, table=STEPS, column="step_s", bounds=True, by_phase=True, better=LESS,
            page="step", terminal="step", board="seconds a step",
        ),
        Metric(
            name="ratio", kind=Kind.RATIO, source=Source.VARIANT, table=STEPS, bounds=True, better=MORE,
            page="times baseline", board="times the baseline",
        ),
        # A step, in the order of the columns of steps.csv.
        Metric(
            name="closure", kind=Kind.RATIO, source=Source.TRIAL, table=STEPS, bounds=True, better=Better.NEAR_ONE,
        ),
        Metric(name="overhead", kind=Kind.SHARE, source=Source.TRIAL, table=STEPS, column="instrument_overhead"),
        Metric(name="cpu_user", kind=S, table=STEPS, better=LESS, page="CPU user"),
        Metric(name="cpu_system", kind=S, table=STEPS, better=LESS, page="CPU system"),
        Metric(name="page_faults", kind=C, table=STEPS, better=LESS, page="page faults", terminal="page faults"),
        Metric(name="dispatch", kind=S, table=STEPS, better=LESS, terminal="dispatch"),
        Metric(name="device", kind=S, table=STEPS, better=LESS, terminal="device"),
        Metric(name="launch_gaps", kind=S, source=Source.TRIAL, table=STEPS, better=LESS),
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
    """The metric of a name; LookupError, with the file to add it to, if it is not registered."""
    if name not in METRICS:
        msg = f"unknown metric {name!r}: register it in bench/core/metrics.py"
        raise LookupError(msg)
    return METRICS[name]


def in_table(table: Table) -> list[Metric]:
    """The metrics with a column of a table, in the order of its columns."""
    return [metric for metric in METRICS.values() if metric.table is table]
