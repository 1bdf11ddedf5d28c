"""The tables of a run: their names, their columns with units and ranges, and how they are read.

History of the schema: 5 adds cause to trials.csv, and for runs of 3 and 4 it follows from the reason
(exchange/earlier.py); 4 adds calls and paths to layers.csv and cudnn_benchmark to variants.csv, and runs of 3 are read
without them; 3 added gradient_format and kernel to layers.csv, and to run.json what is known of the largest batches; 2
added pressure_s to trials.csv, and to run.json its kind (run or ab); 1 was the first.
"""

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from bench.core.exchange.cause import Cause, Status
from bench.core.exchange.probe import PATTERN
from bench.core.text import ELLIPSIS, MOST_OF_A_REASON, MOST_SHOWN, restored, shortened, stored
from bench.core.torn import end_of_records
from bench.core.variants import AXES, VariantError, from_row

SCHEMA_VERSION = 5
READABLE = (3, 4, SCHEMA_VERSION)
"""The schemas of runs that are read."""
RUN_FILE = "run.json"

STATUSES = tuple(Status)
STAGES = ("pilot", "measure", "confirm", "profile")
SCOPES = ("step", "phase", "layer", "process")
ArmName = Literal["A", "A'", "V", "T"]
"""The baseline and the baseline once more, a variant, and a variant that is traced."""
ARMS = get_args(ArmName)
TREES = ("base", "head")
"""The code trees of `ab`."""

Row = Mapping[str, object]
Value = str | int | float | None


class RecordError(Exception):
    """A folder or file of a run can't be used; the text names it and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What stands in a column: the pandas dtype it is read as, and which values it may have."""

    dtype: str = "str"
    required: bool = False
    """Whether it is never empty."""
    among: tuple[str, ...] = ()
    pattern: str = ""
    least: float = -1e30
    most: float = 1e30

    @property
    def is_number(self) -> bool:
        """Whether it holds numbers."""
        return self.dtype.startswith(("int", "float"))

    def decode(self, text: str) -> Value:
        """The value of a field, None for an empty number; ValueError says what was expected."""
        if not text:
            if self.required:
                msg = "a value"
                raise ValueError(msg)
            return None if self.is_number else ""
        return self._number(text) if self.is_number else self._text(text)

    def _number(self, text: str) -> float:
        whole = self.dtype.startswith("int")
        try:
            value = int(text) if whole else float(text)
        except ValueError:
            value = math.nan
        if not self.least <= value <= self.most:  # false for what is no number, too
            kind = "a whole number" if whole else "a number"
            msg = f"{kind} from {self.least:g} to {self.most:g}"
            raise ValueError(msg)
        return value

    def _text(self, text: str) -> str:
        if self.among and text not in self.among:
            msg = f"one of {', '.join(filter(None, self.among))}"
            raise ValueError(msg)
        if self.pattern and not re.fullmatch(self.pattern, text):
            msg = f"what matches {self.pattern}"
            raise ValueError(msg)
        return text


def whole(least: int = 0, dtype: str = "int64") -> Column:
    """A whole number that is never empty."""
    return Column(dtype=dtype, required=True, least=least, most=2**31 - 1)


