"""Workers in lockstep: all are alive at once and take turns. One works while the others are stopped.

What happens on the machine over seconds (other programs, heat, a hypervisor) then affects all of them alike. If workers
ran one after the other, it would affect only some.
"""

import contextlib
import random
import select
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from bench.core.exchange.messages import Reply
from bench.process.child import Question, Worker, scratch
from bench.process.turn import GRANTED

Ear = socket.socket | Worker
"""What this waits for with select(2)."""
DOOR = "turns"
"""The socket in a worker's scratch folder at which it asks for its first turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a question."""

    reply: Reply
    worked_s: float
    """Seconds of its start, when it shared the machine, and of its own turns."""


@dataclass(slots=True)
class Lane:
    """One worker among those that take turns."""

    worker: Worker
    limit_s: float
    door: socket.socket
    """The socket at which the worker asks for its first turn."""
    line: socket.socket | None = None
    """The socket at which it asks for the others; None before the first."""
    worked_s: float = 0.0
    ended: bool = False

    @property
    def starts(self) -> bool:
        """Whether the worker has not asked for its first turn yet."""
        return self.line is None and not self.ended

    @property
    def waits(self) -> bool:
        """Whether the worker waits for a turn."""
        return self.line is not None and not self.ended

    def take_turn(self) -> None:
        """Lets the worker work until it asks again, or ends, or its time is over."""
        began = time.monotonic()
        self.worker.signal_group(signal.SIGCONT)
        self._send(GRANTED)
        ready = self._wait(self.limit_s - self.worked_s)
        self.worked_s += time.monotonic() - began
        self.settle(ready)

    def settle(self, ready: Sequence[Ear]) -> None:
        """Stops the worker if it asks for a turn. If not, it has ended or its time is over: then ends it."""
        if self.line is None and self.door in ready:
            self.line = self.door.accept()[0]
            ready = self._wait(self.limit_s)
        if self.line in ready and self._hear():
            self.worker.signal_group(signal.SIGSTOP)
            return
        self.worker.wait(self.limit_s if ready else 0)
        self.worker.end()
        self.ended = True

    def answer(self) -> Answer:
        """The worker's answer, or why there is none."""
        return Answer(reply=self.worker.reply(self.limit_s), worked_s=round(self.worked_s, 3))

    def hang_up(self) -> None:
        """Close the line, if there is one."""
        if self.line:
            self.line.close()

    def _wait(self, limit_s: float) -> Sequence[Ear]:
        ears: list[Ear] = [self.worker, *filter(None, [self.line])]
        return select.select(ears, [], [], max(0.0, limit_s))[0]

    def _send(self, message: bytes) -> None:
        with contextlib.suppress(OSError):  # the worker may have been killed meanwhile
            if self.line:
                self.line.sendall(message)

    def _hear(self) -> bytes:
        with contextlib.suppress(OSError):
            return self.line.recv(1) if self.line else b""
        return b""


def ask(questions: Sequence[Question], chance: random.Random) -> list[Answer]:
    """The answers, in the order of the questions.

    All workers start at once. Then each gets a turn, in a new random order for each cycle, until all have ended.
    Whatever happens, nothing that a worker started still runs afterwards.
    """
    with contextlib.ExitStack() as stack:
        lanes = [open_lane(question, stack) for question in questions]
        await_starts(lanes)
        while waiting := [lane for lane in lanes if lane.waits]:
            chance.shuffle(waiting)
            for lane in waiting:
                lane.take_turn()
        return [lane.answer() for lane in lanes]


def open_lane(question: Question, stack: contextlib.ExitStack) -> Lane:
    """A lane with a worker that was started."""
    folder = stack.enter_context(scratch())
    door = stack.enter_context(socket.socket(socket.AF_UNIX))
    door.bind(str(folder / DOOR))
    door.listen(1)
    request = replace(question.request, turns=str(folder / DOOR))
    worker = Worker(request, question.variables, folder, question.command, question.folder)
    lane = Lane(stack.enter_context(worker), question.limit_s, door)
    stack.callback(lane.hang_up)
    return lane


def await_starts(lanes: Sequence[Lane]) -> None:
    """Returns when each worker waits for its first turn or has ended. Each may take the sum of all time limits."""
    limit_s, began = sum(lane.limit_s for lane in lanes), time.monotonic()
    while starting := [lane for lane in lanes if lane.starts]:
        ears: list[Ear] = [ear for lane in starting for ear in (lane.door, lane.worker)]
        ready = select.select(ears, [], [], max(0.0, limit_s - (time.monotonic() - began)))[0]
        for lane in starting:
            if not ready or lane.door in ready or lane.worker in ready:
                lane.worked_s = time.monotonic() - began
                lane.settle(ready)
