"""`bench gpu --rehearse`: every step runs on the CPU, and nothing is claimed of a GPU."""

import csv
import getpass
import gzip
import os
import re
import socket
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from bench.core.reading import read_rows
from bench.core.records import TRIALS
from bench.gpu.plan import STEPS

ROOT = Path(__file__).parents[3]


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", "gpu", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=dict(os.environ))


@pytest.mark.slow
def test_a_rehearsal_runs_every_step_and_packs_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = call("--out", str(out), "--rehearse")
    with (out / "checks.csv").open() as file:
        rows = list(csv.DictReader(file))
    statuses = {row["check"]: row["status"] for row in rows}

    assert done.returncode == 0, done.stdout + done.stderr
    assert list(dict.fromkeys(row["step"] for row in rows)) == [step.name for step in STEPS]
    assert "the whole step" not in statuses
    assert set(statuses.values()) == {"ok", "rehearsed", "skipped"}
    assert {row["check"] for row in rows if row["status"] == "ok"} == {
        "parameter", "gradient", "optimizer", "exit code of bench run", "trials that were not ok", "pages of the run",
        "traces", "pytest came to its end", "exit code of bench run, in lockstep",
        "exit code of bench run, one after the other",
    }  # fmt: skip
    assert (out / "summary.md").read_text().startswith("# Rehearsal on the CPU: this says nothing about a GPU\n")
    assert {p.name for p in out.iterdir()} == {"checks.csv", "log.txt", "run.tar.gz", "summary.md", "trace.json.gz"}
    with tarfile.open(out / "run.tar.gz") as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    trials = read_rows(tmp_path / "unpacked" / "results" / "gpu", TRIALS)[0]
    assert {trial["arm"] for trial in trials if trial["stage"] == "measure"} == {"A", "A'", "V"}
    files = [*out.iterdir(), *(tmp_path / "unpacked").rglob("*")]
    paths = [path for path in files if path.suffix in (".csv", ".json", ".md", ".txt")]
    texts = [gzip.decompress((out / "trace.json.gz").read_bytes()).decode(), *(p.read_text() for p in paths)]
    told = {str(Path.home()), str(ROOT), str(tmp_path), socket.gethostname(), getpass.getuser()} - {"root", "/"}
    words = [re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])") for word in told]
    assert not [word for word in words if any(word.search(text) for text in texts)]


@pytest.mark.slow
def test_without_a_gpu_it_ends_with_4_and_says_why(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    done = call("--out", str(tmp_path / "out"))

    assert done.returncode == 4
    assert "without a CUDA device" in (tmp_path / "out" / "summary.md").read_text()
    assert "truth of times: 1 skipped" in done.stdout


def test_a_folder_must_be_named() -> None:
    done = call()

    assert (done.returncode, "--out" in done.stderr) == (2, True)
