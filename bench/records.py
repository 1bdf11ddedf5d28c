"""The files of a run: their names, columns and units, and how they are read.

History of the schema: 3 adds gradient_format and kernel to layers.csv, and to run.json what is known of the largest
batches; 2 added pressure_s to trials.csv, and to run.json its kind (run or ab); 1 was the first.
"""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.variants import AXES

SCHEMA_VERSION = 3

RUN_FILE = "run.json"

STATUSES = ("ok", "oom", "timeout", "unsupported", "invalid", "error")

Row = Mapping[str, object]


class RecordError(Exception):
    """A folder or file of a run can't be used; the text names it and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One CSV file: its name and its columns, in order, with the pandas dtype each is read as."""

    name: str
    columns: dict[str, str]
    required: tuple[str, ...]
    """Columns that are never empty."""

    def path(self, folder: Path) -> Path:
        """Where the table lies in a run's folder."""
        return folder / self.name

    def text(self, rows: Iterable[Row]) -> str:
        """The rows as CSV, empty where a value is None or missing.

        ValueError for a column that the table has not, an empty one that it requires, or a value that is not finite.
        """
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        for row in rows:
            if unknown := set(row) - set(self.columns):
                msg = f"{self.name} has no column {', '.join(sorted(unknown))}"
                raise ValueError(msg)
            if empty := [name for name in self.required if row.get(name) in (None, "")]:
                msg = f"{self.name} needs {', '.join(empty)}"
                raise ValueError(msg)
            if wild := [name for name, v in row.items() if isinstance(v, float) and not math.isfinite(v)]:
                msg = f"{self.name}: {wild[0]} is {row[wild[0]]}"
                raise ValueError(msg)
            writer.writerow("" if (value := row.get(name)) is None else value for name in self.columns)
        return out.getvalue()


VARIANTS = Table(
    name="variants.csv",
    columns={
        "variant_id": "str",
        **dict.fromkeys(AXES, "str"),
        "baseline": "str",
        "excluded_reason": "str",
    },
    required=("variant_id", *AXES),
)
TRIALS = Table(
    name="trials.csv",
    columns={
        "trial_id": "str",
        "round": "int64",
        "order": "int64",
        "arm": "str",
        "stage": "str",
        "variant_id": "str",
        "probes": "str",
        "status": "str",
        "reason": "str",
        "started_at": "str",
        "duration_s": "float64",
        "tree": "str",
        "load_1min": "float64",
        "steal_s": "float64",
        "pressure_s": "float64",
        "involuntary_switches": "float64",
        "gpu_clock_hz": "float64",
        "gpu_temperature_c": "float64",
        "gpu_power_w": "float64",
        "gpu_throttle": "str",
    },
    required=("trial_id", "round", "order", "arm", "stage", "variant_id", "probes", "status"),
)
SAMPLES = Table(
    name="samples.csv",
    columns={
        "trial_id": "category",
        "probe": "category",
        "scope": "category",
        "layer": "category",
        "phase": "category",
        "metric": "category",
        "unit": "category",
        "iterations": "int32",
        "index": "int32",
        "value": "float64",
    },
    required=("trial_id", "probe", "scope", "metric", "unit", "iterations", "index", "value"),
)
LAYERS = Table(
    name="layers.csv",
    columns={
        "trial_id": "str",
        "variant_id": "str",
        "layer": "str",
        "block": "str",
        "type": "str",
        "output_shape": "str",
        "parameters": "int64",
        "memory_format": "str",
        "dtype": "str",
        "gradient_format": "str",
        "kernel": "str",
    },
    required=("trial_id", "variant_id", "layer", "type"),
)
APPENDED = (SAMPLES, LAYERS, TRIALS)  # a trial's row comes last: it vouches for the others


def read_run(folder: Path) -> dict[str, Any]:
    """run.json; RecordError where it is missing, damaged or of another schema version."""
    path = folder / RUN_FILE
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        msg = f"{folder}: no run (it has no {RUN_FILE})"
        raise RecordError(msg) from error
    except (OSError, ValueError) as error:
        msg = f"{path}: damaged ({error})"
        raise RecordError(msg) from error
    version = run.get("schema_version") if isinstance(run, dict) else None
    if version != SCHEMA_VERSION:
        msg = f"{path}: schema version {version}, this bench reads {SCHEMA_VERSION}"
        raise RecordError(msg)
    return run  # type: ignore[no-any-return] # a JSON object


def read_rows(folder: Path, table: Table) -> tuple[list[dict[str, str]], list[str]]:
    """The rows of a table as text, and warnings; RecordError names file and line of any damage."""
    content, warnings = whole_lines(table.path(folder))
    rows = list(checked_rows(table, table.path(folder), content))
    return rows, warnings


def whole_lines(path: Path) -> tuple[bytes, list[str]]:
    """A file's content up to its last newline, and a warning where a torn line followed."""
    try:
        content = path.read_bytes()
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise RecordError(msg) from error
    end = content.rfind(b"\n") + 1
    if end == len(content):
        return content, []
    return content[:end], [f"{path.name}: its last line was torn and is left out"]


def checked_rows(table: Table, path: Path, content: bytes) -> Iterable[dict[str, str]]:
    """Each row of a table's text; RecordError names the first line that isn't one."""
    try:
        lines = csv.reader(io.StringIO(content.decode("utf-8")))
        header = next(lines, [])
        if header != list(table.columns):
            msg = f"{path}: line 1: the header is not {','.join(table.columns)}"
            raise RecordError(msg)
        for fields in lines:
            yield _checked(table, path, lines.line_num, fields)
    except (csv.Error, UnicodeDecodeError) as error:
        msg = f"{path}: not a CSV file in UTF-8 ({error})"
        raise RecordError(msg) from error


def _checked(table: Table, path: Path, line: int, fields: Sequence[str]) -> dict[str, str]:
    if len(fields) != len(table.columns):
        msg = f"{path}: line {line}: {len(fields)} fields, expected {len(table.columns)}"
        raise RecordError(msg)
    row = dict(zip(table.columns, fields, strict=True))
    for name, kind in table.columns.items():
        if not row[name]:
            if name in table.required:
                msg = f"{path}: line {line}: {name} is empty"
                raise RecordError(msg)
        elif kind.startswith(("int", "float")):
            try:
                finite = math.isfinite(int(row[name]) if kind.startswith("int") else float(row[name]))
            except ValueError:
                finite = False
            if not finite:
                msg = f"{path}: line {line}: {name} is not a finite number: {row[name]!r}"
                raise RecordError(msg)
    return row
