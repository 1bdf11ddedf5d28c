"""What the verbs share: a call is checked, then its run is begun or gone on with."""

from pathlib import Path

import typer

from bench.cli import contradictions
from bench.cli.ends import fail, one_line, refused
from bench.cli.finish import fastest, flag, print_estimates, worth_tracing
from bench.core import home
from bench.core.exits import INTERRUPTED
from bench.core.text import shell_word
from bench.core.variants import DEFAULTS
from bench.machine.environment import cores
from bench.plan.choices import RESULTS, Choices, folder_of, name_run, newest
from bench.plan.matrix import ALL_DEVICES, Entry, ab_matrix, matrix


def check(context: typer.Context) -> None:
    """Refuse a call whose options contradict each other."""
    with refused():
        contradictions.refuse(context)


def places(out: Path | None, reports: Path) -> None:
    """Refuse a call whose new run or report could not be written, before anything is measured."""
    with refused():
        if out is not None:
            home.check(out, "--out")
        home.check(reports, "--reports")


def measure(chosen: Choices, resume: str | None) -> Path:
    """Take the trials of a new run, or what is left of one; its folder."""
    from bench.run import launch  # noqa: PLC0415
    from bench.run.prepare import reopen, setup  # noqa: PLC0415

    progress, folder = setup.progress(), None
    with refused(), one_line():
        try:
            if resume:
                folder = folder_of(chosen.out, resume)
                under_way = reopen.go_on(chosen, folder, progress)
                setup.try_again(under_way, [entry.variant.id for entry in under_way.entries])
            else:
                folder = chosen.out / name_run(chosen)
                under_way = setup.start(chosen, entries_of(chosen), folder, progress)
            if chosen.kind == "ab":
                launch.execute(under_way, after_pilot=lambda _: None, flag=flag)
            else:
                launch.execute(under_way, after_pilot=print_estimates, fastest=fastest)
        except KeyboardInterrupt:
            if folder is None or not folder.is_dir():
                fail("interrupted before anything was measured", INTERRUPTED)
            fail(
                f"interrupted; what was measured is kept. Go on with: python -m bench {chosen.kind} "
                f"--out {shell_word(str(folder.parent))} --resume {folder.name}{model_again(chosen)}; "
                f"report what there is with: python -m bench report {shell_word(str(folder))}",
                INTERRUPTED,
            )
    return folder


def model_again(chosen: Choices) -> str:
    """The options that name a model of the user's own again, which a run is not gone on with otherwise."""
    named = [f" --model {chosen.model}"] if chosen.model != DEFAULTS["model"] else []
    return "".join([*named, *(f" --axis {axis}" for axis in chosen.axes if axis.startswith("model="))])


def entries_of(chosen: Choices) -> list[Entry]:
    """The matrix that the options ask for."""
    devices = list(ALL_DEVICES) if chosen.device == "all" else [chosen.device]
    if chosen.kind != "run":
        return ab_matrix(devices, chosen.axes, chosen.variants, chosen.model)
    return matrix(chosen.preset, devices, chosen.axes, chosen.variants, chosen.model, cores())


def stored(run: str | None) -> Path:
    """The folder of a run in results/, the newest where none is named."""
    with refused():
        return folder_of(RESULTS, run) if run else newest(RESULTS)


def trace(chosen: Choices, run: str | None, steps: int) -> Path:
    """Take the traces of a new run, or of one that is there; its folder."""
    from bench.run import profile as parent  # noqa: PLC0415
    from bench.run.prepare import reopen, setup  # noqa: PLC0415

    progress = setup.progress()
    with refused(), one_line():
        if run is None:
            folder = chosen.out / name_run(chosen)
            under_way = setup.start(chosen, entries_of(chosen), folder, progress)
            ids = [entry.variant.id for entry in under_way.entries]
        else:
            folder = folder_of(chosen.out, run)
            ids = list(chosen.variants) or worth_tracing(folder)
            under_way = reopen.add_to(chosen, folder, progress, ids)
            setup.try_again(under_way, ids)
        try:
            parent.execute(under_way, ids, steps)
        except KeyboardInterrupt:
            fail("interrupted; the traces that were complete are kept", INTERRUPTED)
    return folder
