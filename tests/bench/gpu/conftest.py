"""A task, and a reader of its outcome."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.gpu.recorder import Outcome, Recorder, Task, read

MakeRecorder = Callable[..., Recorder]


@pytest.fixture
def outcome(tmp_path: Path) -> Callable[[], Outcome]:
    """What the recorder has written so far."""
    return lambda: read(tmp_path / "outcome.jsonl")


@pytest.fixture
def recorder(tmp_path: Path) -> MakeRecorder:
    """Make a recorder: of a GPU, or of a rehearsal."""

    def made(*, rehearse: bool = False) -> Recorder:
        task = Task(step="step", rehearse=rehearse, limit_s=60, scratch=tmp_path)
        return Recorder(task, tmp_path / "outcome.jsonl")

    return made
