"""Samples as a trial collects them: rows of samples.csv without the trial's id."""

from collections.abc import Iterable
from typing import Any


class Samples:
    """The samples of one probe."""

    def __init__(self, probe: str) -> None:
        self.probe = probe
        self.rows: list[dict[str, Any]] = []

    def add(
        self,
        metric: str,
        unit: str,
        value: float,
        *,
        scope: str = "step",
        layer: str = "",
        phase: str = "",
        iterations: int = 1,
        index: int = 0,
    ) -> None:
        """Add one value."""
        self.rows.append(
            {
                "probe": self.probe,
                "scope": scope,
                "layer": layer,
                "phase": phase,
                "metric": metric,
                "unit": unit,
                "iterations": iterations,
                "index": index,
                "value": value,
            }
        )

    def add_all(self, values: Iterable["Samples"]) -> None:
        """Add the samples of other probes."""
        for other in values:
            self.rows += other.rows
