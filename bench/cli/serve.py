"""TensorBoard over one run's folder: whether it can be served, how it is started, and what a person is told."""

import os
import signal
import socket
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from bench.core.text import shell_word, shortened
from bench.core.traces import FOLDER, RAW
from bench.core.variants import UsageError
from bench.process.kept import GRACE_S, Kept

HOST = "127.0.0.1"
DEFAULT_PORT = 6006
MOST_LETTERS = 120
"""Of a variant's id, which `--variant` takes whole."""


def check(port: int) -> None:
    """UsageError where TensorBoard is not installed, or the port is taken."""
    if find_spec("tensorboard") is None:
        msg = "TensorBoard is not installed: pip install 'nin-bench[tensorboard]', or use nox -s tensorboard"
        raise UsageError(msg)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: what waits to close is free
        try:
            probe.bind((HOST, port))
        except OSError as error:
            msg = f"port {port} of {HOST} can't be used ({error.strerror}): choose another with --port"
            raise UsageError(msg) from error


def command(folder: Path, port: int) -> list[str]:
    """The command that serves a folder."""
    options = ["--logdir", str(folder), "--host", HOST, "--port", str(port)]
    return [sys.executable, "-m", "tensorboard.main", *options]


def lines(run: Path, port: int, traced: Sequence[str]) -> list[str]:
    """What a person needs to know to look at it."""
    address = f"http://{HOST}:{port}/"
    found = [f"TensorBoard: {address} (Ctrl-C ends it)"]
    found += ["Scalars, HParams, Text and Images work offline."]
    if not traced:
        return [*found, f"No variant was traced: python -m bench profile {shell_word(str(run))} adds traces."]
    if find_spec("torch_tb_profiler") is None:
        found.append("For the tab PyTorch Profiler install torch-tb-profiler, which is in the extra tensorboard.")
    else:
        found.append(
            f"{address}#pytorch_profiler: its charts and its trace view are loaded from the internet by the browser; "
            "without it they stay empty."
        )
    where = run / FOLDER / "VARIANT" / RAW
    found.append(f"Perfetto: open {where} at ui.perfetto.dev; the file stays in the browser.")
    return [*found, f"Traced: {', '.join(shortened(v, MOST_LETTERS) for v in traced)}."]


def serve(folder: Path, port: int) -> int:
    """Serve until it ends or Ctrl-C; its exit code."""
    with Kept(command(folder, port), os.environ, foreground=True) as server:
        try:
            server.wait()
        except KeyboardInterrupt:
            server.send(signal.SIGTERM)
            server.wait(GRACE_S)
            return 0
    return server.returncode
