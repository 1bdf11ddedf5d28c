"""action.yml and the jobs of docs/ci.md: their steps run in bash as GitHub and GitLab run them.

nin-bench, python, pip and gh are replaced by a program that records its words: only the shell of the steps is tested.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fake_runner import ROOT, Runner, git, made

yaml = pytest.importorskip("yaml")

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
DOCS = (ROOT / "docs" / "ci.md").read_text()
TEXTS = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)
JOBS: list[dict[str, Any]] = [yaml.safe_load(text) for text in TEXTS]
WORKFLOWS = [job for job in JOBS if "jobs" in job]
[GITLAB] = [job for job in JOBS if "nin-bench" in job]
HOSTILE = [
    "$(touch pwned)", "`touch pwned`", "; touch pwned #", "' && touch pwned '", '"; touch pwned; "', "| touch pwned",
    "a b  c", "*", "-x", "--help", "$HOME", "\\", "${{ github.token }}",
]  # fmt: skip


def act(runner: Runner, **inputs: str) -> int:
    """The exit code of the action with some inputs."""
    defaults = {name: str(value.get("default", "")) for name, value in ACTION["inputs"].items()}
    given = {name.replace("_", "-"): value for name, value in inputs.items()}
    assert given.keys() <= defaults.keys()
    return runner.run(ACTION["runs"]["steps"], defaults | given)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A runner with a checkout of a pull request."""
    return made(tmp_path)


def steps_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps of an action or of a workflow."""
    jobs = document.get("jobs", {}).values()
    return document["runs"]["steps"] if "runs" in document else [step for job in jobs for step in job["steps"]]


def test_a_pull_request_is_compared_with_its_merge_base(runner: Runner) -> None:
    runner.variables["GITHUB_BASE_REF"] = "main"

    assert act(runner) == 0
    assert runner.calls[0] == ["python", "-m", "pip", "install", str(ROOT)]
    folder = runner.outputs["ab"]["folder"]
    base = git(runner.folder / "origin", "rev-parse", "main~1")
    assert runner.measured == [
        "nin-bench", "ab", f"--base={base}", "--out", f"{folder}/results", "--reports", f"{folder}/reports", "--run-id",
        "ab",
    ]  # fmt: skip


def test_every_input_is_an_option(runner: Runner) -> None:
    code = act(runner, task="m:make", base="v1", delta="5%", budget="20m", extra_args="--rounds=9\n\n--axis=a=b c\n")

    assert code == 0
    assert runner.measured[2] == "--base=v1"
    assert runner.measured[9:] == ["--task=m:make", "--delta=5%", "--budget=20m", "--rounds=9", "--axis=a=b c"]


@pytest.mark.parametrize("text", HOSTILE)
def test_an_input_is_one_word_whatever_it_holds(text: str, runner: Runner) -> None:
    code = act(runner, task=text, base=text, delta=text, budget=text, extra_args=text, artifact=text)

    assert code == 0
    options = [f"--{name}={text}" for name in ("task", "delta", "budget")]
    assert (runner.measured[2], runner.measured[9:]) == (f"--base={text}", [*options, text])
    assert not list(runner.folder.rglob("pwned"))


@pytest.mark.parametrize("text", ["$(touch${IFS}pwned)", "`touch${IFS}pwned`", "-x", "a;touch${IFS}pwned"])
def test_the_name_of_the_target_branch_is_a_name(text: str, runner: Runner) -> None:
    """Such names are allowed by git."""
    runner.variables["GITHUB_BASE_REF"] = text

    assert act(runner) == 2
    assert not list(runner.folder.rglob("pwned"))


@pytest.mark.parametrize(
    ("code", "verdict"),
    [(0, "no-slowdown"), (1, "slowdown"), (3, "undecided"), (4, "not-comparable"), (5, "dies-more-often"),
     (130, "failed"), (137, "failed")],
)  # fmt: skip
def test_the_exit_code_is_an_output_a_word_and_that_of_the_job(code: int, verdict: str, runner: Runner) -> None:
    runner.code = code

    assert act(runner, base="v1") == code
    outputs = runner.outputs["ab"]
    assert (outputs["exit-code"], outputs["verdict"]) == (str(code), verdict)
    assert Path(outputs["report"]).read_text() == "### nin-bench: a verdict\n"
    link = "Log and artifact `nin-bench`: [run 7](https://github.example/owner/name/actions/runs/7).\n"
    assert Path(outputs["summary"]).read_text() == f"### nin-bench: a verdict\n{link}\n"
    assert runner.summary == f"### nin-bench: a verdict\n\n{link}\n"


def test_the_outputs_are_those_that_are_declared(runner: Runner) -> None:
    act(runner, base="v1")
    values = [runner.value(output["value"], {}) for output in ACTION["outputs"].values()]

    assert values == [runner.outputs["ab"][name] for name in ACTION["outputs"]]


@pytest.mark.parametrize(("code", "ended"), [(0, 0), (1, 0), (2, 2), (4, 4), (5, 5)])
def test_a_slowdown_may_be_allowed_and_nothing_else(code: int, ended: int, runner: Runner) -> None:
    runner.code = code

    assert act(runner, base="v1", allow_slowdown="true") == ended
    assert runner.outputs["ab"]["exit-code"] == str(code)


def test_without_a_base_nothing_is_measured_and_the_job_says_so(runner: Runner) -> None:
    assert act(runner) == 2
    assert [call[0] for call in runner.calls] == ["python"]
    assert runner.outputs["ab"] == runner.outputs["ab"] | {"exit-code": "2", "report": "", "verdict": "usage-error"}
    assert runner.summary.startswith("### nin-bench: usage-error\n\nNothing was measured (exit code 2).\n")
    assert runner.summary == Path(runner.outputs["ab"]["summary"]).read_text()


@pytest.mark.parametrize("script", ["exit 1", "raise SystemExit(1)"])
def test_a_program_that_can_t_start_is_no_slowdown(script: str, runner: Runner) -> None:
    (runner.folder / "bin" / "nin-bench").write_text(f"#!/bin/sh\n{'exit 1' if script == 'exit 1' else 'false'}\n")

    assert act(runner, base="v1", allow_slowdown="true") == 4
    assert runner.outputs["ab"]["verdict"] == "not-comparable"


def test_two_calls_in_one_job_have_folders_of_their_own(runner: Runner) -> None:
    act(runner, base="v1")
    first = runner.outputs["ab"]["folder"]
    act(runner, base="v2")

    assert first != runner.outputs["ab"]["folder"]


@pytest.mark.parametrize("document", [ACTION, *WORKFLOWS], ids=lambda document: str(document.get("name")))
def test_no_expression_is_part_of_a_script(document: dict[str, Any]) -> None:
    """Its text would be run as shell: https://docs.github.com, `script injections`."""
    scripts = [step["run"] for step in steps_of(document) if "run" in step]

    assert scripts
    assert not [script for script in scripts if "${{" in script]


