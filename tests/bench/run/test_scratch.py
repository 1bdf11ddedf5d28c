"""The scratch folders of runs: which go, and which stay."""

from pathlib import Path

import pytest

from bench.run.prepare.scratch import own, prune


def test_a_scratch_folder_goes_with_its_run_alone(tmp_path: Path) -> None:
    here, scratches = tmp_path / "here", tmp_path / "runs"
    here.mkdir()
    own(scratches / "kept", here)
    own(scratches / "gone", tmp_path / "gone")
    (scratches / "nobody's").mkdir()

    prune(scratches)

    assert sorted(path.name for path in scratches.iterdir()) == ["kept", "nobody's"]


def test_an_owner_that_another_run_removes_meanwhile_is_passed_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratches, honest = tmp_path / "runs", Path.read_text

    def late(path: Path, encoding: str) -> str:
        if path.parent.name == "vanishes":
            path.unlink()
        return honest(path, encoding)

    for name in ("vanishes", "gone"):
        own(scratches / name, tmp_path / "gone")
    monkeypatch.setattr(Path, "read_text", late)
    prune(scratches)

    assert [path.name for path in scratches.iterdir()] == ["vanishes"]
