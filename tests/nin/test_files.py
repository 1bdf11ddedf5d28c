"""Where the data is looked for, and that it is what it says it is."""

import gzip
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nin import files


def images(folder: Path, *, train: bool) -> int:
    """How many images a folder's files hold, once they are checked."""
    pixels, labels = files.stored(files.find(folder), train=train)
    assert len(pixels) == 28 * 28 * len(labels)
    return len(labels)


def test_without_anything_the_subset_serves(no_other_data: Path) -> None:  # noqa: ARG001
    source = files.find()

    assert source.is_subset
    assert "subset" in source.name


def copy_as_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lay the subset's files where the full set is looked for, and take their MD5 for the full set's."""
    shutil.copytree(files.SUBSET_FOLDER, folder)
    monkeypatch.setattr(files, "FULL_MD5", files.SUBSET_MD5)


def test_the_order_of_sources(no_other_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named, variable, debian = tmp_path / "named", tmp_path / "variable", tmp_path / "debian"
    cached = no_other_data / "FashionMNIST" / "raw"
    for folder in (named, variable, debian, cached):
        copy_as_full(folder, monkeypatch)
    monkeypatch.setattr(files, "DEBIAN_FOLDER", debian)
    monkeypatch.setenv("NIN_DATA", str(variable))

    assert files.find(named).folder == named
    assert files.find().folder == variable
    monkeypatch.delenv("NIN_DATA")
    assert files.find().folder == cached
    shutil.rmtree(cached)
    assert files.find().folder == debian


@pytest.mark.parametrize("inside", [".", "raw", "FashionMNIST/raw"])
def test_a_folder_may_hold_the_files_itself_or_as_torchvision_lays_them(
    inside: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_as_full(tmp_path / "data" / inside, monkeypatch)

    assert 2000 == images(tmp_path / "data", train=True)


def test_unpacked_files_do_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_as_full(tmp_path / "data", monkeypatch)
    for packed in (tmp_path / "data").glob("*.gz"):
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()

    assert 500 == images(tmp_path / "data", train=False)


@pytest.mark.parametrize("kind", ["missing", "empty"])
def test_a_named_folder_without_data_is_an_error_that_names_it(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / kind
    if kind == "empty":
        folder.mkdir()

    with pytest.raises(files.DataError, match=f"{folder}.*{files.TRAIN_IMAGES}"):
        files.find(folder)


@pytest.mark.parametrize("damage", ["flipped", "cut", "not gzip", "garbled"])
def test_a_corrupt_file_is_an_error_that_names_it(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_as_full(tmp_path / "data", monkeypatch)
    path = tmp_path / "data" / f"{files.TRAIN_IMAGES}.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[5000] ^= 1
    garbled = bytearray(path.read_bytes())
    garbled[200:300] = bytes(100)
    damaged = {
        "flipped": gzip.compress(content), "cut": path.read_bytes()[:9000], "not gzip": b"<html>",
        "garbled": bytes(garbled),
    }  # fmt: skip
    path.write_bytes(damaged[damage])

    with pytest.raises(files.DataError, match=f"{path}.*--data"):
        images(tmp_path / "data", train=True)


TORCHVISION = """
import shutil
from pathlib import Path

def FashionMNIST(folder, download):
    if {error!r}:
        raise RuntimeError({error!r})
    shutil.copytree({subset!r}, Path(folder) / "FashionMNIST" / "raw")
"""


@pytest.mark.parametrize("error", ["", "no network\nhere"])
def test_a_download_is_torchvision_s_in_a_process_of_its_own(
    error: str, no_other_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stand-in lays the subset's files; it is found because the process looks in PYTHONPATH first."""
    stand_in = tmp_path / "torchvision"
    stand_in.mkdir()
    (stand_in / "__init__.py").touch()
    (stand_in / "datasets.py").write_text(TORCHVISION.format(error=error, subset=str(files.SUBSET_FOLDER)))
    root = Path(files.__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{root}")
    if error:
        with pytest.raises(files.DataError, match=r"failed \(no network here\); go on without --download"):
            files.find(download=True)
    else:
        source = files.find(download=True)
        assert (source.name, source.folder) == ("torchvision's download", no_other_data / "FashionMNIST" / "raw")
        assert files.find(download=True).name == "the user's cache folder"


def test_finding_the_files_needs_no_torch() -> None:
    code = "import sys; from nin import files; files.stored(files.subset(), train=True); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
