"""Where the data is looked for, and that it is what it says it is."""

import gzip
import shutil
from pathlib import Path

import pytest
import torch

from nin import data


def full_or_skip() -> data.Source:
    source = data.find()
    if source.is_subset:
        pytest.skip("the full Fashion-MNIST is not on this machine")
    return source


def test_subset_is_stratified(images: data.Images) -> None:
    test_images = data.load(data.subset(), train=False)

    assert [200] * 10 == torch.bincount(images.labels_N).tolist()
    assert [50] * 10 == torch.bincount(test_images.labels_N).tolist()
    assert (2000, 1, 28, 28) == tuple(images.pixels_NCHW.shape)


@pytest.mark.parametrize("train", [True, False])
def test_subset_is_the_first_images_of_each_class_unchanged(train: bool) -> None:
    full, small = data.load(full_or_skip(), train=train), data.load(data.subset(), train=train)

    for label in range(data.CLASSES):
        mine = small.pixels_NCHW[small.labels_N == label]
        assert torch.equal(full.pixels_NCHW[full.labels_N == label][: len(mine)], mine)


def test_full_set_has_its_published_statistics() -> None:
    source = full_or_skip()
    train, test = data.load(source, train=True), data.load(source, train=False)
    pixels = train.pixels_NCHW.double() / 255

    assert [6000] * 10 == torch.bincount(train.labels_N).tolist()
    assert [1000] * 10 == torch.bincount(test.labels_N).tolist()
    # Mean and deviation of the train pixels as widely published: 0.2860 and 0.3530.
    assert pytest.approx(0.28604, abs=1e-5) == pixels.mean().item()
    assert pytest.approx(0.35302, abs=1e-5) == pixels.std().item()


def test_without_anything_the_subset_serves(no_other_data: Path) -> None:  # noqa: ARG001
    source = data.find()

    assert source.is_subset
    assert "subset" in source.name


def copy_as_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lay the subset's files where the full set is looked for, and take their MD5 for the full set's."""
    shutil.copytree(data.SUBSET_FOLDER, folder)
    monkeypatch.setattr(data, "FULL_MD5", data.SUBSET_MD5)


def test_the_order_of_sources(no_other_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named, variable, debian = tmp_path / "named", tmp_path / "variable", tmp_path / "debian"
    cached = no_other_data / "FashionMNIST" / "raw"
    for folder in (named, variable, debian, cached):
        copy_as_full(folder, monkeypatch)
    monkeypatch.setattr(data, "DEBIAN_FOLDER", debian)
    monkeypatch.setenv("NIN_DATA", str(variable))

    assert data.find(named).folder == named
    assert data.find().folder == variable
    monkeypatch.delenv("NIN_DATA")
    assert data.find().folder == cached
    shutil.rmtree(cached)
    assert data.find().folder == debian


@pytest.mark.parametrize("inside", [".", "raw", "FashionMNIST/raw"])
def test_a_folder_may_hold_the_files_itself_or_as_torchvision_lays_them(
    inside: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_as_full(tmp_path / "data" / inside, monkeypatch)

    assert 2000 == len(data.load(data.find(tmp_path / "data"), train=True))


def test_unpacked_files_do_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_as_full(tmp_path / "data", monkeypatch)
    for packed in (tmp_path / "data").glob("*.gz"):
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()

    assert 500 == len(data.load(data.find(tmp_path / "data"), train=False))


@pytest.mark.parametrize("kind", ["missing", "empty"])
def test_a_named_folder_without_data_is_an_error_that_names_it(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / kind
    if kind == "empty":
        folder.mkdir()

    with pytest.raises(data.DataError, match=f"{folder}.*{data.TRAIN_IMAGES}"):
        data.find(folder)


@pytest.mark.parametrize("damage", ["flipped", "cut", "not gzip", "garbled"])
def test_a_corrupt_file_is_an_error_that_names_it(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_as_full(tmp_path / "data", monkeypatch)
    path = tmp_path / "data" / f"{data.TRAIN_IMAGES}.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[5000] ^= 1
    garbled = bytearray(path.read_bytes())
    garbled[200:300] = bytes(100)
    damaged = {
        "flipped": gzip.compress(content), "cut": path.read_bytes()[:9000], "not gzip": b"<html>",
        "garbled": bytes(garbled),
    }  # fmt: skip
    path.write_bytes(damaged[damage])

    with pytest.raises(data.DataError, match=f"{path}.*--data"):
        data.load(data.find(tmp_path / "data"), train=True)


def test_random_images_come_from_their_seed() -> None:
    one, same, other = (data.random_images((3, 8, 8), 7, seed) for seed in (1, 1, 2))

    assert torch.equal(one.pixels_NCHW, same.pixels_NCHW)
    assert not torch.equal(one.pixels_NCHW, other.pixels_NCHW)
    assert int(one.labels_N.max()) == 6
