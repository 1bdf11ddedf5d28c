"""The tables of a run: their names, and their columns with units and ranges. reading.py reads them.

History of the schema:
9 adds rank to samples.csv. Runs of 8 are read without it.
8 has stamped samples of as many steps as plain ones, and a race by the fastest samples.
7 has phases that a task's own step names, and items in place of images in run.json.
6 adds in_lockstep to trials.csv, and to run.json the looks and the race. Runs of 5 are read without them.
5 adds cause to trials.csv. Runs of 3 and 4 get it from the reason (exchange/earlier.py).
4 adds calls and paths to layers.csv and cudnn_benchmark to variants.csv. Runs of 3 are read without them.
3 adds gradient_format and kernel to layers.csv, and to run.json what is known of the largest batches.
2 adds pressure_s to trials.csv, and to run.json its kind (run or ab).
1 is the first.
"""

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from bench.core.exchange.cause import Cause, Status
from bench.core.exchange.probe import PATTERN
from bench.core.text import ELLIPSIS, MOST_OF_A_REASON, MOST_SHOWN, shortened, stored
from bench.core.variants import AXES

SCHEMA_VERSION = 9
READABLE = (3, 4, 5, 6, 7, 8, SCHEMA_VERSION)
"""The schemas that this bench reads."""
RUN_FILE = "run.json"

STATUSES = tuple(Status)
STAGES = ("pilot", "race", "measure", "confirm", "profile")
SCOPES = ("step", "phase", "layer", "process")
ArmName = Literal["A", "A'", "V", "T"]
"""The baseline, the baseline once more, a variant, and a variant that is traced."""
ARMS = get_args(ArmName)
TREES = ("base", "head")
"""The code trees of `ab`."""

Row = Mapping[str, object]
Value = str | int | float | None


class RecordError(Exception):
    """A folder or file of a run can't be used. The text names it and says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """The values that a column may have, and the pandas dtype in which it is read."""

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
        """The value of a field; None for an empty number. Raises ValueError that says what was expected."""
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
        if not self.least <= value <= self.most:  # false for NaN too
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
"""A number of at least 0; empty if it is unknown."""
TRIAL_ID = Column(required=True, pattern=r"t\d{5,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One CSV file: its name and its columns, in order."""

    name: str
    columns: dict[str, Column]
    later: tuple[str, ...] = ()
    """The columns that an earlier run may lack, one or several of them."""

    def of(self, content: bytes) -> "Table":
        """The table with the columns of a file: later ones that its header lacks are left out."""
        has = content.partition(b"\n")[0].decode(errors="replace").split(",")
        columns = {name: column for name, column in self.columns.items() if name in has or name not in self.later}
        earlier = replace(self, columns=columns, later=())
        is_earlier = len(columns) < len(self.columns) and content.startswith(earlier.header().encode())
        return earlier if is_earlier else self

    def path(self, folder: Path) -> Path:
        """The table's file in a run's folder."""
        return folder / self.name

    def text(self, rows: Iterable[Row]) -> str:
        """The rows as CSV, one per line. A value that is None or missing is empty, and text is `stored`.

        Raises ValueError for an unknown column, and for a value that the column may not have.
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
    # An id names every axis that was there at first. Another may have come later; a run without it has its default.
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
        "rank": Column(dtype="float64", least=0, most=2**31 - 1),
        "metric": Column(dtype="category", required=True, pattern=r"\w+"),
        "unit": Column(dtype="category", required=True),
        "iterations": whole(1, "int32"),
        "index": whole(0, "int32"),
        "value": Column(dtype="float64", required=True),
    },
    later=("rank",),
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
APPENDED = (SAMPLES, LAYERS, TRIALS)  # a trial's row comes last: it confirms the others


def found_words(value: object) -> str:
    """An unexpected value for one line of a message: cut, and with nothing that controls a terminal."""
    text = "nothing" if value in (None, "") else ascii(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}{ELLIPSIS}"


def decoder_words(error: Exception) -> str:
    """What a decoder says is wrong with a file. It is cut, because it may quote a value of any length."""
    return shortened(str(error), MOST_OF_A_REASON)