@pytest.mark.parametrize("document", [ACTION, *WORKFLOWS], ids=lambda document: str(document.get("name")))
def test_other_actions_are_github_s_own_at_a_major_version(document: dict[str, Any]) -> None:
    used = [step["uses"] for step in steps_of(document) if "uses" in step]
    ours = {"OWNER/nin-bench@main"}

    assert used
    assert not [name for name in used if not re.fullmatch(r"actions/[a-z-]+@v\d+", name) and name not in ours]


def test_a_workflow_gives_the_action_only_what_it_takes() -> None:
    given = [
        step.get("with", {}) for job in WORKFLOWS for step in steps_of(job) if step.get("uses", "").startswith("OWNER/")
    ]

    assert given
    assert set().union(*given) <= set(ACTION["inputs"])


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda document: str(document.get("name")))
def test_the_steps_of_the_docs_run(workflow: dict[str, Any], runner: Runner) -> None:
    runner.variables["GITHUB_BASE_REF"] = "main"
    runner.outputs["nin-bench"] = {"summary": str(runner.folder / "summary.md")}

    assert runner.run(steps_of(workflow), {}) == 0
    if not any(step.get("uses", "").startswith("OWNER/") for step in steps_of(workflow)):
        base = git(runner.folder / "origin", "rev-parse", "main~1")
        assert runner.measured[:4] == ["nin-bench", "ab", "--base", base]


def test_the_job_of_gitlab_runs(runner: Runner) -> None:
    job = GITLAB["nin-bench"]
    base = git(runner.folder / "origin", "rev-parse", "main~1")
    script = "\n".join([*job["script"], *job.get("after_script", [])])

    assert runner.bash(script, {"CI_MERGE_REQUEST_DIFF_BASE_SHA": base}) == 0
    assert runner.measured[:4] == ["nin-bench", "ab", "--base", base]
    for path in job["artifacts"]["paths"]:
        assert (runner.checkout / path).is_dir()


@pytest.mark.parametrize("text", [None, *TEXTS], ids=["action", *(str(n) for n in range(len(TEXTS)))])
def test_the_files_fit_the_schemas_of_github_and_gitlab(text: str | None, tmp_path: Path) -> None:
    pytest.importorskip("check_jsonschema", reason="needs check-jsonschema, which is in the group dev")
    path, schema = ROOT / "action.yml", "github-actions"
    if text:
        path, schema = tmp_path / "job.yml", "github-workflows" if "\njobs:" in text else "gitlab-ci"
        path.write_text(text)
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout
