"""The formats in which a run can be exported."""

from collections.abc import Callable
from enum import StrEnum

from bench.analyse.load import RunData
from bench.report.exports import action, bmf, otlp, suites, tidy


class Format(StrEnum):
    """A format, named after who reads it."""

    BMF = "bmf"
    ACTION = "github-action-benchmark"
    ASV = "asv"
    PYTEST = "pytest-benchmark"
    CSV = "csv-tidy"
    PARQUET = "parquet"
    OTLP = "otlp-json"


TEXTS: dict[Format, Callable[[RunData], str]] = {
    Format.BMF: bmf.text,
    Format.ACTION: action.text,
    Format.ASV: suites.asv,
    Format.PYTEST: suites.pytest_benchmark,
    Format.CSV: tidy.csv,
    Format.OTLP: otlp.text,
}


def exported(data: RunData, to: Format) -> bytes:
    """The run's file in a format. Raises RecordError if the run lacks what the format needs, or a package does."""
    if to is Format.PARQUET:
        return tidy.parquet(data)
    return TEXTS[to](data).encode()
