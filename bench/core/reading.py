"""Reads the tables of a run: each row is decoded and checked, and a torn last record is left out."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.core.records import VARIANTS, RecordError, Table, Value, decoder_words, found_words
from bench.core.text import MOST_OF_A_REASON, restored, shortened
from bench.core.variants import VariantError, from_row


def read_rows(folder: Path, table: Table) -> tuple[list[dict[str, Value]], list[str]]:
    """The decoded rows of a table, and warnings. Raises RecordError with file and line if one is damaged."""
    content, warnings = whole_records(folder, table)
    rows = list(checked_rows(table, table.path(folder), content))
    return rows, warnings


def whole_records(folder: Path, table: Table) -> tuple[bytes, list[str]]:
    """A table's content up to its last whole record, and a warning if a torn one followed."""
    path = table.path(folder)
    try:
        content = path.read_bytes()
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise RecordError(msg) from error
    end = _end_of_records(content, partial(_is_row, table.of(content)))
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
    """Yields each decoded row of a table's text. Raises RecordError at the first line that is not a row."""
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
    """The rows of variants.csv, each of them a variant. Raises RecordError with file and line if one is damaged."""
    path, (rows, _) = VARIANTS.path(folder), read_rows(folder, VARIANTS)
    for line, row in enumerate(rows, start=2):
        check_variant(path, line, row)
    return rows


def check_variant(path: Path, line: int, row: Mapping[str, Any]) -> None:
    """Raises RecordError if a row of variants.csv has a value that its axis lacks, or the id of another variant."""
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


def _end_of_records(content: bytes, is_row: Callable[[bytes], bool]) -> int:
    """How many bytes the whole records take; a process may have been killed while it wrote the last one.

    A record is one line; earlier versions also wrote records of several lines within quotes. If a whole row follows an
    open quote, no killed process left the quote open: that is damage, which the reader reports.
    """
    end = content.rfind(b"\n") + 1
    if content.count(b'"', 0, end) % 2:
        begin = _begin_of_last(content, end)
        if begin and not any(map(is_row, content[begin:end].splitlines())):
            return begin
    return end


def _begin_of_last(content: bytes, end: int) -> int:
    """Where the record begins whose quotes are open at `end`: after the last newline outside of quotes."""
    is_open = True
    while is_open and end:
        before = content.rfind(b"\n", 0, end - 1) + 1
        is_open ^= bool(content.count(b'"', before, end) % 2)
        end = before
    return end


def value_at(raw: object, keys: str) -> object:
    """The value at a key such as `plan.arms[0][1]`; for a value somewhere in a table, the table."""
    for key, index in re.findall(r"([^.\[\]]+)|\[([^\]]+)\]", keys):
        if isinstance(raw, dict) and key in raw:
            raw = raw[key]
        elif isinstance(raw, list) and index.isdecimal():
            raw = raw[int(index)]
        else:
            break
    return raw
