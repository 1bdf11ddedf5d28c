"""Which code measures: its commit."""

import subprocess
from pathlib import Path

import pytest

from bench.machine import code


def test_an_archive_of_a_commit_knows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree, files = tmp_path / "tree", (".gitattributes", code.ARCHIVED)
    tree.mkdir()
    for name in files:
        (tree / name).write_bytes((code.ROOT / name).read_bytes())
    code.git(tree, "init", "-q")
    code.git(tree, "add", *files)
    code.git(tree, "-c", "user.name=n", "-c", "user.email=e", "commit", "-q", "-m", "first")
    head = code.git(tree, "rev-parse", "--short=12", "HEAD")
    code.git(tree, "archive", "--prefix=got/", "-o", str(tmp_path / "got.tar"), "HEAD")
    subprocess.run(["tar", "xf", "got.tar"], cwd=tmp_path, check=True)  # noqa: S607 - wherever it is
    monkeypatch.setattr(code, "ROOT", tmp_path / "got")

    assert code.commit() == f"{head}?"
    (tmp_path / "got" / code.ARCHIVED).write_text("commit: $Format:%H$\n")
    assert code.commit() is None
