"""A command under a keeper, on the harness's side: its start, its time limit, its end."""

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
"""It needs the standard library alone: no site-packages (-S), not its own folder (-P), and no PYTHONPATH."""
TO_GROUP = 0x80
"""Marks a signal for the command's whole process group (keeper.py has the same)."""
GRACE_S = 5.0
"""How long a command in the foreground may take to end by itself after Ctrl-C."""


class Kept:
    """A command. When it or the harness ends, all that it started ends too (on systems with prctl(2); see keeper.py).

    As a context, it kills at its end what still runs, and waits until that is gone. Raises OSError if it can't start.
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
        """Starts it in a folder, by default the current one.

        It writes to the log and reads nothing. In the foreground it has this process's terminal and gets its Ctrl-C;
        if not, it leads a process group in another session.
        """
        self.returncode = 0
        """The command's exit code once it has ended; minus the signal's number if a signal killed it."""
        self.ended = False
        """Whether the command has ended by itself."""
        self._channel, theirs = socket.socketpair()
        with theirs, contextlib.ExitStack() as undo:
            undo.callback(self._channel.close)
            number = theirs.fileno()
            self._keeper = subprocess.Popen(
                [*KEEPER, str(number), "0" if foreground else "1", *command], cwd=folder, pass_fds=[number],
                env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
                stdin=None if foreground else subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=not foreground,
            )  # fmt: skip
            undo.pop_all()
            undo.callback(self.end)
            theirs.close()  # so that the channel closes when the keeper ends
            self.pid = self._begin(command[0], variables)
            undo.pop_all()

    def _begin(self, program: str, variables: Mapping[str, str]) -> int | None:
        """Has the keeper start the command. Returns its pid; None if the keeper itself ended."""
        asked = {_latin(name): _latin(value) for name, value in variables.items()}
        with contextlib.suppress(ConnectionError):
            self._channel.sendall(json.dumps(asked).encode() + b"\n")
        answer = self._hear()
        if "errno" in answer:
            raise OSError(answer["errno"], os.strerror(answer["errno"]), program)
        return answer.get("pid")

    def _hear(self) -> dict[str, int]:
        """The keeper's next answer; empty if it has ended."""
        line = b""
        with contextlib.suppress(ConnectionError):
            while not line.endswith(b"\n") and (part := self._channel.recv(1)):
                line += part
        return json.loads(line) if line.endswith(b"\n") else {}

    def wait(self, limit_s: float | None = None) -> bool:
        """Whether the command ended within the limit. This sleeps; Popen.wait would wake up twenty times a second."""
        if self.ended:
            return True
        if not select.select([self._channel], [], [], limit_s)[0]:
            return False
        self.ended = True
        answer = self._hear()
        if "code" in answer:
            self.returncode = answer["code"]
        else:
            self.returncode = self._keeper.wait() or 1
            self._end_group()
        return True

    def send(self, number: signal.Signals) -> None:
        """Sends the command a signal, if it still runs."""
        self._order(number)

    def signal_group(self, number: signal.Signals) -> None:
        """Sends a signal to the process group of a command in the background, if the command still runs."""
        self._order(number | TO_GROUP)

    def _order(self, number: int) -> None:
        with contextlib.suppress(OSError):  # the keeper has ended, or this end is closed
            self._channel.sendall(bytes([number]))

    def fileno(self) -> int:
        """The descriptor for select(2), which is readable once the command has ended."""
        return self._channel.fileno()

    def end(self) -> None:
        """Kills what is left of the command and of all that it started, and waits until it is gone."""
        self._channel.close()
        self._keeper.wait()

    def _end_group(self) -> None:
        """Kills the command's process group: without the keeper, which was killed, no more can be done."""
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
    """Runs a command in the foreground. Returns its exit code.

    After Ctrl-C it has GRACE_S to end. Then KeyboardInterrupt is raised.
    """
    with Kept(command, variables, foreground=True) as kept:
        try:
            kept.wait()
        except KeyboardInterrupt:
            kept.wait(GRACE_S)
            raise
    return kept.returncode


def _latin(text: str) -> str:
    """A variable's bytes as text with one character per byte, whatever the keeper's encoding is."""
    return os.fsencode(text).decode("latin-1")
