"""action.yml and the jobs of docs/ci.md: their steps run in bash as GitHub and GitLab run them.

nin-bench, python, pip and gh are replaced by a program that records its words: what is tested is the shell of the steps.
"""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[1]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
JOBS: list[dict[str, Any]] = [
    yaml.safe_load(block)
    for block in re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "ci.md").read_text(), re.DOTALL)
]
WORKFLOWS = [job for job in JOBS if "jobs" in job]
[GITLAB] = [job for job in JOBS if "stages" in job or "nin-bench" in job]
FAKE = """#!{python}
import json, os, sys
from pathlib import Path

name = Path(sys.argv[0]).name
with open(os.environ["CALLS"], "a") as calls:
    print(json.dumps([name, *sys.argv[1:]]), file=calls)
if name == "nin-bench" and os.environ.get("FAKE_CODE") != "2":
    words = dict(word.split("=", 1) for word in sys.argv if word.startswith("--") and "=" in word)
    words |= {{a: b for a, b in zip(sys.argv, sys.argv[1:]) if a.startswith("--") and "=" not in a}}
    page = Path(words.get("--reports", "reports"), words["--run-id"])
    page.mkdir(parents=True)
    for file in ("report.md", "summary.md"):
        (page / file).write_text("### nin-bench: a verdict\\n")
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        Path(path).open("a").write("### nin-bench: a verdict\\n\\n")
sys.exit(int(os.environ.get("FAKE_CODE", "0")) if name == "nin-bench" else 0)
"""
HOSTILE = [
    "$(touch pwned)", "`touch pwned`", "; touch pwned #", "' && touch pwned '", '"; touch pwned; "', "| touch pwned",
    "a b  c", "*", "-x", "--help", "$HOME", "\\", "${{ github.token }}",
]  # fmt: skip


def git(folder: Path, *words: str) -> str:
    """What a call of git prints."""
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
    return subprocess.run(
        ["git", "-C", str(folder), *who, *words], check=True, capture_output=True, text=True
    ).stdout.strip()


