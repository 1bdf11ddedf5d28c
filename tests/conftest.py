"""What several tests share."""

import signal
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from nin import data, files


@pytest.fixture(autouse=True, scope="session")
def heard_signals() -> None:
    """A shell has what it starts in the background ignore Ctrl-C, and nohup the terminal's end: tests send both."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def images() -> data.Images:
    """The subset's 2,000 train images, which every checkout has."""
    return data.load(data.subset(), train=True)


@pytest.fixture
def no_other_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with no Fashion-MNIST but the subset; the folder is its empty cache."""
    monkeypatch.setattr(files, "DEBIAN_FOLDER", tmp_path / "no-debian")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("NIN_DATA", raising=False)
    return tmp_path / "cache" / "nin-bench"


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One thread: times are steadier, and sums come in one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def own_flags() -> Iterator[None]:
    """Torch's process-wide flags of precision and cuDNN, as they were before the test."""
    cudnn, mkldnn, matmul = torch.backends.cudnn, torch.backends.mkldnn, torch.backends.cuda.matmul
    holders = (matmul, cudnn.conv, cudnn.rnn, mkldnn.matmul, mkldnn.conv)  # type: ignore[attr-defined]
    older = torch.get_float32_matmul_precision(), cudnn.allow_tf32
    before, benchmark = [holder.fp32_precision for holder in holders], cudnn.benchmark
    yield
    cudnn.benchmark = benchmark
    if before == [holder.fp32_precision for holder in holders]:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the older calls are deprecated
        torch.set_float32_matmul_precision(older[0])
        cudnn.allow_tf32 = older[1]
    for holder, flag in zip(holders, before, strict=True):
        holder.fp32_precision = flag


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none, and say so."""
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
