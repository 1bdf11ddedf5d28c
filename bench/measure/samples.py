"""Samples as a trial collects them."""

from collections.abc import Iterable

from bench.core.metrics.metric import Source
from bench.core.metrics.registry import metric
from bench.core.metrics.sample import Sample, Scope


class Samples:
    """The samples of one probe."""

    def __init__(self, probe: str) -> None:
        self.probe = probe
        self.rows: list[Sample] = []

    def add(
        self, name: str, value: float, *, layer: str = "", phase: str = "", iterations: int = 1, index: int = 0
    ) -> None:
        """Add one value of a metric: of a layer, of a phase, or else of the metric's own scope.

        A value of a process that has a `phase` has a name there: of a roof, or of what a task does at times.
        Raises LookupError if the metric is not registered, ValueError if a worker does not measure it.
        """
        described = metric(name)
        if described.source is not Source.SAMPLE:
            msg = f"{name} is computed by the report, not measured"
            raise ValueError(msg)
        in_step = described.scope is Scope.STEP
        self.rows.append(
            Sample(
                probe=self.probe,
                scope=Scope.LAYER if layer else Scope.PHASE if phase and in_step else described.scope,
                layer=layer,
                phase=phase,
                metric=described.name,
                unit=described.kind.unit,
                iterations=iterations,
                index=index,
                value=value,
            )
        )

    def add_all(self, values: Iterable["Samples"]) -> None:
        """Add the samples of other probes."""
        for other in values:
            self.rows += other.rows

    def of(self, name: str) -> list[float]:
        """The values of a metric in its own scope, in the order in which they were added."""
        scope = metric(name).scope
        return [sample.value for sample in self.rows if sample.metric == name and sample.scope is scope]