@dataclass
class Runner:
    """A runner of GitHub: a checkout, and the variables and files of a job."""

    folder: Path
    code: int = 0
    """With which nin-bench ends."""
    variables: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    """The outputs of each step by its id."""

    @property
    def checkout(self) -> Path:
        return self.folder / "checkout"

    @property
    def calls(self) -> list[list[str]]:
        """The calls of the programs that are replaced."""
        path = self.folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def measured(self) -> list[str]:
        """The words of the call of nin-bench."""
        [words] = [call for call in self.calls if call[0] == "nin-bench"]
        return words

    @property
    def summary(self) -> str:
        """What the page of the job shows."""
        return (self.folder / "job.md").read_text()

    def environment(self) -> dict[str, str]:
        """The variables that GitHub sets."""
        (self.folder / "temp").mkdir(exist_ok=True)
        return {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "HOME": str(self.folder),
            "CALLS": str(self.folder / "calls"), "FAKE_CODE": str(self.code),
            "RUNNER_TEMP": str(self.folder / "temp"), "GITHUB_STEP_SUMMARY": str(self.folder / "job.md"),
            "GITHUB_OUTPUT": str(self.folder / "outputs"), "GITHUB_BASE_REF": "", "GITHUB_RUN_ID": "7",
            "GITHUB_SERVER_URL": "https://github.example", "GITHUB_REPOSITORY": "owner/name",
        } | self.variables  # fmt: skip

    def bash(self, script: str, variables: dict[str, str], folder: str = ".") -> int:
        """The exit code of a script, run with the options that GitHub gives bash."""
        path = self.folder / "step.sh"
        path.write_text(script)
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(path)],  # noqa: S607
            cwd=self.checkout / folder, env=self.environment() | variables, check=False, capture_output=True, text=True,
        )  # fmt: skip
        return done.returncode

    def value(self, text: str, inputs: dict[str, str]) -> str:
        """A text with its expressions replaced; only the kinds that our steps use are known."""
        known = {f"inputs.{name}": value for name, value in inputs.items()} | {
            "github.action_path": str(ROOT), "github.token": "a-token", "github.event.pull_request.number": "12",
        }  # fmt: skip
        for step, outputs in self.outputs.items():
            known |= {f"steps.{step}.outputs.{name}": value for name, value in outputs.items()}
        return re.sub(r"\$\{\{ *(.*?) *\}\}", lambda found: known[found[1]], text)

    def run(self, steps: list[dict[str, Any]], inputs: dict[str, str]) -> int:
        """The exit code of the first step that fails, or 0. Steps with `uses` are left out."""
        for step in steps:
            if "run" not in step:
                continue
            variables = {name: self.value(str(value), inputs) for name, value in step.get("env", {}).items()}
            output = self.folder / "outputs"
            output.write_text("")
            folder = self.value(step.get("working-directory", "."), inputs)
            if code := self.bash(step["run"], variables, folder):
                return code
            if "id" in step:
                self.outputs[step["id"]] = dict(line.split("=", 1) for line in output.read_text().splitlines())
        return 0

    def act(self, **inputs: str) -> int:
        """The exit code of the action with some inputs."""
        defaults = {name: str(value.get("default", "")) for name, value in ACTION["inputs"].items()}
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        assert given.keys() <= defaults.keys()
        return self.run(ACTION["runs"]["steps"], defaults | given)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A runner whose checkout is a clone with a branch that has one commit of its own, as has main."""
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "-q")
    git(origin, "commit", "-q", "--allow-empty", "-m", "both")
    git(origin, "branch", "change")
    git(origin, "commit", "-q", "--allow-empty", "-m", "main alone")
    git(origin, "checkout", "-q", "change")
    git(origin, "commit", "-q", "--allow-empty", "-m", "change alone")
    git(tmp_path, "clone", "-q", str(origin), "checkout")
    (tmp_path / "bin").mkdir()
    for name in ("nin-bench", "python", "pip", "gh"):
        path = tmp_path / "bin" / name
        path.write_text(FAKE.format(python=sys.executable))
        path.chmod(0o755)
    return Runner(tmp_path)


def steps_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps of an action or of a workflow."""
    jobs = document.get("jobs", {}).values()
    return document["runs"]["steps"] if "runs" in document else [step for job in jobs for step in job["steps"]]


def test_a_pull_request_is_compared_with_its_merge_base(runner: Runner) -> None:
    runner.variables["GITHUB_BASE_REF"] = "main"

    assert runner.act() == 0
    assert runner.calls[0] == ["python", "-m", "pip", "install", str(ROOT)]
    folder = runner.outputs["ab"]["folder"]
    base = git(runner.folder / "origin", "rev-parse", "main~1")
    assert runner.measured == [
        "nin-bench", "ab", f"--base={base}", "--out", f"{folder}/results", "--reports", f"{folder}/reports", "--run-id",
        "ab",
    ]  # fmt: skip


def test_every_input_is_an_option(runner: Runner) -> None:
    code = runner.act(task="m:make", base="v1", delta="5%", budget="20m", extra_args="--rounds=9\n\n--axis=a=b c\n")

    assert code == 0
    assert runner.measured[2] == "--base=v1"
    assert runner.measured[9:] == ["--task=m:make", "--delta=5%", "--budget=20m", "--rounds=9", "--axis=a=b c"]


@pytest.mark.parametrize("text", HOSTILE)
def test_an_input_is_one_word_whatever_it_holds(text: str, runner: Runner) -> None:
    code = runner.act(task=text, base=text, delta=text, budget=text, extra_args=text, artifact=text)

    assert code == 0
    options = [f"--{name}={text}" for name in ("task", "delta", "budget")]
    assert (runner.measured[2], runner.measured[9:]) == (f"--base={text}", [*options, text])
    assert not list(runner.folder.rglob("pwned"))


