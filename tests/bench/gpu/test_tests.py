"""A test of pytest's becomes a check as it ends."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.gpu.recorder import Outcome, Recorder, Task
from bench.gpu.steps import tests
from bench.machine.code import ROOT

WRITTEN = """
import pytest

def test_passes(): pass

def test_fails(): assert 1 == 2, "one is not two"

@pytest.mark.skip(reason="no CUDA device")
def test_skipped(): pass

@pytest.fixture
def broken(): raise OSError("no such kernel")

def test_broken(broken): pass
"""


def test_each_outcome_is_a_check(
    tmp_path: Path,
    recorder: Callable[..., Recorder],
    outcome: Callable[[], Outcome],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "test_written.py").write_text(WRITTEN)
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "-c", "/dev/null"]
    pytest.main([*options, str(tmp_path / "test_written.py")], plugins=[tests.Outcomes(recorder())])
    capsys.readouterr()
    found = {check.check: (check.status.value, check.reason) for check in outcome().checks}

    assert {name: status for name, (status, _) in found.items()} == {
        "failures of test_passes": "ok",
        "failures of test_fails": "failed",
        "test_skipped": "skipped",
        "failures of test_broken": "failed",
    }
    assert found["test_skipped"][1] == "no CUDA device"
    assert "one is not two" in found["failures of test_fails"][1]
    assert "no such kernel" in found["failures of test_broken"][1]


EVERY = ("-m", "gpu", str(ROOT / "tests"))


@pytest.mark.parametrize(("all_tests", "asked"), [(False, tests.CHOSEN), (True, EVERY)])
def test_nine_tests_are_run_unless_all_are_asked_for(
    all_tests: bool,
    asked: tuple[str, ...],
    tmp_path: Path,
    recorder: Callable[..., Recorder],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[list[str]] = []

    def main(options: list[str], plugins: object) -> pytest.ExitCode:  # noqa: ARG001 - pytest's own signature
        calls.append(options)
        return pytest.ExitCode.OK

    monkeypatch.setattr(pytest, "main", main)
    tests.measure(Task(step="tests", rehearse=False, limit_s=1, scratch=tmp_path, all_tests=all_tests), recorder())

    assert [call[-len(asked) :] for call in calls] == [list(asked)]


def test_every_chosen_test_is_there(request: pytest.FixtureRequest) -> None:
    """A test that was renamed would be missed on a GPU alone."""
    root = request.config.rootpath
    names = {node.partition("[")[0] for node in tests.CHOSEN}

    assert all(f"def {name.partition('::')[2]}(" in (root / name.partition("::")[0]).read_text() for name in names)
