"""The step `tests`: of the tests marked `gpu`, one of each mechanism, or all."""

import pytest

from bench.gpu.checks import Bounds
from bench.gpu.recorder import Recorder, Task
from bench.machine.code import ROOT

CHOSEN = (
    "tests/bench/measure/test_clock.py::test_the_cuda_clock_tells_what_a_kernel_takes",
    "tests/bench/measure/test_clock.py::test_behind_a_backlog_a_chain_of_short_kernels_takes_the_device_s_time",
    "tests/nin/test_loaders.py::test_resizing_on_the_gpu_gives_the_same_bits",
    "tests/bench/measure/test_gpu.py::test_a_variant_is_what_it_says[cuda-default-nchw-eager-b128]",
    "tests/bench/measure/test_gpu.py::test_memory_and_whole_epochs",
    "tests/bench/measure/test_gpu.py::test_a_limit_of_memory_is_kept",
    "tests/bench/measure/test_gpu.py::test_a_variant_is_what_it_says[cuda-fp16-nhwc-eager-b128]",
    "tests/bench/measure/test_gpu.py::test_a_variant_is_what_it_says[cuda-bf16-nhwc-inductor-b128]",
    "tests/bench/measure/test_gpu.py::test_a_variant_is_what_it_says[cuda-bf16-nhwc-reduce-overhead-b128]",
)
"""Clock, backlog, the loader's bits, layers and kernels, memory and epochs, limits, scaler, compiler, graphs."""
ALL = ("-m", "gpu", str(ROOT / "tests"))
OPTIONS = ("-q", "-p", "no:benchmark", "-p", "no:cacheprovider", "--rootdir", str(ROOT))
PASSED, SKIPPED, RAN = "passed", "skipped", "call"


class Outcomes:
    """A plugin of pytest that records the outcome of each test, as it ends."""

    def __init__(self, to: Recorder) -> None:
        self.to = to

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One stage of a test has ended: setup, the test itself, teardown."""
        name = report.nodeid.rpartition("::")[2]
        if report.outcome == SKIPPED:
            self.to.skip(name, reason_of(report))
        elif report.when == RAN or report.outcome != PASSED:
            failed = report.outcome != PASSED
            self.to.check(f"failures of {name}", failed, Bounds(lo=0, hi=0), reason=reason_of(report) if failed else "")


def reason_of(report: pytest.TestReport) -> str:
    """Why a test was skipped, or failed, in a line."""
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash else report.longreprtext.strip()
    return (text.splitlines() or [""])[0]


def measure(task: Task, to: Recorder) -> None:
    """Run the tests; without a GPU each of them skips itself. Any other end, such as a missing test, is a failure."""
    code = pytest.main([*OPTIONS, *(ALL if task.all_tests else CHOSEN)], plugins=[Outcomes(to)])
    ended = code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    to.check("pytest came to its end", ended, Bounds(lo=1, hi=1), of_gpu=False, reason="" if ended else str(code))
