"""A worker's side of lockstep: it works only while it is its turn (lockstep.py has the harness's side)."""

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

ASKS = b"?"
"""What a worker sends at the end of a turn, to ask for the next one."""
GRANTED = b"!"
"""What the harness sends when a turn begins."""


class Turn:
    """Waits for turns if the harness grants turns; a worker that has the machine to itself never waits."""

    def __init__(self, address: str | None) -> None:
        """Connects to the harness's socket at `address`; None if there are no turns. Raises OSError if it can't."""
        self._harness = None
        self.meanwhile: Callable[[], AbstractContextManager[None]] = nullcontext
        """Makes a context that holds while others have their turns."""
        if address is not None:
            self._harness = socket.socket(socket.AF_UNIX)
            self._harness.connect(address)

    @property
    def is_shared(self) -> bool:
        """Whether other workers work between the turns of this one."""
        return self._harness is not None

    def wait(self) -> None:
        """Ends this worker's turn and returns when its next one begins. Raises ConnectionError if the harness ended.

        Meanwhile the harness stops the worker's whole process group: no thread spins, and no loader prefetches.
        """
        if self._harness is None:
            return
        with self.meanwhile():
            self._harness.sendall(ASKS)
            granted = self._harness.recv(1)
        if granted != GRANTED:
            msg = "the harness ended before this worker's turn"
            raise ConnectionError(msg)


ALONE = Turn(None)
"""The Turn of a worker that takes no turns."""