@pytest.mark.parametrize("text", ["$(touch${IFS}pwned)", "`touch${IFS}pwned`", "-x", "a;touch${IFS}pwned"])
def test_the_name_of_the_target_branch_is_a_name(text: str, runner: Runner) -> None:
    """Such names are allowed by git."""
    runner.variables["GITHUB_BASE_REF"] = text

    assert runner.act() == 2
    assert not list(runner.folder.rglob("pwned"))


@pytest.mark.parametrize(
    ("code", "verdict"),
    [(0, "no-slowdown"), (1, "slowdown"), (3, "undecided"), (4, "not-comparable"), (5, "dies-more-often"),
     (130, "failed"), (137, "failed")],
)  # fmt: skip
def test_the_exit_code_is_an_output_a_word_and_that_of_the_job(code: int, verdict: str, runner: Runner) -> None:
    runner.code = code

    assert runner.act(base="v1") == code
    outputs = runner.outputs["ab"]
    assert (outputs["exit-code"], outputs["verdict"]) == (str(code), verdict)
    assert Path(outputs["report"]).read_text() == "### nin-bench: a verdict\n"
    link = "Log and artifact `nin-bench`: [run 7](https://github.example/owner/name/actions/runs/7).\n"
    assert Path(outputs["summary"]).read_text() == f"### nin-bench: a verdict\n{link}\n"
    assert runner.summary == f"### nin-bench: a verdict\n\n{link}\n"


def test_the_outputs_are_those_that_are_declared(runner: Runner) -> None:
    runner.act(base="v1")
    values = [runner.value(output["value"], {}) for output in ACTION["outputs"].values()]

    assert values == [runner.outputs["ab"][name] for name in ACTION["outputs"]]


@pytest.mark.parametrize(("code", "ended"), [(0, 0), (1, 0), (2, 2), (4, 4), (5, 5)])
def test_a_slowdown_may_be_allowed_and_nothing_else(code: int, ended: int, runner: Runner) -> None:
    runner.code = code

    assert runner.act(base="v1", allow_slowdown="true") == ended
    assert runner.outputs["ab"]["exit-code"] == str(code)


def test_without_a_base_nothing_is_measured_and_the_job_says_so(runner: Runner) -> None:
    assert runner.act() == 2
    assert [call[0] for call in runner.calls] == ["python"]
    assert runner.outputs["ab"] == runner.outputs["ab"] | {"exit-code": "2", "report": "", "verdict": "usage-error"}
    assert runner.summary.startswith("### nin-bench: usage-error\n\nNothing was measured (exit code 2).\n")
    assert runner.summary == Path(runner.outputs["ab"]["summary"]).read_text()


@pytest.mark.parametrize("script", ["exit 1", "raise SystemExit(1)"])
def test_a_program_that_can_t_start_is_no_slowdown(script: str, runner: Runner) -> None:
    (runner.folder / "bin" / "nin-bench").write_text(f"#!/bin/sh\n{'exit 1' if script == 'exit 1' else 'false'}\n")

    assert runner.act(base="v1", allow_slowdown="true") == 4
    assert runner.outputs["ab"]["verdict"] == "not-comparable"


def test_two_calls_in_one_job_have_folders_of_their_own(runner: Runner) -> None:
    runner.act(base="v1")
    first = runner.outputs["ab"]["folder"]
    runner.act(base="v2")

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
        assert (runner.checkout / path).parent.is_dir()


def test_the_files_fit_the_schemas_of_github_and_gitlab(tmp_path: Path) -> None:
    pytest.importorskip("check_jsonschema", reason="needs check-jsonschema, which is in the group dev")
    files = {"action.yml": ("github-actions", ACTION), "gitlab.yml": ("gitlab-ci", GITLAB)}
    files |= {f"workflow{number}.yml": ("github-workflows", job) for number, job in enumerate(WORKFLOWS)}
    for name, (schema, document) in files.items():
        path = tmp_path / name
        path.write_text(yaml.safe_dump({{True: "on"}.get(key, key): value for key, value in document.items()}))
        done = subprocess.run(
            [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(path)],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