TEXT, NAME = Column(), Column(required=True)
NUMBER = Column(dtype="float64", least=0)
"""A number of at least 0, empty where it is not known."""
TRIAL_ID = Column(required=True, pattern=r"t\d{5,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One CSV file: its name and its columns, in order."""

    name: str
    columns: dict[str, Column]
    later: tuple[str, ...] = ()
    """The columns that an earlier run may lack, each by itself."""

    def of(self, content: bytes) -> "Table":
        """The table as a file has it: without those of the later columns that its header has not."""
        has = content.partition(b"\n")[0].decode(errors="replace").split(",")
        columns = {name: column for name, column in self.columns.items() if name in has or name not in self.later}
        earlier = replace(self, columns=columns, later=())
        is_earlier = len(columns) < len(self.columns) and content.startswith(earlier.header().encode())
        return earlier if is_earlier else self

    def path(self, folder: Path) -> Path:
        """Where the table lies in a run's folder."""
        return folder / self.name

    def text(self, rows: Iterable[Row]) -> str:
        """The rows as CSV, a line each, empty where a value is None or missing; text as `stored` has it.

        ValueError for a column that the table has not, and for a value that the column may not have.
        """
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        for row in rows:
            if unknown := set(row) - set(self.columns):
                msg = f"{self.name} has no column {', '.join(sorted(unknown))}"
                raise ValueError(msg)
            fields = ["" if (value := row.get(name)) is None else str(value) for name in self.columns]
            for (name, column), field in zip(self.columns.items(), fields, strict=True):
                try:
                    column.decode(field)
                except ValueError as error:
                    msg = f"{self.name}: {name}: found {found_words(row.get(name))}, expected {error}"
                    raise ValueError(msg) from error
            writer.writerow(map(stored, fields))
        return out.getvalue()

    def header(self) -> str:
        """The first line."""
        return ",".join(self.columns) + "\n"


VARIANTS = Table(
    name="variants.csv",
    columns={
        "variant_id": NAME,
        **dict.fromkeys(AXES, NAME),
        "baseline": Column(required=True, among=("True", "False")),
        "excluded_reason": TEXT,
    },
    # An id names every axis that was there at first: any other may have come later, and its default stands in.
    later=tuple(name for name, axis in AXES.items() if not axis.always_in_id),
)
TRIALS = Table(
    name="trials.csv",
    columns={
        "trial_id": TRIAL_ID,
        "round": whole(),
        "order": whole(),
        "arm": Column(required=True, among=ARMS),
        "stage": Column(required=True, among=STAGES),
        "variant_id": NAME,
        "probes": Column(required=True, pattern=PATTERN),
        "status": Column(required=True, among=STATUSES),
        "cause": Column(among=("", *Cause)),
        "reason": TEXT,
        "started_at": Column(pattern=r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\+00:00|Z)"),
        "duration_s": NUMBER,
        "in_lockstep": Column(dtype="float64", least=1, most=2**31 - 1),
        "tree": Column(among=("base", "head")),
        "load_1min": NUMBER,
        "steal_s": NUMBER,
        "pressure_s": NUMBER,
        "involuntary_switches": NUMBER,
        "gpu_clock_hz": NUMBER,
        "gpu_temperature_c": Column(dtype="float64"),
        "gpu_power_w": NUMBER,
        "gpu_throttle": Column(pattern=r"0x[0-9a-f]{1,16}"),
    },
    later=("cause", "in_lockstep"),
)
SAMPLES = Table(
    name="samples.csv",
    columns={
        "trial_id": Column(dtype="category", required=True, pattern=TRIAL_ID.pattern),
        "probe": Column(dtype="category", required=True),
        "scope": Column(dtype="category", required=True, among=SCOPES),
        "layer": Column(dtype="category"),
        "phase": Column(dtype="category"),
        "metric": Column(dtype="category", required=True, pattern=r"\w+"),
        "unit": Column(dtype="category", required=True),
        "iterations": whole(1, "int32"),
        "index": whole(0, "int32"),
        "value": Column(dtype="float64", required=True),
    },
)
LAYERS = Table(
    name="layers.csv",
    columns={
        "trial_id": TRIAL_ID,
        "variant_id": NAME,
        "layer": NAME,
        "block": TEXT,
        "type": NAME,
        "output_shape": TEXT,
        "parameters": Column(dtype="int64", required=True, least=0),
        "memory_format": TEXT,
        "dtype": TEXT,
        "gradient_format": TEXT,
        "kernel": TEXT,
        "calls": whole(),
        "paths": TEXT,
    },
    later=("calls", "paths"),
)
APPENDED = (SAMPLES, LAYERS, TRIALS)  # a trial's row comes last: it vouches for the others


def found_words(value: object) -> str:
    """A value that is not what was expected, as it may stand in one line: cut, and without what steers a terminal."""
    text = "nothing" if value in (None, "") else ascii(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}{ELLIPSIS}"


def decoder_words(error: Exception) -> str:
    """What a decoder says is wrong with a file, cut: it may quote a value of any length."""
    return shortened(str(error), MOST_OF_A_REASON)


def read_rows(folder: Path, table: Table) -> tuple[list[dict[str, Value]], list[str]]:
    """The rows of a table, decoded, and warnings; RecordError names file and line of any damage."""
    content, warnings = whole_records(folder, table)
    rows = list(checked_rows(table, table.path(folder), content))
    return rows, warnings


def whole_records(folder: Path, table: Table) -> tuple[bytes, list[str]]:
    """A table's content up to its last whole record, and a warning where a torn one followed."""
    path = table.path(folder)
    try:
        content = path.read_bytes()
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise RecordError(msg) from error
    end = end_of_records(content, partial(_is_row, table.of(content)))
    if end == len(content):
        return content, []
    return content[:end], [f"{table.name}: its last line was torn and is left out"]


def _is_row(table: Table, line: bytes) -> bool:
    """Whether a line by itself is a row of a table."""
    try:
        [fields] = csv.reader([line.decode()], strict=True)
        _decoded(table, Path(), 0, fields)
    except (csv.Error, ValueError, RecordError):
        return False
    return True


def checked_rows(table: Table, path: Path, content: bytes) -> Iterable[dict[str, Value]]:
    """Each row of a table's text, decoded; RecordError names the first line that isn't one."""
    table = table.of(content)
    try:
        lines = csv.reader(io.StringIO(content.decode("utf-8"), newline=""), strict=True)
        header = next(lines, [])
        if header != list(table.columns):
            msg = f"{path}: line 1: found {found_words(','.join(header))}, expected {','.join(table.columns)}"
            raise RecordError(msg)
        for fields in lines:
            yield _decoded(table, path, lines.line_num, fields)
    except (csv.Error, UnicodeDecodeError) as error:
        msg = f"{path}: not a CSV file in UTF-8 ({decoder_words(error)})"
        raise RecordError(msg) from error


def _decoded(table: Table, path: Path, line: int, fields: Sequence[str]) -> dict[str, Value]:
    if len(fields) != len(table.columns):
        msg = f"{path}: line {line}: found {len(fields)} fields, expected {len(table.columns)}"
        raise RecordError(msg)
    row: dict[str, Value] = {}
    for (name, column), field in zip(table.columns.items(), fields, strict=True):
        try:
            row[name] = column.decode(restored(field))
        except ValueError as error:
            msg = f"{path}: line {line}: {name}: found {found_words(field)}, expected {error}"
            raise RecordError(msg) from error
    return row


def read_variants(folder: Path) -> list[dict[str, Value]]:
    """The rows of variants.csv, each of them a variant; RecordError names file and line of any damage."""
    path, (rows, _) = VARIANTS.path(folder), read_rows(folder, VARIANTS)
    for line, row in enumerate(rows, start=2):
        check_variant(path, line, row)
    return rows


def check_variant(path: Path, line: int, row: Mapping[str, Any]) -> None:
    """RecordError for a row of variants.csv whose axes have no such values, or whose id is another variant's."""
    try:
        variant = from_row(row)
    except VariantError as error:
        msg = f"{path}: line {line}: {shortened(str(error), MOST_OF_A_REASON)}"
        raise RecordError(msg) from error
    if variant.id != row["variant_id"]:
        msg = f"{path}: line {line}: variant_id: found {found_words(row['variant_id'])}, expected {variant.id}"
        raise RecordError(msg)
    if str(variant.is_baseline) != row["baseline"]:
        msg = f"{path}: line {line}: baseline: found {row['baseline']}, expected {variant.is_baseline}"
        raise RecordError(msg)
