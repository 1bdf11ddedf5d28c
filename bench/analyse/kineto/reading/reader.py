"""Reads the events of a trace a piece at a time, so that a large one needs little memory.

No piece is cut by counting braces: a cut is right if what stands before it decodes. A trace that ends in the middle,
because its process died or its disk was full, is read up to its last whole event.
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import msgspec

from bench.analyse.kineto.reading.wire import Event, Head, Plain
from bench.core.text import MOST_OF_A_REASON, shortened

BLOCK_BYTES = 8 << 20
"""How much text is decoded at a time."""
MOST_HEAD_BYTES = 256 << 20
"""How much text may stand before the events."""
MOST_WAITING_BYTES = 64 << 20
"""How much text may wait for its end before each of its events is read by itself."""
WINDOW_BYTES = 1 << 16
"""How far from the end of a piece its cut is looked for."""
TRIES = 8
GZIP = b"\x1f\x8b"
EVENTS = re.compile(rb'"traceEvents"\s*:\s*\[')
BETWEEN = re.compile(rb"\}\s*,\s*(?=\{)")
END = re.compile(rb"\}\s*(?:,\s*(?=\{|\Z)|(?=\])|\Z)")
NO_NUMBER = re.compile(rb":\s*[-+]?(?:nan|inf|infinity)\b", re.IGNORECASE)
ESCAPE = re.compile(rb'\\(["\\/bfnrt]|u[0-9a-fA-F]{4})|\\')

events_of = msgspec.json.Decoder(list[Event])
texts_of = msgspec.json.Decoder(list[msgspec.Raw])
event_of = msgspec.json.Decoder(Event)
plain_of = msgspec.json.Decoder(Plain)
head_of = msgspec.json.Decoder(Head)


class TraceError(ValueError):
    """A file is no trace; the text says why."""


@dataclass
class Reading:
    """The events of a trace; what it says of itself is complete when they have been read."""

    path: Path
    head: Head = field(default_factory=Head)
    left_out: int = 0
    """How many events could not be read."""
    truncated: bool = False
    """Whether the trace ends before its end."""

    def batches(self) -> Iterator[list[Event]]:
        """The events, some thousands at a time. Raises TraceError if the file is no trace, OSError if it is none."""
        blocks = self._blocks()
        text = self._after_head(blocks)
        for block in blocks:
            text += block
            found, text = self._whole(text)
            yield found
            if len(text) > MOST_WAITING_BYTES:
                found, text = self._one_by_one(text, is_end=False)
                yield found
        yield self._rest(text)

    def _blocks(self) -> Iterator[bytes]:
        """The text of the file, unpacked if it is gzip, up to where it is damaged."""
        with self.path.open("rb") as file:
            first = file.read(BLOCK_BYTES)
            if not first.startswith(GZIP):
                while first:
                    yield first
                    first = file.read(BLOCK_BYTES)
                return
            unpacker = zlib.decompressobj(wbits=31)
            try:
                while first:
                    yield unpacker.decompress(first, BLOCK_BYTES)
                    first = unpacker.unconsumed_tail or unpacker.unused_data or file.read(1 << 20)
                    if unpacker.eof:  # several members may follow each other
                        if not first.startswith(GZIP):
                            return
                        unpacker = zlib.decompressobj(wbits=31)
            except zlib.error:
                self.truncated = True
                return
            self.truncated |= not unpacker.eof

    def _after_head(self, blocks: Iterator[bytes]) -> bytes:
        """The text after `"traceEvents": [`; what stands before it is `head`."""
        text = b""
        for block in blocks:
            text += block
            for match in EVENTS.finditer(text):
                closed = text[: match.end()].removeprefix(b"\xef\xbb\xbf") + b"]}"
                for tried in (closed, mended(closed)):
                    try:
                        self.head = head_of.decode(tried)
                    except msgspec.ValidationError:  # an object, whose facts have other types
                        self.head = Head()
                    except (ValueError, RecursionError):
                        continue
                    return text[match.end() :]
            if len(text) > MOST_HEAD_BYTES:
                break
        msg = f"{self.path}: {why_none(text)}"
        raise TraceError(msg)

    def _whole(self, text: bytes) -> tuple[list[Event], bytes]:
        """The events up to the last cut that is right, and the text after it; none if no cut is."""
        start = max(0, len(text) - WINDOW_BYTES)
        cuts = [(match.start() + 1, match.end()) for match in BETWEEN.finditer(text, start)][-TRIES:]
        for repair in (bytes, mended):
            for end, after in reversed(cuts):
                try:
                    return self._decoded(b"[" + repair(text[:end]) + b"]"), text[after:]
                except (ValueError, RecursionError):
                    continue
        return [], text

    def _decoded(self, listed: bytes) -> list[Event]:
        """The events of a list. Raises ValueError if it is no list in JSON."""
        try:
            return events_of.decode(listed)
        except msgspec.ValidationError:
            texts = texts_of.decode(listed)
            return [event for text in texts if (event := self._lenient(text))]

    def _lenient(self, text: msgspec.Raw) -> Event | None:
        """An event; None, and counted, if it can't be read."""
        event = read_one(bytes(text))
        self.left_out += event is None
        return event

    def _rest(self, text: bytes) -> list[Event]:
        """The events of the text from the last cut to the end of the file."""
        for tried in (text, mended(text)):
            try:
                rest = msgspec.json.decode(b'{"traceEvents":[' + tried, type=dict[str, msgspec.Raw])
                found = self._decoded(bytes(rest.pop("traceEvents")))
            except (ValueError, RecursionError):
                continue
            self.truncated = False
            self._say(rest)
            return found
        self.truncated = True
        return self._one_by_one(text, is_end=True)[0]

    def _say(self, rest: dict[str, msgspec.Raw]) -> None:
        """Take what stands after the events, which json.dump may have put there."""
        if "distributedInfo" in rest:
            try:
                self.head = head_of.decode(msgspec.json.encode(rest))
            except ValueError:
                return

    def _one_by_one(self, text: bytes, *, is_end: bool) -> tuple[list[Event], bytes]:
        """The events of a damaged text, each read by itself, and the text after them. Counts those that are lost."""
        found: list[Event] = []
        at = 0
        while at < len(text):
            ends = ends_of(text, at)
            good = next(((event, after) for end, after in ends if (event := of_text(text[at:end]))), None)
            following = next((after for _, after in ends if text[after : after + 1] == b"{"), 0)
            if good:
                found.append(good[0])
                at = good[1]
                if text[at : at + 1] == b"]":  # the list ends: only some of its events were damaged
                    self.truncated &= not is_end
                    break
            elif following and (is_end or len(text) - at > WINDOW_BYTES):
                self.left_out += 1
                at = following
            else:
                break
        return found, text[at:]


