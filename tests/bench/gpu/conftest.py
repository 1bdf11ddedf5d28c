"""A task, and where what it told can be read."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.gpu.recorder import Recorder, Task, Told, read

MakeRecorder = Callable[..., Recorder]


@pytest.fixture
def told(tmp_path: Path) -> Callable[[], Told]:
    """What the recorder was told so far."""
    return lambda: read(tmp_path / "told.jsonl")


@pytest.fixture
def recorder(tmp_path: Path) -> MakeRecorder:
    """Make a recorder: of a GPU, or of a rehearsal."""

    def made(*, rehearse: bool = False) -> Recorder:
        task = Task(step="step", rehearse=rehearse, limit_s=60, scratch=tmp_path)
        return Recorder(task, tmp_path / "told.jsonl")

    return made
