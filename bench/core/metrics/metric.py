"""What a metric is: its name, its sort of number, which way is better, and where it is shown."""

from dataclasses import dataclass
from enum import StrEnum

from bench.core.metrics.sample import Scope


class Kind(StrEnum):
    """The sort of number that a metric is. It decides unit, the end of a column's name, and format."""

    SECONDS = "seconds"
    BYTES = "bytes"
    JOULES = "joules"
    FLOPS = "flops"
    FLOPS_PER_S = "flops_per_s"
    BYTES_PER_S = "bytes_per_s"
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
        """The end of the name of a column with such numbers."""
        return SUFFIXES.get(self, "")


UNITS = {
    Kind.SECONDS: "s", Kind.BYTES: "B", Kind.JOULES: "J", Kind.FLOPS: "FLOP", Kind.FLOPS_PER_S: "FLOP/s",
    Kind.BYTES_PER_S: "B/s",
}  # fmt: skip
SUFFIXES = {Kind.SECONDS: "_s", Kind.BYTES: "_bytes", Kind.JOULES: "_j"}


class Better(StrEnum):
    """Which way a metric is better."""

    LESS = "less"
    MORE = "more"
    NEAR_ONE = "near one"


class Source(StrEnum):
    """What a metric is computed from."""

    SAMPLE = "sample"
    """The worker measures it, and samples.csv has it."""
    TRIAL = "trial"
    """analyse/values.py computes it from the other values of a trial."""
    VARIANT = "variant"
    """analyse/tables computes it from all trials of a variant."""


class MetricTable(StrEnum):
    """A table of a report with one row per variant."""

    STEPS = "steps"
    MEMORY = "memory"
    NUMERICS = "numerics"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric."""

    name: str
    """Its name in samples.csv."""
    kind: Kind
    scope: Scope = Scope.STEP
    """What the whole value is of: a step or a process. A sample of a phase or a layer says so itself."""
    source: Source = Source.SAMPLE
    better: Better | None = None
    """TensorBoard's HParams show the metrics that have it: a variant is judged by them. It is None for a metric that
    explains a step, such as page faults: a variant with fewer is not better for that."""
    table: MetricTable | None = None
    """The table with a column for it, which has the median over the rounds."""
    column: str = ""
    """The column's name; by default the metric's name with its unit."""
    bounds: bool = False
    """Whether two columns with the ends of its interval follow (_lo and _hi)."""
    by_phase: bool = False
    """Whether a column for each phase follows, such as forward_s."""
    rare: bool = False
    """Whether a table has its column only if some variant has a value."""
    page: str = ""
    """Its heading in the page's table of variants; if empty, it is not shown there."""
    terminal: str = ""
    """Its heading in the terminal's table; if empty, it is not shown there."""
    board: str = ""
    """Its name in TensorBoard's HParams; by default the metric's name in words."""

    def __post_init__(self) -> None:
        """Raises ValueError if the metric is to be shown and has no column."""
        if (self.page or self.terminal) and self.table is not MetricTable.STEPS:
            msg = f"{self.name}: the tables of variants show steps.csv, so table must be MetricTable.STEPS"
            raise ValueError(msg)
        if self.better and self.table is None:
            msg = f"{self.name}: TensorBoard shows columns of a table, so better needs a table"
            raise ValueError(msg)

    @property
    def in_table(self) -> str:
        """The name of its column."""
        return self.column or self.name + self.kind.suffix

    @property
    def in_words(self) -> str:
        """Its name in words."""
        return self.board or self.name.replace("_", " ")
