"""What a metric is: its name, what sort of number it has, which way is better, and where it is shown."""

from dataclasses import dataclass
from enum import StrEnum

from bench.core.metrics.sample import Scope


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


class MetricTable(StrEnum):
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
    """TensorBoard's HParams show the metrics that say this: a variant is judged by them. None for what explains a step,
    such as its page faults: a variant with fewer is not better for that."""
    table: MetricTable | None = None
    """The table that has a column of it: the median over the rounds."""
    column: str = ""
    """The column's name; by default the metric's, with its unit."""
    bounds: bool = False
    """Whether the columns of its interval's two ends follow (_lo and _hi)."""
    by_phase: bool = False
    """Whether a column of each phase follows, such as forward_s."""
    page: str = ""
    """Its heading in the page's table of variants; without one it is not there."""
    terminal: str = ""
    """Its heading in the terminal's table; without one it is not there."""
    board: str = ""
    """Its name in TensorBoard's HParams; by default the metric's, in words."""

    def __post_init__(self) -> None:
        """Raise ValueError for a metric that is to be shown and has no column to show."""
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
        """What it is called where nothing shorter is asked for."""
        return self.board or self.name.replace("_", " ")