def ends_of(text: bytes, at: int) -> list[tuple[int, int]]:
    """Where the event that begins at a place may end, and for each where the text then goes on."""
    return [(match.start() + 1, match.end()) for match in islice(END.finditer(text, at), TRIES)]


def of_text(text: bytes) -> Event | None:
    """An event from a text that may be damaged; None if none can be read."""
    return read_one(text) or read_one(mended(text))


def read_one(text: bytes) -> Event | None:
    """An event from its JSON, without its arguments if they have other types than torch's; None if it is none."""
    try:
        return event_of.decode(text)
    except (ValueError, RecursionError):
        try:
            plain = plain_of.decode(text)
        except (ValueError, RecursionError):
            return None
    return Event(plain.ph, plain.cat, plain.name, plain.ts, plain.dur, plain.pid, plain.tid)


def mended(text: bytes) -> bytes:
    r"""The text as JSON has it: torch wrote `inf` for a number, `\U` in paths of Windows, and text not in UTF-8."""
    plain = NO_NUMBER.sub(b": null", text)
    plain = ESCAPE.sub(lambda match: match[0] if match[1] else rb"\\", plain)
    return plain.decode("utf-8", "replace").encode()


def why_none(text: bytes) -> str:
    """Why a text holds no events."""
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        begin = shortened(text[:40].decode("utf-8", "replace"))
        return (
            f"not JSON: {shortened(str(error), MOST_OF_A_REASON)} (it begins with {begin!r})" if text else "it is empty"
        )
    except (ValueError, RecursionError):
        return "not JSON in UTF-8"
    return "JSON without a list traceEvents: not a trace of torch.profiler"
