"""A command under a keeper is the command that was asked for, and its end is told as if nothing stood between."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.core.exchange.messages import Describe
from bench.process import child, kept
from bench.process.kept import Kept

SLEEP = [sys.executable, "-S", "-c", "import time; print('up', flush=True); time.sleep(60)"]


def wait_for(text: bytes, log: Path) -> None:
    until = time.monotonic() + 30
    while text not in log.read_bytes():
        assert time.monotonic() < until
        time.sleep(0.01)


def output(command: list[str], variables: dict[str, str], log: Path) -> bytes:
    with log.open("wb") as file, Kept(command, variables, log=file) as command_kept:
        assert command_kept.wait(30)
    assert command_kept.returncode == 0
    return log.read_bytes()


def plain_output(command: list[str], variables: dict[str, str]) -> bytes:
    return subprocess.run(
        command, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, start_new_session=True
    ).stdout


def test_the_variables_are_those_asked_for_byte_for_byte(tmp_path: Path) -> None:
    variables = {"ONE": "1", "LATIN": "caf\udce9", "LINES": "ü\n=2", "EMPTY": ""}
    found = output(["/bin/cat", "/proc/self/environ"], variables, tmp_path / "log")

    assert found == b"ONE=1\0LATIN=caf\xe9\0LINES=\xc3\xbc\n=2\0EMPTY=\0"


def test_a_library_that_is_preloaded_reaches_the_worker_and_not_the_keeper(tmp_path: Path) -> None:
    found = output(["/bin/true"], {"LD_PRELOAD": "libof-the-variant.so"}, tmp_path / "log")

    assert found.count(b"libof-the-variant.so") == 1  # the loader's complaint: once, by the worker's


@pytest.mark.parametrize("foreground", [False, True])
def test_signals_limits_and_open_files_are_those_of_a_plain_child(foreground: bool, tmp_path: Path) -> None:
    code = "grep -E 'Sig(Ign|Blk)|NoNewPrivs|Cpus_allowed:|Seccomp:' /proc/self/status; cat /proc/self/limits"
    code += "; ls /proc/self/fd; pwd; umask; cat /proc/self/timerslack_ns; grep -c . /proc/self/personality"
    command = ["/bin/sh", "-c", code]
    log = tmp_path / "log"
    with log.open("wb") as file, Kept(command, {}, log=file, foreground=foreground) as command_kept:
        command_kept.wait(30)

    assert plain_output(command, {}) == log.read_bytes()


def test_a_worker_leads_a_process_group_out_of_reach_of_the_terminal(tmp_path: Path) -> None:
    code = "import os; print(os.getpgrp() == os.getpid(), os.getsid(0))"
    leads, session = output([sys.executable, "-S", "-c", code], {}, tmp_path / "log").split()

    assert leads == b"True"
    assert int(session) != os.getsid(0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGSEGV, signal.SIGKILL])
def test_the_signal_that_killed_a_worker_is_told(number: signal.Signals) -> None:
    code = f"import os; os.kill(os.getpid(), {number.value})"
    reply = child.ask(Describe(), dict(os.environ), 30, (sys.executable, "-S", "-c", code))

    assert reply.reason.startswith(f"the worker was killed by {number.name}")


def test_a_worker_that_kills_its_whole_group_is_told() -> None:
    reply = child.ask(Describe(), dict(os.environ), 30, (sys.executable, "-S", "-c", "import os; os.killpg(0, 9)"))

    assert reply.reason == "the worker was killed by SIGKILL, perhaps for want of memory"


def test_a_program_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        Kept(["/no/such/program"], {})
    assert caught.value.filename == "/no/such/program"

    with pytest.raises(FileNotFoundError):
        Kept(["/bin/true"], {}, folder=tmp_path / "none")


def test_a_keeper_that_is_killed_is_an_error_and_the_worker_ends(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file, Kept(SLEEP, {}, log=file) as command_kept:
        wait_for(b"up", log)
        command_kept._keeper.kill()

        assert command_kept.wait(30)
        assert command_kept.returncode == -signal.SIGKILL
        worker = Path(f"/proc/{command_kept.pid}/stat")
        until = time.monotonic() + 5
        while worker.exists() and worker.read_text().rpartition(")")[2].split()[0] != "Z":
            assert time.monotonic() < until
            time.sleep(0.01)


def test_a_keeper_that_is_asked_to_end_ends_its_worker_first(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file, Kept(SLEEP, {}, log=file) as command_kept:
        wait_for(b"up", log)
        command_kept._keeper.terminate()

        assert command_kept.wait(30)
        assert command_kept.returncode == -signal.SIGKILL
        assert not Path(f"/proc/{command_kept.pid}").exists()


def switches(pid: int) -> int:
    found = re.search(r"^voluntary_ctxt_switches:\s*(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1])


def test_the_keeper_sleeps_while_the_worker_runs(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file, Kept(SLEEP, {}, log=file) as command_kept:
        wait_for(b"up", log)
        before = switches(command_kept._keeper.pid)

        assert not command_kept.wait(1)
        assert switches(command_kept._keeper.pid) <= before + 1  # it may have been about to fall asleep


def test_orphans_that_end_while_the_worker_runs_are_reaped(tmp_path: Path) -> None:
    code = """
