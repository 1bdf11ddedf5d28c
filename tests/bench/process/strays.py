"""Stands in for a worker that leaves processes behind: `python strays.py HOW FOLDER [REQUEST REPLY]`.

Each stray writes a file of its name into the folder and sleeps. Then the worker ends as HOW says: reply, exit, kill or
hang. All inherit its variables, by which a test finds them.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

SLEEP_S = 120
OK: dict[str, Any] = {"reason": "", "samples": [], "layers": []}


def sleep_as(name: str, folder: Path) -> None:
    (folder / name).touch()
    time.sleep(SLEEP_S)


def in_session(folder: Path) -> None:
    """A program of its own session, as a tool's server would be."""
    code = f"import pathlib, time; pathlib.Path({str(folder / 'in_session')!r}).touch(); time.sleep({SLEEP_S})"
    subprocess.Popen([sys.executable, "-S", "-c", code], start_new_session=True)


def daemon(folder: Path) -> None:
    """Forked twice, a session between: it has no parent that this worker knows."""
    first = os.fork()
    if first:
        os.waitpid(first, 0)
        return
    os.setsid()
    if not os.fork():
        sleep_as("daemon", folder)
    os._exit(0)


def stubborn(folder: Path) -> None:
    """Deaf to what asks politely, in a session of its own, and so is its child."""
    if os.fork():
        return
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    name = "stubborn" if os.fork() else "stubborn_child"
    sleep_as(name, folder)
    os._exit(0)


def loader(folder: Path) -> None:
    """A worker as DataLoader forks them, that moved to a session of its own."""

    def work() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.setsid()
        sleep_as("loader", folder)

    get_context("fork").Process(target=work, daemon=True).start()


def in_group(folder: Path) -> None:
    """A plain child, in the worker's own process group."""
    if not os.fork():
        sleep_as("in_group", folder)
        os._exit(0)


STRAYS: tuple[Callable[[Path], None], ...] = (in_session, daemon, stubborn, loader, in_group)
NAMES = {stray.__name__ for stray in STRAYS} | {"stubborn_child"}


def main(how: str, folder: str, request: str = "", reply: str = "") -> None:
    del request
    for stray in STRAYS:
        stray(Path(folder))
    until = time.monotonic() + 30
    while not all((Path(folder) / name).exists() for name in NAMES):
        if time.monotonic() > until:
            os._exit(9)
        time.sleep(0.01)
    (Path(folder) / "worker").touch()
    if how == "hang":
        time.sleep(SLEEP_S)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "reply":
        Path(reply).write_text(json.dumps(OK))
    os._exit(0 if how == "reply" else 3)


if __name__ == "__main__":
    main(*sys.argv[1:])
