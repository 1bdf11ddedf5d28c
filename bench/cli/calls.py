"""What the verbs share before their work: they check a call, and get its folders and its matrix."""

from pathlib import Path

import typer

from bench.cli import contradictions
from bench.cli.ends import refused
from bench.core import home
from bench.plan.choices import RESULTS, Choices, folder_of, newest
from bench.plan.matrix import ALL_DEVICES, Entry, ab_matrix, matrix
from nin.cgroup import usable_cores


def check(context: typer.Context) -> None:
    """Refuse a call whose options contradict each other."""
    with refused():
        contradictions.refuse(context)


def places(out: Path | None, reports: Path) -> None:
    """Refuse a call before anything is measured, if its run or its report could not be written."""
    with refused():
        if out is not None:
            home.check(out, "--out")
        home.check(reports, "--reports")


def entries_of(chosen: Choices) -> list[Entry]:
    """The matrix that the options ask for."""
    devices = list(ALL_DEVICES) if chosen.device == "all" else [chosen.device]
    if chosen.kind != "run":
        return ab_matrix(devices, chosen.axes, chosen.variants, chosen.trained, chosen.mode)
    return matrix(
        chosen.preset,
        devices,
        chosen.axes,
        chosen.variants,
        chosen.trained,
        usable_cores(),
        chosen.mode,
        of_task=chosen.task is not None,
    )


def stored(run: str | None) -> Path:
    """The folder of a run in results/; of the newest if none is named."""
    with refused():
        return folder_of(RESULTS, run) if run else newest(RESULTS)
