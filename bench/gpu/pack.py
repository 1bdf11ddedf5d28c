"""The folder that is sent back: few files, none of them large, none of which says whose machine it was."""

import getpass
import gzip
import io
import re
import socket
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.core.home import home
from bench.core.traces import BOARD, FOLDER, RAW
from bench.machine.code import ROOT

MOST_BYTES = 16 * 2**20
"""Of a file: more can't be sent everywhere."""
TEXTS = (".csv", ".json", ".jsonl", ".md", ".txt")
"""Files of a run that are cleaned; others, such as figures, name no machine."""
WORD = r"[^\s/:,;'\"`()<>|]+"
FOLDERS = re.compile(rf"(?<![\w.:/~<>-])/(?:{WORD}(?: +{WORD})*/)+")
"""The folders of an absolute path, whose names may have spaces: words between a path and the next slash go too."""
UUID = re.compile(r"(?<=[GM][PI][UG]-)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""What names one GPU, or a slice of one, of all that there are."""
ANONYMOUS = ("localhost", "root")
RUN, TRACE = "run.tar.gz", "trace.json.gz"


class Cleaner:
    """Removes from a text what says whose machine it came from: folders, the names of host and user."""

    def __init__(self, scratch: Path) -> None:
        known = {sys.base_prefix: "PYTHON", sys.prefix: "PYTHON", tempfile.gettempdir(): "TMP"}
        known |= {str(home()): "~", str(ROOT): ".", str(scratch): "SCRATCH"}
        longest_first = sorted(known.items(), key=lambda item: -len(item[0]))
        self._known = [(re.compile(rf"{re.escape(folder)}(?![\w.-])"), name) for folder, name in longest_first]
        host = socket.gethostname()
        private = (host, host.partition(".")[0], user_name())
        names = [re.escape(name) for name in private if name and name not in ANONYMOUS]
        name = f"(?:{'|'.join(names)})" if names else "(?!)"  # which nothing matches
        self._name = re.compile(rf"(?<![\w-]){name}(?![\w-])")
        self._name_in_path = re.compile(rf"(?<=[/@]){name}(?![\w-])|(?<![\w-]){name}(?=[/@])")

    def without_folders(self, text: str) -> str:
        """The text with only the last part of every absolute path."""
        for folder, name in self._known:
            text = folder.sub(name, text)
        text = UUID.sub("UUID", text)
        return self._name_in_path.sub("NAME", FOLDERS.sub("", text))

    def clean(self, text: str) -> str:
        """The text without folders and names. Not for a file that is read again: there, a name may be a needed word."""
        return self._name.sub("NAME", self.without_folders(text))


def user_name() -> str:
    """The user's name; empty if the system knows none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def pack(out: Path, texts: dict[str, str], scratch: Path) -> list[str]:
    """Write the folder: these texts by name, and the run and the trace of the scratch folder.

    Returns the names of the files that are too large and are left out.
    """
    cleaner = Cleaner(scratch)
    files = {name: cleaner.clean(text).encode() for name, text in texts.items()}
    if members := list(run_files(scratch)):
        files[RUN] = tarred(members, cleaner)
    if (trace := scratch / FOLDER / RAW).exists():
        files[TRACE] = gzip.compress(cleaner.clean(text_of(gzip.decompress(trace.read_bytes()))).encode(), mtime=0)
    out.mkdir(parents=True, exist_ok=True)
    fit = {name: content for name, content in files.items() if len(content) <= MOST_BYTES}
    for name, content in fit.items():
        (out / name).write_bytes(content)
    return [name for name in files if name not in fit]


def text_of(content: bytes) -> str:
    """The text of a file. A byte that is no text becomes a mark, so that no result is lost for it."""
    return content.decode(errors="replace")


def run_files(scratch: Path) -> Iterator[tuple[str, Path]]:
    """The files of runs and their reports, without traces, with their names in the archive."""
    for folder in ("results", "reports"):
        for path in sorted((scratch / folder).rglob("*")):
            name = path.relative_to(scratch)
            if path.is_file() and not {FOLDER, BOARD} & set(name.parts):
                yield str(name), path


def tarred(members: Iterable[tuple[str, Path]], cleaner: Cleaner) -> bytes:
    """The files as a compressed archive without the name of an owner."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, path in members:
            content = path.read_bytes()
            if path.suffix in TEXTS:
                content = cleaner.without_folders(text_of(content)).encode()
            member = tarfile.TarInfo(name)  # without an owner
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()
