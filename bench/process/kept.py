"""A command under a keeper, as the harness sees it: its start, its time limit, its end."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

KEEPER = (sys.executable, "-S", "-P", str(Path(__file__).with_name("keeper.py")))
"""Without site-packages, which it does not need, and without `bench` before the standard library."""
TO_GROUP = 0x80
"""Marks a signal that is meant for the command's whole process group (keeper.py has it too)."""
GRACE_S = 5.0
"""What a command in the foreground gets to end by itself after Ctrl-C."""


class Kept:
    """A command whose end, or whose harness's end, ends all that it started (where there is prctl(2); see keeper.py).

    A context: leaving it kills what still runs, and waits until it is gone. Raises OSError if it can't be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        variables: Mapping[str, str],
        *,
        folder: Path | None = None,
        log: IO[bytes] | None = None,
        foreground: bool = False,
    ) -> None:
        """Start it in a folder, here by default.

        It writes to the log, and reads nothing. In the foreground it has this process's terminal and gets its Ctrl-C;
        otherwise it leads a process group in another session.
        """
        self.returncode = 0
        """The command's exit code once it has ended, minus the signal's number where one killed it."""
        self.ended = False
        """Whether the command has ended by itself."""
        self._channel, theirs = socket.socketpair()
        with theirs, contextlib.ExitStack() as undo:
            undo.callback(self._channel.close)
            number = theirs.fileno()
            self._keeper = subprocess.Popen(
                [*KEEPER, str(number), "0" if foreground else "1", *command], cwd=folder, pass_fds=[number],
                stdin=None if foreground else subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=not foreground,
            )  # fmt: skip
            undo.pop_all()
            undo.callback(self.end)
            theirs.close()  # so that the keeper's end is seen
            self.pid = self._begin(command[0], variables)
            undo.pop_all()

    def _begin(self, program: str, variables: Mapping[str, str]) -> int | None:
        """Have the keeper start the command; its pid, None where the keeper itself ended."""
        asked = {_latin(name): _latin(value) for name, value in variables.items()}
        with contextlib.suppress(ConnectionError):
            self._channel.sendall(json.dumps(asked).encode() + b"\n")
        told = self._hear()
        if "errno" in told:
            raise OSError(told["errno"], os.strerror(told["errno"]), program)
        return told.get("pid")

    def _hear(self) -> dict[str, int]:
        """What the keeper tells next; nothing where it has ended."""
        line = b""
        with contextlib.suppress(ConnectionError):
            while not line.endswith(b"\n") and (part := self._channel.recv(1)):
                line += part
        return json.loads(line) if line.endswith(b"\n") else {}

    def wait(self, limit_s: float | None = None) -> bool:
        """Whether the command ended within the limit. Sleeps meanwhile: Popen.wait wakes up twenty times a second."""
        if self.ended:
            return True
        if not select.select([self._channel], [], [], limit_s)[0]:
            return False
        self.ended = True
        told = self._hear()
        if "code" in told:
            self.returncode = told["code"]
        else:
            self.returncode = self._keeper.wait() or 1
            self._end_group()
        return True

    def send(self, number: signal.Signals) -> None:
        """Send the command a signal, if it still runs."""
        self._order(number)

    def signal_group(self, number: signal.Signals) -> None:
        """Send the process group that the command leads a signal, if the command still runs. Not in the foreground."""
        self._order(number | TO_GROUP)

    def _order(self, number: int) -> None:
        with contextlib.suppress(OSError):  # the keeper has ended, or this end is closed
            self._channel.sendall(bytes([number]))

    def fileno(self) -> int:
        """What select(2) waits for: readable once the command has ended."""
        return self._channel.fileno()

    def end(self) -> None:
        """Kill what is left of the command and of all that it started; back when it is gone."""
        self._channel.close()
        self._keeper.wait()

    def _end_group(self) -> None:
        """Kill the command's process group, the most that can be done without a keeper, which was killed."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()


def call(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run a command in the foreground; its exit code. After Ctrl-C it has five seconds to end, then that is raised."""
    with Kept(command, variables, foreground=True) as kept:
        try:
            kept.wait()
        except KeyboardInterrupt:
            kept.wait(GRACE_S)
            raise
    return kept.returncode


def _latin(text: str) -> str:
    """A variable's bytes as text of one character a byte, whatever encoding the keeper has."""
    return os.fsencode(text).decode("latin-1")
