"""Fashion-MNIST's files: which folder has them, and whether their content is right. Without torch."""

import contextlib
import gzip
import hashlib
import os
import subprocess
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

CLASSES = 10
IMAGE_SIZE = 224  # the side to which the notebook resizes the 28x28 images

TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"
FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)

# MD5 of the unpacked files: each packager compresses them again, so the .gz files differ but their content does not.
FULL_MD5 = {
    TRAIN_IMAGES: "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    TRAIN_LABELS: "9018921c3c673c538a1fc5bad174d6f9",
    TEST_IMAGES: "8181f5470baa50b63fa0f6fddb340f0a",
    TEST_LABELS: "15d484375f8d13e6eb1aabb0c3f46965",
}
# The first 200 train and 50 test images of each class, in the official order.
SUBSET_MD5 = {
    TRAIN_IMAGES: "fc2dd2cd627f464cd717afe5a3ddc438",
    TRAIN_LABELS: "f2751a24eee86e9a35eee15ce0688f0d",
    TEST_IMAGES: "11dd45a03b42d5ec35028c55043cb759",
    TEST_LABELS: "5a0a86476c6e811c477bdf994db101cc",
}

RANDOM_IMAGES = 1024
SUBSET_FOLDER = Path(__file__).parent / "subset"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")


class DataError(Exception):
    """The data is missing or corrupt; the text names the file or folder, and says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A folder with Fashion-MNIST's files."""

    name: str
    """In words, without a path; it is printed and recorded."""
    folder: Path
    is_subset: bool


def cache_folder() -> Path | None:
    """The user's cache folder of this project, which may not exist yet; None if the user has no home."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nin-bench"
    except RuntimeError:  # neither HOME nor an entry in passwd
        return None


def find(folder: str | Path | None = None, *, download: bool = False) -> Source:
    """The first source that has the data: a named folder, $NIN_DATA, the cache, Debian, download, subset.

    Raises DataError if a named folder (by argument or $NIN_DATA) has no data, or if the download fails.
    """
    if folder is not None:
        return _named(Path(folder), "the folder named by --data")
    if os.environ.get("NIN_DATA"):
        return _named(Path(os.environ["NIN_DATA"]), "the folder named by NIN_DATA")
    if (cache := cache_folder()) and (cached := _holding_folder(cache)):
        return Source(name="the user's cache folder", folder=cached, is_subset=False)
    if debian := _holding_folder(DEBIAN_FOLDER):
        return Source(name="Debian's package dataset-fashion-mnist", folder=debian, is_subset=False)
    if download:
        return _download()
    return subset()


def subset() -> Source:
    """The 2,000 train and 500 test images that ship inside this package."""
    return Source(
        name="the subset inside the package (2,000 train and 500 test images)",
        folder=SUBSET_FOLDER,
        is_subset=True,
    )


def stored(source: Source, *, train: bool) -> tuple[bytearray, bytearray]:
    """The train or the test images of a source as they are stored: a byte a pixel, and a byte a label.

    Raises DataError if a file is not, byte for byte, Fashion-MNIST's (or the subset's).
    """
    images_name, labels_name = FILES[:2] if train else FILES[2:]
    labels = _read(source, labels_name)[8:]  # IDX: 4 bytes of magic, then 4 a dimension
    return _read(source, images_name)[16:], labels


def _named(folder: Path, name: str) -> Source:
    with contextlib.suppress(RuntimeError):  # ~ is in the name and the user has no home
        folder = folder.expanduser()
    if holding := _holding_folder(folder):
        return Source(name=name, folder=holding, is_subset=False)
    problem = "has no Fashion-MNIST" if folder.is_dir() else "is not a folder"
    msg = (
        f"{name}, {folder}, {problem}: it must hold {', '.join(FILES)} (or these with .gz), itself or "
        "under raw/ or FashionMNIST/raw/; without --data and NIN_DATA the images inside the package serve"
    )
    raise DataError(msg)


def _holding_folder(folder: Path) -> Path | None:
    for candidate in (folder, folder / "raw", folder / "FashionMNIST" / "raw"):
        if all(_file(candidate, name) for name in FILES):
            return candidate
    return None


def _file(folder: Path, name: str) -> Path | None:
    """The plain file, or else the compressed one (torchvision keeps both); None if neither exists."""
    return next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)


def _read(source: Source, name: str) -> bytearray:
    path = _file(source.folder, name)
    if path is None:
        msg = f"{source.folder / name}: the file is gone; name another folder with --data"
        raise DataError(msg)
    try:
        raw = path.read_bytes()
        content = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, ValueError, zlib.error) as error:
        msg = f"{path}: cannot be read ({error}); replace it, or name another folder with --data"
        raise DataError(msg) from error
    expected = (SUBSET_MD5 if source.is_subset else FULL_MD5)[name]
    actual = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if actual != expected:
        msg = (
            f"{path}: corrupt or not Fashion-MNIST (MD5 of its content is {actual}, expected {expected}); "
            "replace it, or name another folder with --data"
        )
        raise DataError(msg)
    return bytearray(content)


def _download() -> Source:
    """Have torchvision download the data in a process of its own, because this one works without torch."""
    cache = cache_folder()
    if cache is None:
        msg = "the download has no place to go: set HOME or XDG_CACHE_HOME to a folder that can be written"
        raise DataError(msg)
    done = subprocess.run(
        [sys.executable, "-P", str(Path(__file__).with_name("download.py")), str(cache)],
        check=False,
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        why = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        msg = f"the download of Fashion-MNIST failed ({why}); go on without --download, or name a folder with --data"
        raise DataError(msg)
    return Source(name="torchvision's download", folder=cache / "FashionMNIST" / "raw", is_subset=False)
