"""A small process between the harness and a worker. Once one of them ends, it ends all that the worker started.

    python -S -P keeper.py CHANNEL OWN_SESSION COMMAND...

CHANNEL is the number of a socket. The harness alone holds its other end, so it closes when the harness ends, in
whatever way. The harness sends one line of JSON with the worker's environment, then one byte for each signal that the
worker is to get. The byte's highest bit is set if the worker's whole process group is to get it. The keeper sends
{"pid": N} or {"errno": N}, and {"code": N} once the worker has ended.

On Linux this process becomes the parent of all orphans among its descendants (a subreaper of prctl(2)), even if they
have sessions of their own or forked twice. On other systems it knows only the worker and its process group.

It sleeps while the worker runs, so that it does not disturb what is measured, and imports nothing slow.
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
"""Signals after which this process sweeps at once."""
HARMLESS = {signal.SIGCHLD, signal.SIGINT, signal.SIGQUIT}
"""Signals that only wake it: the keys of a terminal concern the worker."""
TO_GROUP = 0x80
"""Marks a signal for the worker's whole process group."""
AGAIN_MS = 100
"""How long a sweep waits before it looks again, if no child's end wakes it."""

Codes = dict[int, int]
"""The exit codes of reaped children by pid; minus the signal's number if a signal killed one."""


def main(channel: int, own_session: bool, command: list[str]) -> int:  # noqa: FBT001 - an argument of the command line
    """Starts the command, waits until it or the harness ends, and sweeps. Returns the exit code as a shell gives it."""
    os.set_inheritable(channel, False)  # noqa: FBT003 - the system's own signature
    wake = wake_on_signals()
    finds_all = becomes_subreaper()
    variables = read_variables(channel)
    if variables is None:
        return 1
    try:
        process = subprocess.Popen(command, env=variables, process_group=0 if own_session else None)
    except OSError as error:
        report(channel, errno=error.errno or 0)
        return 1
    worker = process.pid  # reaped below, with the orphans
    if not own_session:
        os.setsid()  # a signal to the harness's whole group must not reach this process
    report(channel, pid=worker)
    codes: Codes = {}
    watch(worker, channel, wake, codes)
    ended = worker in codes
    if ended:
        report(channel, code=codes[worker])  # before the sweep, which does not count for the time limit
    if finds_all:
        sweep(wake, codes)
    else:
        end_group(worker, codes)
    code = codes.get(worker, -signal.SIGKILL)
    if not ended:
        report(channel, code=code)
    return code if code >= 0 else 128 - code


def becomes_subreaper() -> bool:
    """Whether this process gets all orphans from now on, and /proc lists them."""
    try:
        import ctypes  # noqa: PLC0415 - some builds of Python lack it

        done = ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
        # The /proc of another namespace would name other processes by the same numbers.
        return done and os.readlink("/proc/self") == str(os.getpid())  # noqa: PTH115 - pathlib is slow to import
    except (ImportError, AttributeError, OSError, TypeError):  # another system than Linux
        return False


def wake_on_signals() -> int:
    """The read end of a pipe that gets each signal's number. Ignored signals stay ignored, here and in the worker."""
    wake, write_end = os.pipe()
    for end in (wake, write_end):
        os.set_blocking(end, False)
    for number in ENDING | HARMLESS:
        if number == signal.SIGCHLD or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: None)  # unlike SIG_IGN, a handler is not handed on to the worker
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    return wake


def read_variables(channel: int) -> dict[bytes, bytes] | None:
    """The worker's environment in bytes; None if the harness ended before it had sent all of it."""
    text = b""
    while not text.endswith(b"\n"):
        part = receive(channel)
        if not part:
            return None
        text += part
    return {name.encode("latin-1"): value.encode("latin-1") for name, value in json.loads(text).items()}


def receive(channel: int) -> bytes:
    """What the harness sent; empty if it closed its end or was killed."""
    try:
        return os.read(channel, 65536)
    except ConnectionError:
        return b""


def report(channel: int, **message: int) -> None:
    """Sends a message, one line of JSON, to the harness, if it still listens."""
    with contextlib.suppress(OSError):
        os.write(channel, json.dumps(message).encode() + b"\n")


def watch(worker: int, channel: int, wake: int, codes: Codes) -> None:
    """Sleeps until the worker has ended, the channel closes, or a signal of ENDING comes."""
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
    """Notes the exit codes of children that have ended. Returns whether any child is left."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if not pid:
            return True
        codes[pid] = os.waitstatus_to_exitcode(status)


def sweep(wake: int, codes: Codes) -> None:
    """Kills children until none is left: the orphans of each become children in turn.

    A child keeps its pid until it is reaped here, so no other process is hit. A process of another user can't be
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
    """Kills a process. Returns whether it existed and could be killed."""
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def end_group(worker: int, codes: Codes) -> None:
    """Kills the worker and the process group that it leads: no more is known on a system without subreapers."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(worker, signal.SIGKILL)
    if worker not in codes:
        kill(worker)
        codes[worker] = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])


if __name__ == "__main__":
    # Skips the interpreter's own end: it may be slow, and PYTHONINSPECT would keep it open.
    os._exit(main(int(sys.argv[1]), sys.argv[2] == "1", sys.argv[3:]))
