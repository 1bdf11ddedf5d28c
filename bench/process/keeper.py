"""A small process between the harness and a worker: once one of them ends, nothing that the worker started still runs.

    python -S -P keeper.py CHANNEL OWN_SESSION COMMAND...

CHANNEL is the number of a socket whose other end the harness alone holds, so it closes when the harness ends,
however that comes about. The harness sends one line of JSON, the worker's variables, then a byte for each signal that
the worker is to get; its highest bit is set if the worker's whole process group is meant. It is told {"pid": N} or
{"errno": N}, and {"code": N} once the worker has ended.

Linux gives this process all orphans among its descendants (a subreaper of prctl(2)): sessions of their own and double
forks lead to nowhere else. Elsewhere only the worker and its process group can be found.

It sleeps while the worker runs, so as not to disturb what is measured, and imports nothing slow.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator

SET_CHILD_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2)."""
ENDING = {signal.SIGTERM, signal.SIGHUP}
"""Signals upon which this process sweeps at once."""
HARMLESS = {signal.SIGCHLD, signal.SIGINT, signal.SIGQUIT}
"""Signals that only wake it: the keys of a terminal are the worker's concern."""
TO_GROUP = 0x80
"""Marks a signal that is meant for the worker's whole process group."""
AGAIN_MS = 100
"""How long a sweep waits before it looks again, should no child's end wake it."""

Codes = dict[int, int]
"""The exit codes of the children that were reaped, by pid; minus the signal's number where one killed it."""


def main(channel: int, own_session: bool, command: list[str]) -> int:  # noqa: FBT001 - an argument of the command line
    """Start the command, wait for its end or the harness's, and sweep; the exit code, as a shell gives it."""
    os.set_inheritable(channel, False)  # noqa: FBT003 - the system's own signature
    wake = wake_on_signals()
    finds_all = becomes_subreaper()
    variables = read_variables(channel)
    if variables is None:
        return 1
    try:
        process = subprocess.Popen(command, env=variables, process_group=0 if own_session else None)
    except OSError as error:
        tell(channel, errno=error.errno or 0)
        return 1
    worker = process.pid  # reaped below, with the orphans
    if not own_session:
        os.setsid()  # what strikes the harness's group as a whole must not strike this process
    tell(channel, pid=worker)
    codes: Codes = {}
    watch(worker, channel, wake, codes)
    ended = worker in codes
    if ended:
        tell(channel, code=codes[worker])  # before the sweep, which the time limit does not count
    if finds_all:
        sweep(wake, codes)
    else:
        end_group(worker, codes)
    code = codes.get(worker, -signal.SIGKILL)
    if not ended:
        tell(channel, code=code)
    return code if code >= 0 else 128 - code


def becomes_subreaper() -> bool:
    """Whether orphans come to this process from now on, and can be found in /proc."""
    try:
        import ctypes  # noqa: PLC0415 - some builds of Python lack it

        done = ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
        # The /proc of another namespace would name other processes by the same numbers.
        return done and os.readlink("/proc/self") == str(os.getpid())  # noqa: PTH115 - pathlib is slow to import
    except (ImportError, AttributeError, OSError, TypeError):  # another system than Linux
        return False


def wake_on_signals() -> int:
    """The read end of a pipe that gets the number of each signal. Ignored signals stay ignored, here and beyond."""
    wake, write_end = os.pipe()
    for end in (wake, write_end):
        os.set_blocking(end, False)
    for number in ENDING | HARMLESS:
        if number == signal.SIGCHLD or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: None)  # unlike SIG_IGN, a handler is not handed on to the worker
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    return wake


def read_variables(channel: int) -> dict[bytes, bytes] | None:
    """The worker's variables, byte for byte; None where the harness ended before it had sent them all."""
    text = b""
    while not text.endswith(b"\n"):
        part = receive(channel)
        if not part:
            return None
        text += part
    return {name.encode("latin-1"): value.encode("latin-1") for name, value in json.loads(text).items()}


def receive(channel: int) -> bytes:
    """What the harness sent; nothing where it closed its end, or was killed."""
    try:
        return os.read(channel, 65536)
    except ConnectionError:
        return b""


def tell(channel: int, **what: int) -> None:
    """Send a line to the harness, if it still listens."""
    with contextlib.suppress(OSError):
        os.write(channel, json.dumps(what).encode() + b"\n")


def watch(worker: int, channel: int, wake: int, codes: Codes) -> None:
    """Sleep until the worker has ended, or its end is asked for: by the channel's end or by a signal."""
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    poll.register(wake, select.POLLIN)
    while True:
        ready = [descriptor for descriptor, _ in poll.poll()]
        if wake in ready:
            numbers = os.read(wake, 4096)
            reap(codes)
            if worker in codes or ENDING & set(numbers):
                return
        if channel in ready:
            orders = receive(channel)
            if not orders:
                return
            for order in orders:
                obey(order, worker)


def obey(order: int, worker: int) -> None:
    """Send the worker, or its process group, the signal of an order."""
    with contextlib.suppress(ProcessLookupError):
        if order & TO_GROUP:
            os.killpg(worker, order & ~TO_GROUP)
        else:
            os.kill(worker, order)


def reap(codes: Codes) -> bool:
    """Note the exit codes of children that have ended; whether any child is left."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if not pid:
            return True
        codes[pid] = os.waitstatus_to_exitcode(status)


def sweep(wake: int, codes: Codes) -> None:
    """Kill children until none is left: the orphans of each become children in turn.

    A child's pid stays its own until it is reaped here, so no stranger is hit. What belongs to another user can't be
    killed and is left.
    """
    poll = select.poll()
    poll.register(wake, select.POLLIN)
    while reap(codes):
        killed = [kill(pid) for pid in children()]
        if not any(killed):
            return
        if poll.poll(AGAIN_MS):
            os.read(wake, 4096)


def children() -> Iterator[int]:
    """The pids of this process's children."""
    own = str(os.getpid()).encode()
    for entry in os.listdir("/proc"):  # noqa: PTH208 - pathlib is slow to import
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError), open(f"/proc/{entry}/stat", "rb") as file:  # noqa: PTH123 - pathlib is slow
            # "pid (name) state ppid ...": a name may hold spaces and brackets.
            if file.read().rpartition(b")")[2].split()[1] == own:
                yield int(entry)


def kill(pid: int) -> bool:
    """Kill a process; whether that was allowed and it was there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def end_group(worker: int, codes: Codes) -> None:
    """Kill the worker and the process group that it leads: all that can be found where there are no subreapers."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(worker, signal.SIGKILL)
    if worker not in codes:
        kill(worker)
        codes[worker] = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])


if __name__ == "__main__":
    # Without the interpreter's own end: it may be slow, or be kept open by PYTHONINSPECT.
    os._exit(main(int(sys.argv[1]), sys.argv[2] == "1", sys.argv[3:]))
