"""The code that measures: its folder, its commit and its digest."""

import hashlib
import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The folder of the code that measures."""

ARCHIVED = ".git_archival.txt"
"""The file in which `git archive` writes the commit (gitattributes(5), export-subst)."""


def commit() -> str | None:
    """The commit of the code that measures, with `+` if the tree differs from it; None if it is unknown.

    In a downloaded archive, which has no git folder, it is the commit that `git archive` wrote down. Whether the tree
    is still that commit is unknown there, so `?` follows.
    """
    if not (ROOT / ".git").exists():
        archived = re.search(r"^commit: ([0-9a-f]{12})", archived_text(), re.MULTILINE)
        return f"{archived[1]}?" if archived else None
    return commit_of(ROOT)


def commit_of(folder: Path) -> str | None:
    """The commit of the repository around a folder, with `+` if tracked files differ from it; None without git."""
    try:
        head = git(folder, "rev-parse", "--short=12", "HEAD")
        return head + ("+" if git(folder, "status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None


def archived_text() -> str:
    """What `git archive` wrote down; empty if it wrote nothing."""
    try:
        return (ROOT / ARCHIVED).read_text(encoding="utf-8")
    except OSError:
        return ""


def digest(root: Path, *folders: str) -> str:
    """A hash of the names and contents of all files in a folder, or in some of its folders."""
    sha = hashlib.sha256()
    files = (path for name in folders or (".",) for path in (root / name).rglob("*"))
    for path in sorted(path for path in files if path.is_file() and "__pycache__" not in path.parts):
        sha.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return sha.hexdigest()[:16]


def git(root: Path, *arguments: str) -> str:
    """What git says in English of the repository around a folder. Raises OSError or SubprocessError if git fails."""
    done = subprocess.run(
        ["git", "-C", str(root), *arguments],  # noqa: S607 - the user's own git
        capture_output=True, check=True, text=True, timeout=60, env=os.environ | {"LC_ALL": "C"},
    )  # fmt: skip
    return done.stdout.strip()
