"""Whatever a worker does, there is an answer, and nothing of it is left behind."""

import json
import os
import sys
import time
from pathlib import Path

import pytest

from bench.core.exchange.cause import Cause, Status
from bench.core.exchange.messages import Reply, Request
from bench.core.exchange.probe import Probe
from bench.core.header import Inputs
from bench.core.variants import Variant, as_row
from bench.process import child

REQUEST = Request(
    variant=as_row(Variant()), inputs=Inputs(folder=None, shape=(1, 28, 28), classes=10), seed=0, probes=(Probe.MEMORY,)
)


def ask(code: str, limit_s: float = 30) -> Reply:
    return child.ask(REQUEST, dict(os.environ), limit_s, worker=(sys.executable, "-c", code))


def replying(reply: object) -> str:
    return f"import sys, pathlib; pathlib.Path(sys.argv[2]).write_text({json.dumps(reply)!r})"


SAMPLE = {
    "probe": "memory",
    "scope": "process",
    "metric": "reserved",
    "unit": "B",
    "iterations": 1,
    "index": 0,
    "value": 7,
}


def test_a_reply_is_handed_on() -> None:
    reply = ask(replying({"samples": [SAMPLE]}))

    assert (reply.status, reply.cause, reply.reason) == (Status.OK, None, "")
    assert [(sample.metric, sample.value) for sample in reply.samples] == [("reserved", 7.0)]


def test_the_request_reaches_the_worker_as_it_was() -> None:
    code = "import sys, pathlib; p = pathlib.Path; from bench.core.exchange.messages import *"
    code += "; r = request_of(p(sys.argv[1]).read_bytes()); p(sys.argv[2]).write_bytes(encoded(Reply(reason=repr(r))))"

    assert ask(code).reason == repr(REQUEST)


@pytest.mark.parametrize(
    ("code", "cause", "reason"),
    [
        ("raise SystemExit(3)", Cause.CRASHED, "ended with exit code 3"),
        ("raise ValueError('no such kernel')", Cause.CRASHED, " / ValueError: no such kernel"),
        ("import os; os.kill(os.getpid(), 9)", Cause.KILLED, "killed by SIGKILL, perhaps for want of memory"),
        ("import os; os.abort()", Cause.CRASHED, "killed by SIGABRT"),
        ("print('hello')", Cause.NO_REPLY, "the worker gave no reply: hello"),
        ("print('one\\n\\ntwo\\nthree\\n  four')", Cause.NO_REPLY, "no reply: two / three / four"),
        (replying(["ok"]), Cause.BAD_REPLY, "no reply that can be read"),
        (replying({"status": "ok"}), Cause.BAD_REPLY, "unknown field `status`"),
        (replying({"cause": "fine"}), Cause.BAD_REPLY, "Invalid enum value 'fine'"),
        (replying({"cause": "killed", "samples": [SAMPLE]}), Cause.BAD_REPLY, "ended as error has no samples"),
        ("import sys, pathlib; pathlib.Path(sys.argv[2]).write_text('<html>')", Cause.BAD_REPLY, "malformed"),
    ],
)
def test_no_proper_reply_is_an_error_with_its_cause_and_a_reason(code: str, cause: Cause, reason: str) -> None:
    reply = ask(code)

    assert (reply.status, reply.cause) == (Status.ERROR, cause)
    assert reason in reply.reason
    assert reply.samples == ()


def test_a_hang_is_a_timeout_and_its_children_are_gone(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    code = "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    code += f"; open({str(mark)!r}, 'w').write(str(p.pid)); time.sleep(60)"
    began = time.monotonic()
    reply = ask(code, limit_s=2)

    assert (reply.status, reply.cause) == (Status.TIMEOUT, Cause.TIME_LIMIT)
    assert reply.reason == "no reply within 2 s"
    assert time.monotonic() - began < 10
    grandchild = Path(f"/proc/{mark.read_text()}/stat")
    deadline = time.monotonic() + 5
    while grandchild.exists() and grandchild.read_text().split(")")[1].split()[0] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)


def variables(variant: Variant, monkeypatch: pytest.MonkeyPatch, **own: str) -> dict[str, str]:
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    return child.environment_of(variant, {"tcmalloc": "libtcmalloc_minimal.so.4"}, Path("cache"))


def test_a_variant_is_what_it_says_whatever_the_user_has_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = {
        "MALLOC_TRIM_THRESHOLD_": "1",
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=2",
        "LD_PRELOAD": "libown.so",
    }
    default = variables(Variant(), monkeypatch, **own)
    kept = variables(Variant(allocator="kept"), monkeypatch)
    huge = variables(Variant(allocator="hugepages"), monkeypatch)
    tcmalloc = variables(Variant(allocator="tcmalloc"), monkeypatch)

    assert set(default) & set(own) == {"LD_PRELOAD"}
    assert kept["MALLOC_TRIM_THRESHOLD_"] == kept["MALLOC_MMAP_THRESHOLD_"] == "100000000000"
    assert huge["GLIBC_TUNABLES"] == "glibc.malloc.hugetlb=1"
    assert tcmalloc["LD_PRELOAD"] == "libtcmalloc_minimal.so.4 libown.so"
    assert default["LD_PRELOAD"] == "libown.so"


def test_the_host_does_not_wait_for_each_kernel_whatever_the_user_has_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "CUDA_LAUNCH_BLOCKING" not in variables(Variant(), monkeypatch, CUDA_LAUNCH_BLOCKING="1")


def test_threads_are_set_before_the_process_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert variables(Variant(threads=3), monkeypatch, OMP_NUM_THREADS="7")["OMP_NUM_THREADS"] == "3"
    assert variables(Variant(), monkeypatch)["OMP_NUM_THREADS"] == "7"


def test_compiled_code_has_a_folder_of_the_variants_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    compiled = Variant(compile_mode="inductor")

    assert variables(compiled, monkeypatch)["TORCHINDUCTOR_CACHE_DIR"] == f"cache/{compiled.id}"
    assert "TORCHINDUCTOR_CACHE_DIR" not in variables(Variant(), monkeypatch)
