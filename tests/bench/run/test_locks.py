"""A folder has one writer, where its file system can lock folders."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from bench.core.records import RecordError
from bench.run.folder import locked


def test_a_folder_in_use_is_refused_until_it_is_released(tmp_path: Path) -> None:
    first = locked(tmp_path, "another run")
    with pytest.raises(RecordError, match="in use by another run"):
        locked(tmp_path, "another run")
    os.close(first)
    os.close(locked(tmp_path, "another run"))


@pytest.mark.parametrize("number", [errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_on_folders_is_used_without(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", fails)
    os.close(locked(tmp_path, "another run"))


def test_another_error_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", fails)
    with pytest.raises(RecordError, match="Input/output error"):
        locked(tmp_path, "another run")
