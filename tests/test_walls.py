"""The walls of the house: who may import what, and how fast the doors open."""

import subprocess
import sys
from pathlib import Path

import pytest

IMPORTED = "import sys, {modules}; print([m for m in {banned!r} if m in sys.modules])"


def imported(modules: str, *banned: str) -> str:
    code = IMPORTED.format(modules=modules, banned=banned)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_analysis_needs_no_torch() -> None:
    assert imported("bench.analyse.report, bench.analyse.summary, bench.analyse.board", "torch", "nin") == "[]"


def test_measuring_needs_no_pandas() -> None:
    modules = ", ".join(
        f"bench.measure.{name}"
        for name in (
            "clock",
            "layers",
            "memory",
            "nvml",
            "paths",
            "samples",
            "stamps",
            "state",
            "steps",
            "sustained",
            "timed",
            "trace",
            "fusion",
            "usage",
            "verify",
            "worker",
            "workload",
        )
    )

    assert imported(modules, "pandas", "scipy", "matplotlib", "rich", "typer") == "[]"


def test_the_acceptance_s_parent_is_none_of_the_gpu_s_processes() -> None:
    assert imported("bench.gpu.acceptance", "torch", "nin", "pandas", "matplotlib") == "[]"


def test_the_workload_knows_nothing_of_benchmarking() -> None:
    assert imported("nin.model, nin.data, nin.loaders, nin.train, nin.__main__", "bench", "pandas") == "[]"


@pytest.mark.parametrize("module", ["bench.__main__", "nin.__main__"])
def test_help_waits_for_nothing_slow(module: str) -> None:
    assert imported(module, "torch", "pandas", "scipy", "matplotlib", "numpy") == "[]"


def test_the_keeper_needs_the_standard_library_alone_and_little_of_it() -> None:
    slow = ("bench", "torch", "asyncio", "pathlib", "socket", "tempfile", "logging")
    keeper = str(Path(__file__).parents[1] / "bench" / "keeper.py")
    code = f"import sys, runpy; runpy.run_path({keeper!r}); print([m for m in {slow!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-S", "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_windows_is_told_in_one_line_what_to_use() -> None:
    lacking = "fcntl", "resource", "pwd", "grp", "termios"
    code = f"""
import runpy, sys
sys.platform = "win32"
sys.modules.update(dict.fromkeys({lacking}))
runpy.run_module("bench", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert all(name in done.stderr for name in ("Linux", "macOS", "WSL2"))
