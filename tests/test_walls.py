"""The walls of the house: who may import what, and how fast the doors open."""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MOST_FILES = 13
"""Of code in a folder."""
REGISTRIES = {"bench/core/axes", "bench/measure/probes", "bench/cli/verbs"}
"""Folders with a file for each thing that there is one more of: their number is no sign of a crowd."""
IMPORTED = "import sys, {modules}; print([m for m in {banned!r} if m in sys.modules])"


def imported(modules: str, *banned: str) -> str:
    code = IMPORTED.format(modules=modules, banned=banned)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_analysis_needs_no_torch() -> None:
    assert (
        imported("bench.report.pages, bench.report.render.terminal, bench.report.render.tensorboard", "torch", "nin")
        == "[]"
    )


def test_measuring_needs_no_pandas() -> None:
    files = [path.relative_to(ROOT).with_suffix("") for path in (ROOT / "bench" / "measure").rglob("*.py")]
    modules = ", ".join(".".join(path.parts) for path in files if path.name != "__init__")

    assert imported(modules, "pandas", "scipy", "matplotlib", "rich", "typer") == "[]"


PARENT = """
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console

from bench.cli.calls import entries_of
from bench.cli.verbs import pages
from bench.core.header import read_run
from bench.core.progress import RunProgress
from bench.plan.choices import Choices
from bench.run import session
from bench.run.prepare import reopen, start

folder = Path({folder!r}) / "made"
chosen = Choices(preset="look", device="cpu", rounds=1, run_id="made", out=folder.parent)
shown = RunProgress(Console(file=StringIO()))
for begin in (
    lambda: start.start(chosen, entries_of(chosen), folder, shown),
    lambda: reopen.go_on(Choices(budget="none", rounds=2), folder, shown),
):
    run = begin()
    run.worker = (sys.executable, {worker!r})
    session.execute(run, after_pilot=pages.print_estimates, fastest=pages.fastest)
print(len(run.trials), read_run(folder).state.status)
print([m for m in ("torch", "torchvision", "nin.data", "nin.model") if m in sys.modules])
"""
"""A run on the fake worker, from its first call to its last round, and gone on with: all that its parent does."""


def test_the_parent_of_a_run_never_loads_torch(tmp_path: Path) -> None:
    worker = str(Path(__file__).parent / "bench" / "fake_worker.py")
    code = PARENT.format(folder=str(tmp_path), worker=worker)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    # Of three variants two trials of the baseline and one of each other in the pilot, and one of each in two rounds.
    assert done.stdout.splitlines()[-2:] == ["10 complete", "[]"]


FLOORS = (
    "core", "plan", "machine", "process", "tasks", "measure", "run", "analyse", "report", "micro", "gpu", "cli",
)  # fmt: skip
"""From the ground up: a floor imports from itself and from those below it."""
APART = {("run", "measure"), ("run", "tasks"), ("analyse", "run"), ("analyse", "measure"), ("report", "run"),
         ("report", "measure"), ("analyse", "tasks"), ("report", "tasks")}  # fmt: skip
"""Who lies higher and still may not import: the parent measures nothing, and a report is made from files alone."""


def imports_of(path: Path) -> Iterator[str]:
    """The modules of bench that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bench"):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("bench"))


def test_no_floor_imports_from_one_above_it() -> None:
    wrong = []
    for path in sorted((ROOT / "bench").rglob("*.py")):
        own = path.relative_to(ROOT / "bench").parts
        for module in imports_of(path) if len(own) > 1 else ():
            floor = module.split(".")[1]
            if FLOORS.index(floor) > FLOORS.index(own[0]) or (own[0], floor) in APART:
                wrong.append(f"{'/'.join(own)} imports {module}")

    assert wrong == []


ASKS_TORCH = {"bench/measure/devices", "bench/gpu", "bench/gpu/steps"}
"""Who may name torch's module of a kind of device: the seam, and what checks CUDA alone."""
OF_CUDA = {"bench/measure/system/nvml.py", "bench/measure/system/environment.py"}
"""Files about CUDA devices, which describe them as NVML and torch.cuda do."""


def test_only_the_seam_asks_torch_for_a_kind_of_device() -> None:
    wrong = []
    for path in sorted((ROOT / "bench").rglob("*.py")):
        own = path.relative_to(ROOT)
        if str(own.parent) in ASKS_TORCH or str(own) in OF_CUDA:
            continue
        named = {ast.unparse(n) for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Attribute)}
        wrong += [f"{own}: {name}" for name in ("torch.cuda", "torch.xpu", "torch.mps") if name in named]

    assert wrong == []


def test_no_room_is_crowded() -> None:
    files = Counter(str(path.parent.relative_to(ROOT)) for path in (ROOT / "bench").rglob("*.py"))

    assert {folder: count for folder, count in files.items() if count > MOST_FILES and folder not in REGISTRIES} == {}


def test_no_circle_of_imports() -> None:
    known = {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in (ROOT / "bench").rglob("*.py")}
    graph: dict[str, set[str]] = {}
    for name, path in known.items():
        asked = {module if module in known else module.rpartition(".")[0] for module in imports_of(path)}
        graph[name] = asked & set(known)

    circle: list[str] = []
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = error.args[1]

    assert circle == []


def test_the_acceptance_s_parent_is_none_of_the_gpu_s_processes() -> None:
    assert imported("bench.gpu.acceptance", "torch", "nin", "pandas", "matplotlib") == "[]"


def test_the_workload_knows_nothing_of_benchmarking() -> None:
    assert imported("nin.model, nin.data, nin.loaders, nin.train, nin.__main__", "bench", "pandas") == "[]"


@pytest.mark.parametrize("module", ["bench.__main__", "nin.__main__"])
def test_help_waits_for_nothing_slow(module: str) -> None:
    assert imported(module, "torch", "pandas", "scipy", "matplotlib", "numpy") == "[]"


def test_the_keeper_needs_the_standard_library_alone_and_little_of_it() -> None:
    slow = ("bench", "torch", "asyncio", "pathlib", "socket", "tempfile", "logging")
    keeper = str(Path(__file__).parents[1] / "bench" / "process" / "keeper.py")
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
