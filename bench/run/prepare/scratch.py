"""Where compiled code and code trees of a run are kept until it is complete."""

import contextlib
import hashlib
import shutil
from pathlib import Path

from bench.core.home import can_be_written, private
from nin.files import cache_folder

OWNER = "run"
"""The file of a scratch folder that names its run's folder."""


def cache() -> Path:
    """Where compiled code and code trees are kept: the user's cache, or a private temporary folder.

    UsageError if nothing can be kept anywhere.
    """
    usual = cache_folder()
    return usual if usual and can_be_written(usual) else private()


def scratch_of(folder: Path) -> Path:
    """The scratch folder of the run in this folder, which may not exist yet; UsageError if nothing can be kept."""
    path_hash = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
    return cache() / "runs" / f"{folder.name}-{path_hash}"


def own(scratch: Path, folder: Path) -> None:
    """Make a scratch folder that belongs to the run in this folder."""
    scratch.mkdir(parents=True, exist_ok=True)
    (scratch / OWNER).write_text(str(folder.resolve()), encoding="utf-8")


def prune(scratches: Path) -> None:
    """Remove the scratch folders of runs whose own folder is gone: nobody can go on with them."""
    for owner in scratches.glob(f"*/{OWNER}"):
        with contextlib.suppress(FileNotFoundError):  # another run that begins now removed it
            if not Path(owner.read_text(encoding="utf-8")).is_dir():
                shutil.rmtree(owner.parent, ignore_errors=True)
