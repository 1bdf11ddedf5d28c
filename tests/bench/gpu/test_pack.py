"""What is sent back is small and tells nothing of whose machine it was."""

import gzip
import socket
import tarfile
from pathlib import Path

import pytest

from bench.gpu import pack


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scratch folder of a user called quentin on the host tower7, with a run, its report and a trace."""
    monkeypatch.setattr(socket, "gethostname", lambda: "tower7.lab.example")
    monkeypatch.setattr(pack, "user_name", lambda: "quentin")
    monkeypatch.setenv("HOME", "/home/quentin")
    scratch = tmp_path / "scratch"
    files = {
        "results/gpu/run.json": '{"folder": "/home/quentin/data"}',
        "results/gpu/traces/x/trace.json.gz": "not packed",
        "reports/gpu/report.md": f"{scratch}/results/gpu and /srv/disk one/quentin/x.py",
        "reports/gpu/tensorboard/events": "not packed",
    }
    for name, text in files.items():
        (scratch / name).parent.mkdir(parents=True, exist_ok=True)
        (scratch / name).write_text(text)
    (scratch / "reports/gpu/figure.png").write_bytes(b"\x89PNG")
    (scratch / "traces").mkdir()
    with gzip.open(scratch / "traces" / "trace.json.gz", "wt") as file:
        file.write('{"traceName": "/tmp/a/trace.json", "name": "/usr/lib/python3/torch/nn.py(12): quentin"}')
    return scratch


LOG = """quentin@tower7: it began on GPU-d3adbeef-0000-1111-2222-000000000001 of tower7.lab.example
  File "/opt/conda/lib/python3.12/site-packages/torch/nn/functional.py", line 12, in f
/home/quentin/nin-bench/bench/x.py: 18,300 images/s, 1/2 of 3 GB/s (see docs/gpu.md, https://pytorch.org/docs/stable)
"""


def test_no_folder_host_or_user_is_in_what_is_packed(scratch: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    left_out = pack.pack(out, {"log.txt": LOG, "checks.csv": "step\n"}, scratch)
    names = sorted(path.name for path in out.iterdir())
    contents = [(out / name).read_bytes() for name in names]
    with tarfile.open(out / "run.tar.gz") as archive:
        members = archive.getmembers()
        contents += [archive.extractfile(member).read() for member in members]  # type: ignore[union-attr]
    contents += [gzip.decompress(content) for content in contents if content.startswith(b"\x1f\x8b")]

    assert left_out == []
    assert names == ["checks.csv", "log.txt", "run.tar.gz", "trace.json.gz"]
    assert sorted(m.name for m in members) == [
        "reports/gpu/figure.png",
        "reports/gpu/report.md",
        "results/gpu/run.json",
    ]
    assert {(m.uname, m.gname, m.uid, m.gid) for m in members} == {("", "", 0, 0)}
    of_owner = (b"quentin", b"tower7", b"lab.example", b"d3adbeef")
    for private in (*of_owner, b"/home", b"/tmp", b"/opt", b"/usr", str(tmp_path).encode()):
        assert not any(private in content for content in contents), private


def test_what_a_reader_needs_stays(scratch: Path) -> None:
    cleaned = pack.Cleaner(scratch).clean(LOG)

    assert '"functional.py", line 12' in cleaned
    assert "18,300 images/s, 1/2 of 3 GB/s (see docs/gpu.md, https://pytorch.org/docs/stable)" in cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ('File "/srv/Jane Doe/my  long project/x.py", line 3', 'File "x.py", line 3'),
        ("/media/Jane Doe/a/x.py: 18 images/s", "x.py: 18 images/s"),
        ("| /media/Jane Doe/x.py | 3 images/s |", "| x.py | 3 images/s |"),
        ("/opt/a/x.py, then /srv/Jane Doe/y.py", "x.py, then y.py"),
        ("no GPU / no CPU, 1/2 of 3 GB/s", "no GPU / no CPU, 1/2 of 3 GB/s"),
    ],
)
def test_folders_whose_names_have_spaces_go_too(text: str, cleaned: str, scratch: Path) -> None:
    assert pack.Cleaner(scratch).clean(text) == cleaned


def test_a_file_too_large_to_be_sent_is_left_out_and_named(
    scratch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack, "MOST_BYTES", 1000)

    assert pack.pack(tmp_path / "out", {"log.txt": "x" * 1001, "checks.csv": "x" * 1000}, scratch) == ["log.txt"]
    assert not (tmp_path / "out" / "log.txt").exists()
