"""Where a file of records ends that a process may have been killed over while it wrote the last one."""

from collections.abc import Callable


def end_of_records(content: bytes, is_row: Callable[[bytes], bool]) -> int:
    """How many bytes the whole records take.

    A record is one line; one that an earlier version wrote may have more, within quotes. Where a line that is a row
    by itself follows an open quote, no killed process left it open: that is damage, and stays for the reader to tell.
    """
    end = content.rfind(b"\n") + 1
    if content.count(b'"', 0, end) % 2:
        begin = _begin_of_last(content, end)
        if begin and not any(map(is_row, content[begin:end].splitlines())):
            return begin
    return end


def _begin_of_last(content: bytes, end: int) -> int:
    """Where the record begins that is open at a newline within quotes: behind the last newline outside of any."""
    is_open = True
    while is_open and end:
        before = content.rfind(b"\n", 0, end - 1) + 1
        is_open ^= bool(content.count(b'"', before, end) % 2)
        end = before
    return end
