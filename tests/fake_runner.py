"""A runner of GitHub, as far as the steps of an action see it."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
REPLACED = ("nin-bench", "python", "pip", "gh")
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
    Path(words.get("--out", "results"), words["--run-id"]).mkdir(parents=True)
    for file in ("report.md", "summary.md"):
        (page / file).write_text("### nin-bench: a verdict\\n")
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        Path(path).open("a").write("### nin-bench: a verdict\\n\\n")
sys.exit(int(os.environ.get("FAKE_CODE", "0")) if name == "nin-bench" else 0)
"""
"""The program in place of those: it records its words. As nin-bench it also writes a page, unless the call is wrong."""


def git(folder: Path, *words: str) -> str:
    """What a call of git prints."""
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
    command = ["git", "-C", str(folder), *who, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


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
            "github.action_path": str(ROOT), "github.token": "a-token", "github.repository": "owner/name",
            "github.event.pull_request.number": "12",
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


def made(folder: Path) -> Runner:
    """A runner whose checkout is a clone with a branch that has one commit of its own, as has main."""
    origin = folder / "origin"
    origin.mkdir()
    git(origin, "init", "-q")
    git(origin, "commit", "-q", "--allow-empty", "-m", "both")
    git(origin, "branch", "change")
    git(origin, "commit", "-q", "--allow-empty", "-m", "main alone")
    git(origin, "checkout", "-q", "change")
    git(origin, "commit", "-q", "--allow-empty", "-m", "change alone")
    git(folder, "clone", "-q", str(origin), "checkout")
    (folder / "bin").mkdir()
    for name in REPLACED:
        path = folder / "bin" / name
        path.write_text(FAKE.format(python=sys.executable))
        path.chmod(0o755)
    return Runner(folder)
