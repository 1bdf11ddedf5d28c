"""Whatever lies in the folder that one calls from, our modules and those that are installed are the ones that run."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import nin_bench
from bench.core.reading import read_rows
from bench.core.records import TRIALS
from bench.process.python import python

ROOT = Path(__file__).parents[1]
SCRIPT = "from nin_bench import main\n\nmain()\n"
"""What pip writes for the entry in pyproject.toml, in short."""
SHOW = """
import json, sys
import bench, nin, random
own = {name: sys.modules[name].__file__ for name in ("bench", "nin", "random")}
print(json.dumps({"argv": sys.argv[1:], "main": __name__, "path": sys.path} | own))
"""
TASK = """
import random
import torch
from torch import nn


class Task:
    def model(self):
        return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))

    def batches(self, batch_size):
        return [torch.ones(batch_size, 4)]

    def loss(self, model, batch):
        return model(batch).square().mean()


def make():
    return Task()
"""


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder with a task, and with modules named as ours, torch's and the standard library's, which all fail."""
    for name in ("bench.py", "nin.py", "torch.py", "random.py", "tempfile.py", "bench/__init__.py", "tensorboard.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"raise RuntimeError('{name} of the calling folder was imported')\n")
    (tmp_path / "mytask.py").write_text(TASK)
    (tmp_path / "show.py").write_text(SHOW)
    return tmp_path


PATHS = pytest.mark.parametrize("path", [str(ROOT), f".{os.pathsep}{ROOT}"], ids=["plain", "folder-on-PYTHONPATH"])


def call(folder: Path, path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Calls `nin-bench` in a folder."""
    script = folder / "bin" / "nin-bench"
    script.parent.mkdir(exist_ok=True)
    script.write_text(SCRIPT)
    own = {name: value for name, value in os.environ.items() if name != "NOX_CURRENT_SESSION"}  # as nox may run this
    return subprocess.run(
        [sys.executable, str(script), *arguments], cwd=folder, env=own | {"PYTHONPATH": path}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip


@PATHS
def test_the_calling_folder_is_last_and_can_be_imported_from(hostile: Path, path: str) -> None:
    done = subprocess.run(
        [*python("show"), "one", "--two"], cwd=hostile, env=os.environ | {"PYTHONPATH": path},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    shown = json.loads(done.stdout)

    assert (shown["argv"], shown["main"]) == (["one", "--two"], "__main__")
    assert shown["path"][-1] == str(hostile)
    assert shown["path"].count(str(hostile)) == 1
    assert shown["bench"] == str(ROOT / "bench" / "__init__.py")
    assert shown["nin"] == str(ROOT / "nin" / "__init__.py")
    assert not Path(shown["random"]).is_relative_to(hostile)


@PATHS
def test_the_script_calls_our_verbs_by_its_own_name(hostile: Path, path: str) -> None:
    done = call(hostile, path, "--help")

    assert done.returncode == 0, done.stderr
    assert "Usage: nin-bench " in done.stdout
    assert " ab " in done.stdout


@PATHS
def test_list_tries_a_task_of_the_folder_with_our_modules(hostile: Path, path: str) -> None:
    done = call(hostile, path, "list", "--task", "mytask:make", "--device", "cpu", "--axis", "precision=default")

    assert done.returncode == 0, done.stderr
    assert "mytask:make" in done.stdout
    assert "excluded" not in done.stdout


def test_python_m_bench_takes_no_other_module_of_the_folder(hostile: Path) -> None:
    """Python itself puts the folder first, so a `bench.py` there would be called; anything else is ours to order."""
    shutil.rmtree(hostile / "bench")
    (hostile / "bench.py").unlink()
    done = subprocess.run(
        [sys.executable, "-m", "bench", "list", "--device", "cpu", "--axis", "precision=default"], cwd=hostile,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "cpu-default-nchw-eager-b32" in done.stdout


@pytest.mark.slow
def test_a_run_measures_a_task_of_the_folder_with_our_modules(hostile: Path) -> None:
    done = call(
        hostile, str(ROOT), "run", "--task", "mytask:make", "--variant", "cpu-default-nchw-eager-b4", "--rounds", "1",
        "--run-id", "small",
    )  # fmt: skip
    trials = read_rows(hostile / "results" / "small", TRIALS)[0]

    assert done.returncode == 0, done.stderr
    assert {trial["status"] for trial in trials} == {"ok"}, trials
    assert json.loads((hostile / "results" / "small" / "run.json").read_text())["command"].startswith("nin-bench run ")
    assert "\nnin-bench run --task mytask:make " in (hostile / "reports" / "small" / "report.md").read_text()


def test_what_is_installed_has_the_script_and_its_module() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    module, _, function = project["project"]["scripts"]["nin-bench"].partition(":")

    assert callable(getattr(nin_bench, function))
    assert {f"{module}.py", *nin_bench.OURS} == set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