import os, time
reader, writer = os.pipe()
if not os.fork():
    if not os.fork():
        os.write(writer, str(os.getpid()).encode())
    os._exit(0)
orphan = int(os.read(reader, 20))
os.wait()
until = time.monotonic() + 10
while os.path.exists(f"/proc/{orphan}"):
    assert time.monotonic() < until
    time.sleep(0.01)
"""
    assert output([sys.executable, "-S", "-c", code], {}, tmp_path / "log") == b""


BEST_EFFORT = """
import os, sys
sys.path.insert(0, {folder!r})
import keeper
keeper.becomes_subreaper = lambda: False
os._exit(keeper.main(int(sys.argv[1]), sys.argv[2] == "1", sys.argv[3:]))
"""


def test_without_subreapers_the_process_group_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code = BEST_EFFORT.format(folder=str(Path(kept.__file__).parent))
    monkeypatch.setattr(kept, "KEEPER", (sys.executable, "-S", "-P", "-c", code))
    mark = tmp_path / "pid"
    worker = f"sleep 60 & echo $! > {mark}; exit"
    for end, told in (("wait", "no reply within 1 s"), ("exit 3", "the worker ended with exit code 3")):
        reply = child.ask(Describe(), dict(os.environ), 1, ("/bin/sh", "-c", worker.replace("exit", end)))

        assert reply.reason == told
        stat = Path(f"/proc/{mark.read_text().strip()}/stat")
        until = time.monotonic() + 5
        while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
            assert time.monotonic() < until
            time.sleep(0.01)


FOREGROUND = """
import fcntl, os, sys, termios
from bench.process.kept import call
code = '''
import time
try:
    print("heard", input("ready"), flush=True)
    while True:
        time.sleep(0.01)  # a signal just before one long wait would not end it
except KeyboardInterrupt:
    print("tidied", flush=True)
'''
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
try:
    call([sys.executable, "-S", "-c", code], os.environ)
except KeyboardInterrupt:
    print("harness ended", flush=True)
"""


def test_a_command_in_the_foreground_has_the_terminal_and_its_keys() -> None:
    terminal, own_end = pty.openpty()
    harness = subprocess.Popen(
        [sys.executable, "-c", FOREGROUND], stdin=own_end, stdout=own_end, stderr=own_end, start_new_session=True
    )
    os.close(own_end)
    shown = b""
    for expected, keys in ((b"ready", b"hello\n"), (b"heard hello", b"\x03"), (b"harness ended", b"")):
        while expected not in shown:
            shown += os.read(terminal, 1000)  # OSError once the harness has ended
        os.write(terminal, keys)
    harness.wait(30)
    os.close(terminal)

    assert b"tidied" in shown
