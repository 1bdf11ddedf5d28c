"""A run that is called from Python, such as a notebook, and what it found."""

import inspect
import signal
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from bench.analyse.load import load
from bench.core.text import visible
from bench.plan.choices import REPORTS, RESULTS
from bench.process.python import python
from bench.report import pages
from bench.report.answer import answer
from bench.report.html import blocks
from bench.report.outcome import results, title
from bench.report.page import Report

SECTIONS = (title.of_run, answer.section, results.variants_section)
"""What a notebook shows of a page."""


PAIRED = ("lockstep",)
"""Options that are on by default, and have a second name that switches them off."""


class MeasureError(Exception):
    """Nothing was measured; the text is the last line that the run printed."""


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """What a run found. A notebook shows its answer and its table of variants."""

    report: Report

    @property
    def folder(self) -> Path:
        """The folder of the run's files."""
        return self.report.data.folder

    @property
    def page(self) -> Path:
        """The report."""
        return self.report.path

    @property
    def steps(self) -> pd.DataFrame:
        """A row a variant: seconds, rates, ratio and verdict, as in tables/steps.csv."""
        return self.report.steps

    @property
    def layers(self) -> pd.DataFrame:
        """A row a layer of each eager variant, as in tables/layers.csv."""
        return self.report.layers

    @property
    def memory(self) -> pd.DataFrame:
        """A row a variant: its memory in bytes, as in tables/memory.csv."""
        return self.report.memory

    @property
    def numerics(self) -> pd.DataFrame:
        """A row a variant: its errors against float64, as in tables/numerics.csv."""
        return self.report.numerics

    def __repr__(self) -> str:
        """Where the run and its report are."""
        return f"Result(folder={str(self.folder)!r}, page={str(self.page)!r})"

    def _repr_html_(self) -> str:
        """The answer and the table of variants."""
        return blocks.text(section(self.report) for section in SECTIONS)


def measure(task: object = None, **options: object) -> Result:
    """Measure as `nin-bench run` does, print its lines, and return what it found.

    `task` is a name, `package.module:attribute`, or a function or class of a module. Options are those of
    `nin-bench run` by their names: `preset="look"`, `budget="5m"`, `axis={"precision": ["fp32", "bf16"]}`. The run has
    processes of its own: nothing of the notebook's is in what it measures.
    Raises MeasureError if nothing was measured, ValueError if the task is of no module.
    """
    places = {"out": RESULTS, "reports": REPORTS, "run_id": f"{datetime.now(UTC):%Y-%m-%d-%H%M%S}-notebook"} | options
    named = {} if task is None else {"task": name_of(task)}
    last = printed([*python("bench"), "run", *arguments(named | places)])
    if last:
        raise MeasureError(last)
    return result(Path(str(places["out"])) / str(places["run_id"]), Path(str(places["reports"])))


def result(folder: str | Path, reports: Path = REPORTS) -> Result:
    """What a stored run found. Raises RecordError if its files are damaged."""
    return Result(pages.report_of(load(Path(folder)), reports))


def name_of(task: object) -> str:
    """The name by which another process finds a task. Raises ValueError if there is none."""
    if isinstance(task, str):
        return task
    module, name = getattr(task, "__module__", None), getattr(task, "__qualname__", "")
    if inspect.ismodule(task):
        return f"{task.__name__}:"
    if module in (None, "__main__") or not name.isidentifier():
        msg = "measuring needs a task of a module: write the cell to a file (%%writefile mytask.py), and import it"
        raise ValueError(msg)
    return f"{module}:{name}"


def arguments(options: Mapping[str, object]) -> list[str]:
    """Options by name as those of a command line."""
    words: list[str] = []
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            words += [option] if value else [f"--no-{option[2:]}"] if name in PAIRED else []
        elif isinstance(value, Mapping):
            words += [word for key, values in value.items() for word in (option, f"{key}={listed(values)}")]
        elif isinstance(value, Iterable) and not isinstance(value, str):
            words += [word for each in value for word in (option, str(each))]
        elif value is not None:
            words += [option, str(value)]
    return words


def listed(values: object) -> str:
    """The values of an axis as one word."""
    several = isinstance(values, Iterable) and not isinstance(values, str)
    return ",".join(map(str, values)) if several else str(values)  # type: ignore[call-overload]


def printed(command: list[str]) -> str:
    """Runs a command and prints its lines as they come. Returns the last one if it failed, else an empty text.

    If it is interrupted, the command ends as it does after Ctrl-C: it keeps what it measured.
    """
    last = ""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True
    ) as process:  # fmt: skip
        try:
            for line in process.stdout or ():
                last = visible(line.rstrip("\n")) or last
                print(line, end="", flush=True)  # noqa: T201 - a notebook shows it
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            for line in process.stdout or ():
                print(line, end="", flush=True)  # noqa: T201
            raise
    return last if process.returncode else ""
