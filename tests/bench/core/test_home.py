"""Where a user has no home folder, or none that can be written."""

import os
import pwd
import re
import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.core import home
from bench.core.home import without_home
from bench.core.variants import UsageError
from bench.run.prepare import scratch as scratches
from nin import files

EXAMPLE = Path(__file__).parents[3] / "results" / "example"


def call(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


def unknown(number: int) -> None:
    raise KeyError(number)


@pytest.fixture
def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """HOME unset, and no entry in passwd: as under `docker run --user 12345`."""
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize(
    ("value", "text", "told"),
    [
        ("/home/ann", "/home/ann/data and /home/ann", "~/data and ~"),
        ("/home/ann/", "in '/home/ann/data'", "in '~/data'"),
        ("/home/ann", "/home/anna/data /home/ann-2 /home/ann.old", "/home/anna/data /home/ann-2 /home/ann.old"),
        ("/", "--out /tmp/results", "--out /tmp/results"),
        ("//", "--out /tmp//results", "--out /tmp//results"),
        ("", "--out /tmp/results", "--out /tmp/results"),
        (".", "3.5 s in ./results", "3.5 s in ./results"),
        ("/home/a+b", "/home/a+b/data", "~/data"),
    ],
)
def test_only_a_home_of_ones_own_is_replaced(value: str, text: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", value)

    assert without_home(text) == told


@pytest.mark.usefixtures("no_home")
def test_without_a_home_texts_stay_and_scratch_goes_to_a_private_folder(scratch: Path) -> None:
    assert without_home("/tmp/x") == "/tmp/x"  # noqa: S108 - text alone
    assert files.find().folder.is_dir()

    folder = scratches.scratch_of(Path("results/made-up"))
    private = scratch / f"nin-bench-{os.getuid()}"
    assert folder.parent == private / "runs"
    assert private.stat().st_mode & 0o777 == 0o700
    assert scratches.scratch_of(Path("results/made-up")) == folder  # where --resume looks for it


def test_a_home_that_can_not_be_written_is_not_used_for_scratch(
    tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert scratches.scratch_of(Path("results/made-up")).is_relative_to(tmp_path / ".cache" / "nin-bench")

    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    assert scratches.scratch_of(Path("results/made-up")).is_relative_to(scratch)


@pytest.mark.usefixtures("no_home")
@pytest.mark.parametrize("kind", ["open", "link", "file"])
def test_a_private_folder_that_others_could_write_is_refused(kind: str, scratch: Path, tmp_path: Path) -> None:
    folder = scratch / f"nin-bench-{os.getuid()}"
    if kind == "open":
        folder.mkdir()
        folder.chmod(0o777)
    elif kind == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        folder.touch()

    with pytest.raises(UsageError, match="is not this user's alone: set HOME"):
        scratches.cache()


def nowhere() -> str:
    raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")


def test_without_temporary_files_one_line_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    code, output = call("list", "--preset", "look")

    assert code == 2
    assert output == "bench: no folder for temporary files can be written: set TMPDIR to one that can\n"


@pytest.mark.usefixtures("no_home")
@pytest.mark.parametrize("value", [None, "/", "unmakeable"])
def test_a_report_needs_no_home(
    value: str | None, scratch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    if value:
        monkeypatch.setenv("HOME", value if value == "/" else str(tmp_path / "file" / "home"))
    code, output = call("report", str(EXAMPLE), "--out", str(tmp_path / "reports"))

    assert code == 0, output
    assert re.search("report: .*reports/example/report.md", output.replace("\n", ""))
    assert (tmp_path / "reports" / "example" / "report.md").stat().st_size > 10_000
    kept = scratch / f"nin-bench-{os.getuid()}" / "matplotlib"
    assert os.environ["MPLCONFIGDIR"] == str(kept)  # matplotlib would warn at length


@pytest.mark.parametrize(
    ("arguments", "folder", "option"),
    [
        (("report", str(EXAMPLE), "--out", "file/reports"), "file/reports", "--out"),
        (("compare", str(EXAMPLE), "other", "--out", "file"), "file", "--out"),
        (("run", "--preset", "look", "--out", "file/results"), "file/results", "--out"),
        (("run", "--preset", "look", "--reports", "file"), "file", "--reports"),
        (("ab", "--base", "HEAD", "--reports", "file"), "file", "--reports"),
        (("profile", "--out", "file"), "file", "--out"),
    ],
)  # fmt: skip
def test_a_folder_that_can_not_be_written_is_refused_before_anything_is_measured(
    arguments: tuple[str, ...], folder: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()

    assert call(*arguments) == (2, f"bench: {folder} can't be written: name another folder by {option}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_is_not_made_by_asking_whether_it_can_be_written(tmp_path: Path) -> None:
    assert home.can_be_written(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()

    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    assert not home.can_be_written(tmp_path / "dangling" / "b")
