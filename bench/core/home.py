"""The user's own folders: the home, and the temporary folder that replaces it if it can't be written."""

import contextlib
import os
import re
import stat
import tempfile
from pathlib import Path

from bench.core.variants import UsageError


def home() -> Path | None:
    """The user's home folder; None if nothing names one, or if it is `/` or a relative path."""
    try:
        folder = Path.home()
    except RuntimeError:  # neither HOME nor an entry in passwd
        return None
    return folder if folder.is_absolute() and len(folder.parts) > 1 else None


def temporary() -> Path:
    """The folder for temporary files. Raises UsageError if none can be written."""
    try:
        return Path(tempfile.gettempdir())
    except OSError as error:
        msg = "no folder for temporary files can be written: set TMPDIR to one that can"
        raise UsageError(msg) from error


def private() -> Path:
    """A temporary folder of this user's alone, made if it is missing.

    Raises UsageError if it is not safe to use.
    """
    folder = temporary() / f"nin-bench-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()  # not stat: a link may lead to what others write
        own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077
    except OSError:
        own = False
    if not own:  # compiled code is kept here, and run
        msg = f"{folder} is not this user's alone: set HOME, XDG_CACHE_HOME or TMPDIR to a folder that can be written"
        raise UsageError(msg)
    return folder


def without_home(text: str) -> str:
    """The text with `~` for the user's home folder: no record has a user's name."""
    own = home()
    return re.sub(rf"{re.escape(str(own))}(?![\w.-])", "~", text) if own else text


def settle() -> None:
    """Sets matplotlib's folder to a private one if the home can't be written: it would warn at length."""
    bases = {"XDG_CONFIG_HOME": ".config", "XDG_CACHE_HOME": ".cache"}
    own = home()
    usual = [os.environ.get(name) or (own and own / folder) for name, folder in bases.items()]
    if os.environ.get("MPLCONFIGDIR") or all(base and can_be_written(Path(base) / "matplotlib") for base in usual):
        return
    with contextlib.suppress(UsageError):
        os.environ["MPLCONFIGDIR"] = str(private() / "matplotlib")


def can_be_written(folder: Path) -> bool:
    """Whether files can be written to a folder, which may have to be made first."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(path))
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def check(folder: Path, option: str) -> None:
    """Raises UsageError if an option's folder can't be written."""
    if not can_be_written(folder):
        msg = f"{folder} can't be written: name another folder by {option}"
        raise UsageError(msg)
