"""A table of a run as a checked data frame."""

import io
import re
import warnings as python_warnings
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from bench.core.reading import checked_rows, whole_records
from bench.core.records import Column, RecordError, Table, decoder_words
from bench.core.text import restored


def read_frame(folder: Path, table: Table) -> tuple[pd.DataFrame, list[str]]:
    """A table as a frame of its columns' types, blank text as "", and a warning if its last line was torn.

    Raises RecordError if the file is damaged or can't be read.
    """
    content, warnings = whole_records(folder, table)
    return frame_of(content, table, table.path(folder)), warnings


def read_matching(folder: Path, table: Table, parts: Iterable[bytes]) -> pd.DataFrame:
    """The rows of a table whose lines hold one of these parts, as `read_frame` gives them; the others are not checked.

    Raises RecordError if the table can't be read, or if one of these lines is damaged.
    """
    content, _ = whole_records(folder, table)
    found = re.finditer(b"|".join(map(re.escape, parts)), content)
    starts = sorted({0, *(content.rfind(b"\n", 0, match.start()) + 1 for match in found)})
    lines = b"".join(content[start : content.find(b"\n", start) + 1] for start in starts)
    try:
        return frame_of(lines, table, table.path(folder))
    except RecordError:
        read_frame(folder, table)  # which names the line as the file has it
        raise


def frame_of(content: bytes, table: Table, path: Path) -> pd.DataFrame:
    """The whole records of a table as a frame. Raises RecordError if one is damaged."""
    table = table.of(content)
    if not content.startswith(table.header().encode()):
        _explain(table, path, content)
    # Categories are read as text first: pandas makes numbers of those that look so, and the layers 01 and 1 one.
    dtypes = {name: column.dtype if column.is_number else "str" for name, column in table.columns.items()}
    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("error", pd.errors.ParserWarning)  # a row that is too long
            python_warnings.simplefilter("error", RuntimeWarning)  # an endless number among whole ones
            frame = pd.read_csv(
                io.BytesIO(content), dtype=dtypes, index_col=False, keep_default_na=False, na_values=[""], engine="c",
            )  # fmt: skip
    except (ValueError, OverflowError, RuntimeWarning, pd.errors.ParserError, pd.errors.ParserWarning) as error:
        _explain(table, path, content)
        msg = f"{path}: damaged ({decoder_words(error)})"
        raise RecordError(msg) from error
    for name, column in table.columns.items():
        if not column.is_number:
            frame[name] = _restored(frame[name]).astype(column.dtype)
    if not all(_is_sound(frame[name], column) for name, column in table.columns.items()):
        _explain(table, path, content)
    for name, column in table.columns.items():
        if not column.is_number:
            frame[name] = _filled(frame[name])
    return frame


def _filled(texts: pd.Series) -> pd.Series:
    """Text, or categories of it, with "" for what is blank."""
    if not texts.isna().any():
        return texts
    return (texts.cat.add_categories("") if isinstance(texts.dtype, pd.CategoricalDtype) else texts).fillna("")


def _restored(texts: pd.Series) -> pd.Series:
    """Text as it was before it was stored."""
    known = {text: restored(text) for text in texts.dropna().unique() if "\\" in text}
    return texts.astype(object).map(lambda text: known.get(text, text)) if known else texts


def _is_sound(values: pd.Series, column: Column) -> bool:
    """Whether a column holds only values that it may have. Quick, since it looks at each text once."""
    if column.required and values.isna().any():
        return False
    if column.is_number:
        return bool((values.isna() | values.between(column.least, column.most)).all())
    if not (column.among or column.pattern):
        return True
    return all(_decodes(column, text) for text in values.dropna().unique())


def _decodes(column: Column, text: str) -> bool:
    try:
        column.decode(text)
    except ValueError:
        return False
    return True


def _explain(table: Table, path: Path, content: bytes) -> None:
    """Read line by line. Raises RecordError with the first line that is wrong, if there is one."""
    for _ in checked_rows(table, path, content):
        pass
