"""The scratch folder of a run, which keeps compiled code, code trees and the gate's files until the run is complete."""

import contextlib
import hashlib
import shutil
from pathlib import Path

from bench.core.home import can_be_written, private
from nin.files import cache_folder

OWNER = "run"
"""The file in a scratch folder that names its run's folder."""


def cache() -> Path:
    """The folder of all scratch folders: the user's cache, or else a private temporary folder.

    Raises UsageError if neither can be written.
    """
    usual = cache_folder()
    return usual if usual and can_be_written(usual) else private()


def scratch_of(folder: Path) -> Path:
    """The scratch folder of a run's folder, which may not exist yet. Raises UsageError if none can be written."""
    path_hash = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
    return cache() / "runs" / f"{folder.name}-{path_hash}"


def own(scratch: Path, folder: Path) -> None:
    """Makes a scratch folder that belongs to the run in this folder."""
    scratch.mkdir(parents=True, exist_ok=True)
    (scratch / OWNER).write_text(str(folder.resolve()), encoding="utf-8")


def prune(scratches: Path) -> None:
    """Removes the scratch folders of runs whose own folder is gone: nobody can resume them."""
    for owner in scratches.glob(f"*/{OWNER}"):
        with contextlib.suppress(FileNotFoundError):  # another run that begins now has removed it
            if not Path(owner.read_text(encoding="utf-8")).is_dir():
                shutil.rmtree(owner.parent, ignore_errors=True)
