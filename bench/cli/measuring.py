"""The work that `run` and `ab` share: it takes the trials of a run, or those that a stored run still lacks."""

from functools import partial
from pathlib import Path

from rich.console import Console

from bench.analyse.race import ranking
from bench.cli.calls import entries_of
from bench.cli.ends import fail, one_line, refused
from bench.cli.verbs.pages import fastest, flag, look, print_estimates
from bench.core.exits import INTERRUPTED, called
from bench.core.progress import RunProgress
from bench.core.text import shell_word
from bench.core.variants import DEFAULTS
from bench.plan.choices import Choices, folder_of, name_run
from bench.run import session
from bench.run.prepare import reopen, start
from bench.run.prepare.dry import try_again


def measure(chosen: Choices, resume: str | None) -> Path:
    """Take the trials of a new run, or those that the resumed run still lacks. Returns its folder."""
    progress, folder = RunProgress(Console()), None
    with refused(), one_line():
        try:
            if resume:
                folder = folder_of(chosen.out, resume)
                under_way = reopen.go_on(chosen, folder, progress)
                try_again(under_way, [entry.variant.id for entry in under_way.entries])
            else:
                folder = chosen.out / name_run(chosen)
                under_way = start.start(chosen, entries_of(chosen), folder, progress)
            if chosen.kind == "ab":
                session.execute(under_way, after_pilot=lambda _: None, flag=flag)
            else:
                session.execute(
                    under_way,
                    after_pilot=print_estimates,
                    fastest=fastest,
                    ranking=ranking,
                    decided=partial(look, progress),
                )
        except KeyboardInterrupt:
            if folder is None or not folder.is_dir():
                fail("interrupted before anything was measured", INTERRUPTED)
            fail(
                f"interrupted; what was measured is kept. Go on with: {called()} {chosen.kind} "
                f"--out {shell_word(str(folder.parent))} --resume {folder.name}{model_again(chosen)}; "
                f"report what there is with: {called()} report {shell_word(str(folder))}",
                INTERRUPTED,
            )
    return folder


def model_again(chosen: Choices) -> str:
    """The options that name the user's own model again: --resume needs them."""
    option = "--model" if chosen.task is None else "--task"
    named = [f" {option} {chosen.trained}"] if chosen.trained != DEFAULTS["model"] else []
    return "".join([*named, *(f" --axis {axis}" for axis in chosen.axes if axis.startswith(("model=", "task.")))])
