"""Ctrl-C and its like as a wish that a sweep looks at between its steps, so that no job is forgotten."""

import os
import select
import signal
from types import FrameType, TracebackType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """Whether the sweep is to end. As a context, it takes the signals that ask for it.

    The second one of SIGINT raises KeyboardInterrupt at once.
    """

    def __init__(self) -> None:
        self.asked = False
        self._wake, self._write = os.pipe()

    def ask(self) -> None:
        """Asks the sweep to end."""
        self.asked = True
        os.write(self._write, b"x")

    def wait(self, limit_s: float) -> bool:
        """Whether the sweep is asked to end, at once or within some seconds."""
        return self.asked or bool(select.select([self._wake], [], [], limit_s)[0])

    def _heard(self, _number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.ask()

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._heard) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._wake)
        os.close(self._write)
