"""The table [tool.nin-bench] of the folder that one calls from, and the task that `init` writes there."""

import ast
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from bench.cli import configured, verbs
from bench.cli.app import app
from bench.cli.contradictions import RULES, contradicted
from bench.plan.choices import Choices

WHOLE = '[tool.nin-bench]\ntask = "mytask:make"\npreset = "look"\nbudget = "5m"\ndevice = "cpu"\ndelta = "5%"\n'


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Choices]:
    """What the last calls chose; nothing is measured. The current folder has the whole table."""
    seen: list[Choices] = []

    def caught(choices: Choices, *_: Any, **__: Any) -> int:  # noqa: ANN401
        seen.append(choices)
        return 0

    for verb in ("run", "ab", "profile", "micro"):
        monkeypatch.setattr(getattr(verbs, verb), "run", caught)
    for verb in ("list_", "check"):
        monkeypatch.setattr(verbs.asking, verb, caught)
    (tmp_path / "pyproject.toml").write_text(WHOLE)
    monkeypatch.chdir(tmp_path)
    return seen


def call(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


def test_the_table_adds_its_options_to_a_call(chosen: list[Choices]) -> None:
    assert call("run") == (0, "")
    assert (chosen[0].task, chosen[0].preset, chosen[0].budget, chosen[0].device) == (
        "mytask:make",
        "look",
        "5m",
        "cpu",
    )
    words = "--preset look --device cpu --budget 5m --delta 5% --task mytask:make"
    assert chosen[0].configured == tuple(words.split())


def test_the_command_line_wins(chosen: list[Choices]) -> None:
    assert call("run", "--task", "other:make", "--budget", "1h") == (0, "")
    assert (chosen[0].task, chosen[0].budget, chosen[0].device) == ("other:make", "1h", "cpu")
    assert chosen[0].configured == ("--preset", "look", "--device", "cpu", "--delta", "5%")


def test_an_option_of_the_command_line_that_can_t_go_with_one_of_the_table_replaces_it(chosen: list[Choices]) -> None:
    assert call("run", "--model", "mynet:make") == (0, "")
    assert (chosen[0].task, chosen[0].trained) == (None, "mynet:make")
    assert "--task" not in chosen[0].configured
    call("run", "--variant", "cpu-default-nchw-eager-b4")
    assert chosen[1].configured == ("--device", "cpu", "--budget", "5m", "--delta", "5%", "--task", "mytask:make")


@pytest.mark.parametrize(
    ("words", "taken"),
    [
        (("ab", "--base", "HEAD"), ("mytask:make", "5m", "cpu")),
        (("list",), ("mytask:make", "5m", "cpu")),
        (("profile",), ("mytask:make", None, "cpu")),
        (("micro",), ("mytask:make", None, "all")),
        (("check",), ("mytask:make", None, "all")),
    ],
)
def test_each_verb_takes_the_keys_that_it_has_options_for(
    words: tuple[str, ...], taken: tuple[Any, ...], chosen: list[Choices]
) -> None:
    assert call(*words) == (0, "")
    assert (chosen[0].task, chosen[0].budget, chosen[0].device) == taken


def test_the_keys_of_a_verb_are_its_parameters() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]

    for verb, keys in configured.VERBS.items():
        assert set(keys) <= {parameter.name for parameter in commands[verb].params}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '[tool.nin-bench]\ntasks = "x:y"\nrounds = 3\n',
            "has no key tasks, rounds: it has task, preset, ",
        ),
        ("[tool.nin-bench]\nbudget = 20\n", "budget of [tool.nin-bench] must be a text in quotes"),
        ("[tool.nin-bench]\ndelta = 0.05\n", "delta of [tool.nin-bench] must be a text in quotes"),
        ('[tool.nin-bench]\ndelta = "5"\n', "--delta must be more than 0 and less than 100 %, got '5': write 5%"),
        ("[tool]\nnin-bench = 3\n", "tool.nin-bench must be a table"),
        ("[tool.nin-bench\n", "pyproject.toml can't be read: "),
        ('[tool.nin-bench]\nbudget = "soon"\n', "--budget reads 90s, 20m, 2h or none, got 'soon'"),
    ],
)
def test_a_wrong_table_is_a_usage_error_that_names_it(
    text: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    code, output = call("run", "--device", "cpu")

    assert (code, told in output, len(output.splitlines())) == (2, True, 1), output


@pytest.mark.parametrize("text", ["", '[project]\nname = "x"\n', "tool = 3\n", "[tool.other]\nkey = 1\n"])
def test_a_project_without_the_table_adds_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(text)

    assert not any(configured.defaults(tmp_path).values())


def test_what_contradicts_does_so_either_way() -> None:
    assert contradicted("--task", ["--model"])
    assert contradicted("--preset", ["--seed", "--variant"])
    assert not contradicted("--budget", ["--variant"])
    assert not any(contradicted("--budget", [rule.option]) for rule in RULES if rule.only is None)


def test_init_writes_a_task_that_can_be_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, output = call("init")
    space: dict[str, Any] = {}
    exec(compile((tmp_path / "mytask.py").read_text(), "mytask.py", "exec"), space)  # noqa: S102 - our own file
    task = space["Task"]()
    model = task.model()
    task.loss(model, next(iter(task.batches(8)))).backward()

    assert (code, output) == (0, "wrote mytask.py; try it with: python -m bench check --task mytask:Task\n")
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_every_comment_of_init_s_task_is_code_once_it_is_taken_out(tmp_path: Path) -> None:
    """A user takes out `# `: what then stands there must be Python."""
    CliRunner().invoke(app, ["init", str(tmp_path / "task.py")])
    lines = (tmp_path / "task.py").read_text().splitlines()
    tree = ast.parse("\n".join(line.replace("# ", "", 1) if line.strip().startswith("# ") else line for line in lines))
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}

    assert names == {"model", "batches", "loss", "optimizer", "items"}


@pytest.mark.parametrize(
    ("file", "told"), [("there.py", "there.py is there already"), ("my-task.py", "name a file that Python can import")]
)
def test_init_refuses(file: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.py").write_text("precious\n")
    code, output = call("init", file)

    assert (code, told in output) == (2, True), output
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("there.py", "precious\n")]
