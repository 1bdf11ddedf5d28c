"""Copies the two code trees of `bench ab` to a folder where nobody edits them while they are measured."""

import contextlib
import os
import posixpath
import re
import shutil
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

from bench.core.header import Header, Tree, Trees
from bench.core.records import TREES
from bench.core.variants import UsageError
from bench.machine.code import digest, git
from bench.run.prepare.shared import share

NOT_CODE = shutil.ignore_patterns(".*", "__pycache__", "node_modules", "results", "reports")
"""What is left out of the copy of a folder that is not under git."""


def folders(header: Header, scratch: Path) -> dict[str, Path]:
    """The folders of a run's code trees; empty if it has none."""
    return {name: scratch / name for name in TREES} if header.trees else {}


def take(base: str, into: Path, task: str | None = None) -> Trees:
    """Copies the base (a git ref or a folder) to into/base and the current folder to into/head. Returns both trees.

    A tree's commit has `+` after it if files differ from it, and is None without git. A ref belongs to the current
    folder's repository and means the same folder at that commit. If a `task` is named, both get its
    module as it is here. Raises UsageError if the base is neither such a ref nor a folder.
    """
    here, folder, name = Path.cwd(), Path(base), base
    with contextlib.suppress(RuntimeError):  # there is no home for ~
        folder = folder.expanduser()
    commit = _commit(here, base)
    if commit is not None:
        _archive(here, commit, into / "base")
    elif folder.is_dir():
        commit, name = _copy(folder.resolve(), into / "base"), os.path.relpath(folder, here)
    elif another := _owned_by_another(here):
        msg = f"--base {base}: {another}"
        raise UsageError(msg)
    else:
        msg = f"--base {base}: neither a commit, branch or tag of this folder's git repository nor a folder"
        raise UsageError(msg)
    head = _copy(here, into / "head")
    shared = share(task, here, {name: into / name for name in TREES}) if task else None
    return Trees(
        base=Tree(name=name, commit=commit, digest=digest(into / "base")),
        head=Tree(name="this tree", commit=head, digest=digest(into / "head")),
        task=shared,
    )


def _commit(folder: Path, ref: str) -> str | None:
    """The commit of a ref in the repository around a folder; None if there is no such ref."""
    if ref.startswith("-"):
        return None
    try:
        return git(folder, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    except (OSError, subprocess.SubprocessError):
        return None


def _owned_by_another(folder: Path) -> str:
    """A sentence that git reads no repository of another user, with what to do; empty if that is not the reason."""
    try:
        git(folder, "rev-parse", "HEAD")
    except subprocess.CalledProcessError as error:
        if "dubious ownership" in error.stderr:
            advice = re.search(r"git config --global --add safe\.directory \S+", error.stderr)
            way = advice[0] if advice else "git config --global --add safe.directory"
            return f"git reads no repository that belongs to another user; allow it with: {way} (needs HOME)"
    except (OSError, subprocess.SubprocessError):
        pass
    return ""


def _archive(folder: Path, commit: str, target: Path) -> None:
    """Copies the folder as it was at a commit. Raises UsageError if it can't."""
    prefix = git(folder, "rev-parse", "--show-prefix")
    content = subprocess.run(
        ["git", "-C", git(folder, "rev-parse", "--show-toplevel"), "archive", f"{commit}:{prefix}"],  # noqa: S607
        check=False, capture_output=True,
    )  # fmt: skip
    if content.returncode:
        msg = f"--base: this folder does not exist at {commit[:12]}"
        raise UsageError(msg)
    target.mkdir(parents=True)
    try:
        with tarfile.open(fileobj=BytesIO(content.stdout)) as archive:
            if out := [member.name for member in archive if _leaves(member)]:
                msg = f"--base: {commit[:12]} can't be copied: {out[0]} links to a path outside of the folder"
                raise UsageError(msg)
            # Python 3.11 has filters from 3.11.4 on, and later versions warn without one.
            checked: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            archive.extractall(target, **checked)  # noqa: S202 - git writes no path out of it, and links were checked
    except tarfile.TarError as error:
        msg = f"--base: {commit[:12]} can't be copied: {error}"
        raise UsageError(msg) from error


def _leaves(member: tarfile.TarInfo) -> bool:
    """Whether a member of an archive is a link out of it."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(member.name), member.linkname))
    return member.issym() and (target.startswith("/") or target.split("/")[0] == "..")


def _copy(folder: Path, target: Path) -> str | None:
    """Copies the folder as it is now, without what git ignores. Returns its commit; None without git."""
    try:
        listed = git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        head = git(folder, "rev-parse", "HEAD")
        head += "+" if git(folder, "status", "--porcelain", ".") else ""
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        listed = ""
    if not listed:  # no git here, or one that ignores this folder
        shutil.copytree(folder, target, ignore=NOT_CODE, symlinks=True)
        return None
    for name in filter(None, listed.split("\0")):
        source = folder / name
        if source.is_symlink() or source.is_file():  # neither deleted nor a submodule
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name, follow_symlinks=False)
    return head
