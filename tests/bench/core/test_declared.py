"""A package that is missing is named in one line, with the way to get it."""

import os
import re
import subprocess
import sys
import tomllib

import pytest

from bench.core import declared
from bench.machine.code import ROOT

ADVICE = "`python3 -m pip install -e .`, called in the checkout, installs what bench needs"
BLOCKED = "import runpy, sys; sys.modules[{module!r}] = None; runpy.run_module('bench', run_name='__main__')"


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=dict(os.environ))


@pytest.mark.parametrize(("package", "module"), [("typer", "typer"), ("msgspec", "msgspec"), ("torch", "torch")])
def test_a_missing_package_is_named_in_one_line(package: str, module: str) -> None:
    done = call("-c", BLOCKED.format(module=module))

    assert done.returncode == 4
    assert done.stdout == ""
    assert done.stderr.endswith(f" lacks {package}: {ADVICE}\n")
    assert len(done.stderr.splitlines()) == 1


def test_a_python_without_any_package_is_told_of_all() -> None:
    """-S: without the folder of what was installed."""
    done = call("-S", "-m", "bench", "list")

    assert done.returncode == 4
    assert f"lacks {', '.join(declared.PACKAGES)}: " in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_packages_are_those_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert [re.split(r"[<>=~!]", line)[0] for line in project["dependencies"]] == list(declared.PACKAGES)
    assert declared.missing() == []
