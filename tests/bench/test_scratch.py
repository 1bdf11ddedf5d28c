"""The scratch folders of runs: which go, and which stay."""

from pathlib import Path

from bench.run.prepare.scratch import OWNER, own, prune


def test_a_scratch_folder_goes_with_its_run_alone(tmp_path: Path) -> None:
    here, scratches = tmp_path / "here", tmp_path / "runs"
    here.mkdir()
    own(scratches / "kept", here)
    own(scratches / "gone", tmp_path / "gone")
    (scratches / "nobody's").mkdir()

    prune(scratches)

    assert sorted(path.name for path in scratches.iterdir()) == ["kept", "nobody's"]


def test_an_owner_that_another_run_removes_meanwhile_is_passed_by(tmp_path: Path) -> None:
    """A link that leads nowhere is found as that file is, and can't be read either."""
    vanished, scratches = tmp_path / "runs" / "vanished", tmp_path / "runs"
    vanished.mkdir(parents=True)
    (vanished / OWNER).symlink_to(tmp_path / "nothing")
    own(scratches / "z", tmp_path / "gone")

    prune(scratches)

    assert sorted(path.name for path in scratches.iterdir()) == ["vanished"]
