"""What TensorBoard shows of a run: mended traces, scalars, variants as HParams, text and images.

All but the traces need the package `tensorboard`, which is an extra.
"""

import math
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analyse import tables
from bench.analyse.load import RunData, cell, variant_axes
from bench.analyse.traces import mend
from bench.core import traces
from bench.core.metrics.metric import Metric
from bench.core.metrics.registry import METRICS
from bench.core.records import RecordError
from bench.core.text import distinct
from bench.report.document import Document
from bench.report.page import Report, TracedPage
from bench.report.render import inline, markdown

REPORT = "report"
"""The run of TensorBoard that holds the report's text and figures."""


def write(page: TracedPage) -> Path:
    """Write reports/<run_id>/tensorboard/ again. Returns its path; raises RecordError if a trace can't be mended.

    Writes only the traces if the package tensorboard is not installed.
    """
    folder = page.folder / traces.BOARD
    shutil.rmtree(folder, ignore_errors=True)
    for trace in page.traces:
        raw = traces.folder_of(page.data.folder, trace.variant_id) / traces.RAW
        try:
            mend.write(raw, folder / traces.file_name(trace.variant_id) / mend.FILE)
        except mend.MendError as error:
            raise RecordError(str(error)) from error
    if is_installed():
        write_variants(page, folder)
        write_document(page.document, folder / REPORT)
    return folder


def is_installed() -> bool:
    """Whether the package tensorboard is installed."""
    return find_spec("tensorboard") is not None


class Writer:
    """Writes summaries into one run of TensorBoard."""

    def __init__(self, folder: Path) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter  # noqa: PLC0415

        folder.mkdir(parents=True, exist_ok=True)
        self._file = EventFileWriter(str(folder))

    def add(self, summary: Any, step: int = 0) -> None:  # noqa: ANN401 - tensorboard's, which has no types
        """Add a summary at a step."""
        from tensorboard.compat.proto.event_pb2 import Event  # noqa: PLC0415

        self._file.add_event(Event(wall_time=time.time(), step=step, summary=summary))

    def scalar(self, tag: str, value: float, step: int = 0) -> None:
        """Add a number, unless it is not known."""
        from tensorboard.compat.proto.summary_pb2 import Summary  # noqa: PLC0415

        if not math.isnan(value):
            self.add(Summary(value=[Summary.Value(tag=tag, simple_value=value)]), step)

    def text(self, tag: str, content: str) -> None:
        """Add a text in Markdown."""
        from tensorboard.plugins.text.summary_v2 import text_pb  # noqa: PLC0415

        self.add(text_pb(tag, content))

    def image(self, tag: str, content: bytes) -> None:
        """Add a PNG as it is."""
        from tensorboard.compat.proto.summary_pb2 import Summary  # noqa: PLC0415

        width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))  # PNG's header, RFC 2083
        image = Summary.Image(height=height, width=width, colorspace=4, encoded_image_string=content)
        self.add(Summary(value=[Summary.Value(tag=tag, image=image)]))

    def close(self) -> None:
        """End the file."""
        self._file.close()


@contextmanager
def writer(folder: Path) -> Iterator[Writer]:
    """A writer, closed at the end."""
    opened = Writer(folder)
    try:
        yield opened
    finally:
        opened.close()


def write_variants(page: TracedPage, folder: Path) -> None:
    """Write a run of TensorBoard for each variant with numbers: its scalars, axes and metrics."""
    from tensorboard.plugins.hparams import summary_v2  # noqa: PLC0415

    data, judged, unit = page.data, metrics(page), tables.unit_of(page.data)
    ids = [v for v in data.variants if v in judged.index]
    if not ids:
        return
    axes = pd.DataFrame([variant_axes(data, v) for v in ids], index=ids)
    axes = axes.apply(lambda values: pd.Series(distinct(list(values)), index=ids))
    shown = [name for name in axes if len(axes[name].unique()) > 1] or list(axes)
    with writer(folder) as top:
        hparams = [summary_v2.HParam(name, summary_v2.Discrete(sorted(axes[name].unique()))) for name in shown]
        measured = [
            summary_v2.Metric(f"variant/{m.in_table}", display_name=m.in_words.format(unit=unit)) for m in judging()
        ]
        top.add(summary_v2.hparams_config_pb(hparams, measured))
    for variant_id in ids:
        with writer(folder / traces.file_name(variant_id)) as board:
            board.add(summary_v2.hparams_pb(axes.loc[variant_id, shown].to_dict(), trial_id=variant_id))
            for tag, step, value in scalars(data, variant_id):
                board.scalar(tag, value, step)
            for name in judged:
                board.scalar(f"variant/{name}", float(judged.loc[variant_id, name]))


def judging() -> list[Metric]:
    """The metrics by which a variant is judged."""
    return [metric for metric in METRICS.values() if metric.better]


def metrics(page: TracedPage) -> pd.DataFrame:
    """The metrics that judge a variant, a row a variant with a step.

    On a profile's own page they come from the steps before the trace.
    """
    names = [metric.in_table for metric in judging()]
    if isinstance(page, Report):
        table = page.steps.set_index("variant_id")
        table = table.join([page.memory.set_index("variant_id"), page.numerics.set_index("variant_id")])
        return table.dropna(subset="step_s").reindex(columns=names)
    walls = page.data.traced[(page.data.traced.metric == "wall") & (page.data.traced.scope == "step")]
    step_s = walls.groupby("variant_id", sort=False)["value"].median()
    rates = {v: tables.items_of(page.data, v) / seconds for v, seconds in step_s.items()}
    return pd.DataFrame({"step_s": step_s, "items_per_s": pd.Series(rates)}).reindex(columns=names)


def scalars(data: RunData, variant_id: str) -> Iterator[tuple[str, int, float]]:
    """Tag, step and value: loss and seconds of each plain step before the trace, and items a second of each round."""
    samples = data.traced[(data.traced.variant_id == variant_id) & (data.traced.scope == "step")]
    for metric, tag in (("loss", "step/loss"), ("wall", "step/seconds")):
        values = samples[samples.metric == metric].sort_values("index")
        for index, value in zip(values["index"], values["value"], strict=True):
            yield tag, int(index), float(value)
    walls = cell(data.measured, "wall")
    by_round = walls[walls.variant_id == variant_id].groupby("round")["value"].mean()
    for number, value in by_round.items():
        yield "round/items_per_s", int(number), tables.items_of(data, variant_id) / float(value)


def write_document(document: Document, folder: Path) -> None:
    """Write a run of TensorBoard with the document's sections as text, and its figures as images."""
    with writer(folder) as board:
        for number, section in enumerate(document.sections, start=1):
            board.text(f"{number:02d} {inline.plain(section.title)}", markdown.text(section.blocks, figures=False))
        for figure in document.figures:
            board.image(figure.name, figure.png)
