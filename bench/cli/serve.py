"""TensorBoard for the folder of one run: whether it can be served, how it starts, and what a person reads."""

import os
import signal
import socket
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from bench.core.exits import called
from bench.core.text import shell_word, shortened
from bench.core.traces import FOLDER, RAW
from bench.core.variants import UsageError
from bench.process.kept import GRACE_S, Kept
from bench.process.python import python

HOST = "127.0.0.1"
DEFAULT_PORT = 6006
MOST_LETTERS = 120
"""Of a variant's id, which `--variant` takes whole."""


def check(port: int) -> None:
    """Raises UsageError if TensorBoard is not installed, or the port can't be used."""
    if find_spec("tensorboard") is None:
        msg = "TensorBoard is not installed: pip install 'nin-bench[tensorboard]', or use nox -s tensorboard"
        raise UsageError(msg)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server: a port that waits to close is free
        try:
            probe.bind((HOST, port))
        except OSError as error:
            msg = f"port {port} of {HOST} can't be used ({error.strerror}): choose another with --port"
            raise UsageError(msg) from error


def command(folder: Path, port: int) -> list[str]:
    """The command that serves a folder."""
    options = ["--logdir", str(folder), "--host", HOST, "--port", str(port)]
    return [*python("tensorboard.main"), *options]


def lines(run: Path, port: int, traced: Sequence[str]) -> list[str]:
    """What a person needs to know to look at a run."""
    address = f"http://{HOST}:{port}/"
    first = [f"TensorBoard: {address} (Ctrl-C ends it)", "Scalars, HParams, Text and Images work offline."]
    if not traced:
        return [*first, f"No variant was traced: {called()} profile {shell_word(str(run))} adds traces."]
    return [
        *first,
        profiler_words(address),
        f"Perfetto: open {run / FOLDER / 'VARIANT' / RAW} at ui.perfetto.dev; the file stays in the browser.",
        f"Traced: {', '.join(shortened(v, MOST_LETTERS) for v in traced)}.",
    ]


def profiler_words(address: str) -> str:
    """Where the tab PyTorch Profiler is, or how to get it."""
    if find_spec("torch_tb_profiler") is None:
        return "For the tab PyTorch Profiler install torch-tb-profiler, which is in the extra tensorboard."
    return (
        f"{address}#pytorch_profiler: the browser loads its charts and its trace view from the internet; "
        "without it they stay empty."
    )


def serve(folder: Path, port: int) -> int:
    """Serve a folder until the server ends or Ctrl-C. Returns its exit code, 0 after Ctrl-C."""
    with Kept(command(folder, port), os.environ, foreground=True) as server:
        try:
            server.wait()
        except KeyboardInterrupt:
            server.send(signal.SIGTERM)
            server.wait(GRACE_S)
            return 0
    return server.returncode
