"""`ab` with a task of the user's own, which the base lacks: each tree measures its own package."""

import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.core.header import SharedTask, read_run
from bench.core.reading import read_rows
from bench.core.records import TRIALS

NET = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 8)
        self.outer = nn.Linear(8, 1)

    def forward(self, x):
        return self.outer(self.inner(x))
"""
SLOWED = NET.replace("return self.outer", "import time\n        time.sleep(0.01)\n        return self.outer")
TASK = """
import os
from pathlib import Path

import torch
from mynet import net


class Task:
    def model(self):
        with open(os.environ["SEEN"], "a") as seen:
            print(Path.cwd().name, Path(__file__).parent.name, "sleep" in Path(net.__file__).read_text(), file=seen)
        assert Path(net.__file__).is_relative_to(Path.cwd()), net.__file__
        return net.Net()

    def batches(self, batch_size):
        return [torch.ones(batch_size, 4)]

    def loss(self, model, batch):
        return model(batch).square().mean()


def make():
    return Task()
"""
AB = (
    "ab", "--base", "HEAD", "--task", "mytask:make", "--variant", "cpu-default-nchw-eager-b4", "--rounds", "1",
    "--run-id", "small",
)  # fmt: skip


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a package, modules named as ours, and a task that was never committed."""
    folder = tmp_path / "repository"
    (folder / "mynet").mkdir(parents=True)
    (folder / "mynet" / "__init__.py").write_text("")
    (folder / "mynet" / "net.py").write_text(NET)
    for name in ("bench.py", "nin.py"):
        (folder / name).write_text("raise RuntimeError('not ours')\n")
    for command in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "first")):
        identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
        git = ["git", "-C", str(folder), *identity, *command]
        subprocess.run(git, check=True, capture_output=True)
    (folder / "mytask.py").write_text(TASK)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SEEN", str(tmp_path / "seen.txt"))
    return folder


def called(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


@pytest.mark.slow
@pytest.mark.parametrize(("net", "differs"), [(NET, False), (SLOWED, True)], ids=["no-op", "slowed"])
def test_both_trees_run_the_task_of_this_one_on_their_own_package(net: str, repository: Path, differs: bool) -> None:
    (repository / "mynet" / "net.py").write_text(net)
    code, output = called(*AB)
    seen = (repository.parent / "seen.txt").read_text().splitlines()
    trials = read_rows(Path("results/small"), TRIALS)[0]

    assert code == 0, output
    assert {trial["status"] for trial in trials} == {"ok"}, trials
    assert set(seen) == {"base base False", f"head head {differs}"}
    assert "both trees have the task as it is here, mytask.py" in output
    trees = read_run(Path("results/small")).trees
    assert trees is not None
    assert trees.task == SharedTask(file="mytask.py", replaced=False)
    assert (trees.base.digest == trees.head.digest) is not differs
    page = Path("reports/small/report.md").read_text()
    assert "Both trees have the task of the head, `mytask.py`; what it imports is their own." in page


def test_asked_for_from_each_a_task_that_the_base_lacks_is_missing_there(repository: Path) -> None:
    code, output = called(*AB, "--task-from-each")

    assert code == 4
    assert "base (HEAD) can't be measured: task mytask:make: No module named 'mytask'" in output
    assert not (repository.parent / "seen.txt").exists()


def test_from_each_needs_a_task() -> None:
    code, output = called("ab", "--base", "HEAD", "--task-from-each")

    assert (code, "--task-from-each needs --task" in output) == (2, True)
