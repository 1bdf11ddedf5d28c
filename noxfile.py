# /// script
# requires-python = ">=3.11"
# dependencies = ["nox>=2026.8.17"]
# ///
"""The tasks of this project. One environment with torch serves them all: .nox/env."""

import hashlib
import os
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2026.8.17"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "typecheck", "tests"]

PYPROJECT = nox.project.load_toml("pyproject.toml")
AT_ONCE = [  # tests whose outcome does not depend on how fast the machine is; the longest first: none is left over
    *(f"tests/bench/gpu/test_{name}.py" for name in ("gpu_verb", "training", "tests")),
    *(f"tests/bench/cli/test_{name}.py" for name in ("fuzz", "options", "sweep", "trace", "export")),
    *(f"tests/bench/measure/ranks/test_{name}.py" for name in ("launch", "averaging", "merged")),
    "tests/bench/measure/validity",
    *(f"tests/bench/{floor}" for floor in ("core", "plan", "machine", "run", "analyse", "report")),
    *(f"tests/bench/tasks/test_{name}.py" for name in ("factory", "nest", "task", "trainer")),
    "tests/nin",
]  # no test of Ctrl-C is here: workers of xdist ignore it
GRACE_S = 20  # what a run gets after Ctrl-C to write down where it is


@nox.session(default=False)
def env(session: nox.Session) -> None:
    """Make the shared environment, unless it fits pyproject.toml already."""
    if os.environ.get("NIN_PYTHON"):
        session.skip("NIN_PYTHON names the interpreter to use")
    stamp = Path(session.virtualenv.location) / "pyproject.sha256"
    digest = hashlib.sha256(Path("pyproject.toml").read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    session.install("-e", ".[tensorboard,micro,parquet,cluster]", *nox.project.dependency_groups(PYPROJECT, "dev"))
    stamp.write_text(digest)


def python(session: nox.Session, *arguments: str) -> None:
    """Run the shared environment's Python, or that of NIN_PYTHON."""
    folder = "Scripts" if sys.platform == "win32" else "bin"
    shared = Path(session.env_dir).parent / "env" / folder / "python"
    interpreter = os.environ.get("NIN_PYTHON", str(shared))
    session.run(interpreter, *arguments, external=True, interrupt_timeout=GRACE_S, terminate_timeout=GRACE_S)


@nox.session(venv_backend="none", requires=["env"], default=False)
def bench(session: nox.Session) -> None:
    """Measure, then write reports/<run_id>/report.md. Options go behind `--`."""
    python(session, "-m", "bench", "run", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def report(session: nox.Session) -> None:
    """Write a run's report again from its files: nox -s report -- RUN."""
    python(session, "-m", "bench", "report", *session.posargs)


@nox.session(name="open", venv_backend="none", requires=["env"], default=False)
def open_(session: nox.Session) -> None:
    """Show a run's page in a browser: nox -s open -- [RUN]."""
    python(session, "-m", "bench", "open", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def ab(session: nox.Session) -> None:
    """Hold this tree against another, interleaved: nox -s ab -- --base main."""
    python(session, "-m", "bench", "ab", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def compare(session: nox.Session) -> None:
    """Put stored runs side by side: nox -s compare -- RUN RUN."""
    python(session, "-m", "bench", "compare", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def history(session: nox.Session) -> None:
    """Show speed over stored runs or commits: nox -s history -- results."""
    python(session, "-m", "bench", "history", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def fleet(session: nox.Session) -> None:
    """Show which machines are outliers among stored runs of many: nox -s fleet -- FOLDER."""
    python(session, "-m", "bench", "fleet", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def sweep(session: nox.Session) -> None:
    """Take one measurement on many nodes: nox -s sweep -- --cluster slurm --nodes 6 -- OPTIONS OF RUN."""
    python(session, "-m", "bench", "sweep", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def profile(session: nox.Session) -> None:
    """Trace steps for TensorBoard and Perfetto: nox -s profile -- [RUN] --variant ID."""
    python(session, "-m", "bench", "profile", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def tensorboard(session: nox.Session) -> None:
    """Serve a run in TensorBoard on this machine: nox -s tensorboard -- [RUN] --port N."""
    python(session, "-m", "bench", "tensorboard", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def micro(session: nox.Session) -> None:
    """Measure each layer alone beside a run. Options of pytest go behind `--`."""
    python(session, "-m", "bench", "micro", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def gpu(session: nox.Session) -> None:
    """Check that what is measured on this machine's GPU is true: nox -s gpu -- --out DIR."""
    python(session, "-m", "bench", "gpu", *session.posargs)


@nox.session(venv_backend="none", requires=["env"])
def tests(session: nox.Session) -> None:
    """Run the tests: without options those that time nothing on all cores, then the others one by one."""
    if session.posargs or os.environ.get("NIN_PYTHON"):
        python(session, "-m", "pytest", *session.posargs)
        return
    python(session, "-m", "pytest", "-p", "no:benchmark", "-n", "auto", *AT_ONCE)
    python(session, "-m", "pytest", *(f"--ignore={path}" for path in AT_ONCE))


@nox.session(venv_backend="none", requires=["env"])
def typecheck(session: nox.Session) -> None:
    """Check the types, strictly."""
    python(session, "-m", "mypy", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install("ruff>=0.14")
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check")


@nox.session(venv_backend="none", requires=["env"], default=False)
def scale(session: nox.Session) -> None:
    """Time the report of a generated run with a million samples, and compare."""
    python(session, "benchmarks/scale.py", *session.posargs)


@nox.session(default=False)
def tools(session: nox.Session) -> None:
    """Compare our verdicts with those of other tools, on one workload: some four minutes a cycle."""
    session.install("numpy", "scipy", "pandas", "msgspec", "pyperf", "pytest", "pytest-benchmark")
    path = Path("benchmarks/tools/compare_tools.py")
    session.run("python", str(path), *session.posargs, env={"PYTHONPATH": str(Path.cwd())})


if __name__ == "__main__":
    nox.main()
