"""One worker process: its environment, its request and reply, its time limit, its end."""

import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.core.exchange.cause import MOST_LETTERS, Cause
from bench.core.exchange.messages import Describe, Reply, Request, encoded, reply_of
from bench.core.home import without_home
from bench.core.records import decoder_words
from bench.core.traces import file_name
from bench.core.variants import AXES, Variant
from bench.process.kept import Kept
from bench.process.python import python

WORKER = python("bench.measure.worker")

LONGEST_FOLDER, SHORT_FOLDER = 70, "/tmp"  # noqa: S108 - only the folder of a folder of our own
"""A socket's path may have 104 characters (107 on Linux), with what is added to the folder for temporary files."""
LAST_LINES = 3
"""How many lines of a worker's log its reason quotes."""


def environment_of(variant: Variant, libraries: Mapping[str, str], cache: Path) -> dict[str, str]:
    """The environment of a trial's process: the user's without what would alter the variant, and the variant's own.

    `libraries` are the files that can be loaded first, by the name of the value that asks for one.
    """
    variables = of_user()
    for value in variant.values.values():
        variables |= value.variables
        if value.preload and value.name in libraries:
            variables["LD_PRELOAD"] = " ".join(filter(None, (libraries[value.name], variables.get("LD_PRELOAD"))))
    if variant.compiled:
        # In a folder of the run's own: the pilot compiles from nothing (cold), later trials reuse its code (warm).
        compiled = cache / file_name(variant.id)
        variables["TORCHINDUCTOR_CACHE_DIR"] = str(compiled)
        variables["TRITON_CACHE_DIR"] = str(compiled / "triton")
    return variables


def of_user() -> dict[str, str]:
    """The user's environment without the variables that would make a variant another one."""
    ours = {name for axis in AXES.values() for name in axis.variables()}
    return {name: value for name, value in os.environ.items() if name not in ours}


def of_tree(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that runs in a code tree: PYTHONPATH names the same folders as here."""
    here = [str(Path(entry).resolve()) for entry in variables.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return dict(variables) | {"PYTHONPATH": os.pathsep.join(here)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request, and how to start the worker that answers it."""

    request: Request
    variables: Mapping[str, str]
    limit_s: float
    """How long the worker may work."""
    command: Sequence[str] = WORKER
    folder: Path | None = None
    """The folder in which it is started; None for the current one."""


def ask(
    request: Describe | Request,
    variables: Mapping[str, str],
    limit_s: float,
    worker: Sequence[str] = WORKER,
    folder: Path | None = None,
) -> Reply:
    """The worker's reply, or a reply that says why there is none.

    The worker is started in `folder`, by default the current one. This blocks without polling. Whatever happens,
    nothing that the worker started still runs afterwards.
    """
    with scratch() as files:
        with Worker(request, variables, files, worker, folder) as running:
            running.wait(limit_s)
        return running.reply(limit_s)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder for the files of one worker, which is removed afterwards."""
    usual = tempfile.gettempdir()
    folder = SHORT_FOLDER if len(usual) > LONGEST_FOLDER and Path(SHORT_FOLDER).is_dir() else usual
    with tempfile.TemporaryDirectory(prefix="nin-bench-", dir=folder) as files:
        yield Path(files)


class Worker(Kept):
    """A worker with a request: it ends by itself, or at the end of this context."""

    def __init__(
        self,
        request: Describe | Request,
        variables: Mapping[str, str],
        files: Path,
        command: Sequence[str] = WORKER,
        folder: Path | None = None,
    ) -> None:
        """Starts it in `folder`, by default the current one. Its request, reply and log are in `files`."""
        self._reply, self._log, asked = files / "reply", files / "log", files / "request"
        asked.write_bytes(encoded(request))
        with self._log.open("wb") as log:
            super().__init__([*command, str(asked), str(self._reply)], variables, folder=folder, log=log)

    def reply(self, limit_s: float) -> Reply:
        """The reply of a worker that has ended, or a reply that says why there is none, such as `limit_s`."""
        if not self.ended:
            return failed(Cause.TIME_LIMIT, f"no reply within {limit_s:.0f} s")
        return read_reply(self._reply, self._log, self.returncode)


def failed(cause: Cause, reason: str) -> Reply:
    """The reply of a worker that gave none."""
    return Reply(cause=cause, reason=without_home(reason)[:MOST_LETTERS])


def read_reply(reply: Path, log: Path, returncode: int) -> Reply:
    """The checked reply in the file, or one that says why there is none, with the end of the worker's log."""
    if returncode < 0:
        known = {number.value: number.name for number in signal.Signals}
        name = known.get(-returncode, f"signal {-returncode}")
        killed = -returncode == signal.SIGKILL
        hint = ", perhaps for want of memory" if killed else ""
        return with_log(Cause.KILLED if killed else Cause.CRASHED, f"the worker was killed by {name}{hint}", log)
    if returncode > 0:
        return with_log(Cause.CRASHED, f"the worker ended with exit code {returncode}", log)
    try:
        return reply_of(reply.read_bytes())
    except FileNotFoundError:
        return with_log(Cause.NO_REPLY, "the worker gave no reply", log)
    except (OSError, ValueError, RecursionError) as error:
        return with_log(Cause.BAD_REPLY, f"the worker gave no reply that can be read ({decoder_words(error)})", log)


def with_log(cause: Cause, how: str, log: Path) -> Reply:
    """The reply of a worker that failed, whose reason quotes the end of the worker's log."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    last = [line.strip() for line in lines if line.strip()][-LAST_LINES:]
    return failed(cause, ": ".join([how, " / ".join(last)] if last else [how]))
