"""What of a file is read: any form of a trace, damaged ones as far as they go, and nothing else."""

import gzip
import json
from decimal import Decimal
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analyse.kineto.reading import reader
from bench.analyse.kineto.reading.events import Category, load
from bench.analyse.kineto.reading.reader import TraceError
from tests.bench.analyse.kineto.rules import document, gpu_events, span, write

TEXT = json.dumps(document(gpu_events()), indent=2).encode()
NUMBER = len(gpu_events())


def read(folder: Path, content: bytes) -> list[str]:
    """The names of the events of a file."""
    path = folder / "trace.json"
    path.write_bytes(content)
    return [event.name for batch in reader.Reading(path).batches() for event in batch]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["trace.json", "trace.json.gz"])
def test_a_trace_is_read_whole_packed_or_not(tmp_path: Path, name: str, indent: int | None) -> None:
    trace = load(write(tmp_path / name, document(gpu_events()), indent))

    assert (trace.read, trace.left_out, trace.truncated) == (NUMBER, 0, False)
    assert trace.head.deviceProperties[0].name == "Made-up GPU"


@pytest.mark.parametrize("block", [7, 64, 1000])
def test_no_size_of_pieces_changes_what_is_read(tmp_path: Path, block: int) -> None:
    with mock.patch.object(reader, "BLOCK_BYTES", block):
        assert read(tmp_path, TEXT) == [event["name"] for event in gpu_events()]


def test_names_that_look_like_borders_are_names(tmp_path: Path) -> None:
    names = ['},{"ph":"X"', "}]", '"traceEvents": [', '"}, {', "}\n]", "</script>", "\\", "../../x"]
    events = [span("cpu_op", name, 0, 1, note=[{"a": 1}, {"b": {}}]) for name in names]

    for indent in (None, 1):
        for block in (16, 10**6):
            with mock.patch.object(reader, "BLOCK_BYTES", block):
                text = json.dumps(document(events, about='"traceEvents": [{'), indent=indent)
                assert read(tmp_path, text.encode()) == names


@given(st.integers(TEXT.index(b'"traceEvents": [') + 16, len(TEXT) - 1))
def test_a_trace_that_is_cut_anywhere_is_read_up_to_its_last_whole_event(
    tmp_path_factory: pytest.TempPathFactory, end: int
) -> None:
    path = tmp_path_factory.mktemp("cut") / "trace.json"
    path.write_bytes(TEXT[:end])
    reading = reader.Reading(path)
    found = [event.name for batch in reading.batches() for event in batch]

    # An event ends with four blanks and a brace fewer than its arguments do, at the indent of json.dumps.
    whole = TEXT.count(b"\n    }", TEXT.index(b'"traceEvents"'), end)
    assert found == [event["name"] for event in gpu_events()][:whole]
    assert reading.truncated == (TEXT.find(b"\n  ]", TEXT.index(b'"traceEvents"'), end) < 0)


def test_a_packed_trace_that_is_cut_is_read_as_far_as_it_unpacks(tmp_path: Path) -> None:
    events = [span("cpu_op", f"op {number * 7919 % 10007}", number, 1) for number in range(2000)]
    whole = gzip.compress(json.dumps(document(events)).encode())
    path = tmp_path / "trace.json.gz"
    path.write_bytes(whole[: len(whole) // 2])
    trace = load(path)

    assert trace.truncated
    assert 500 < trace.read < 1500
    assert trace.events.named(trace.events.of(Category.OPERATOR)) == [e["name"] for e in events[: trace.read]]


def test_what_torch_wrote_that_is_no_json_is_read(tmp_path: Path) -> None:
    text = json.dumps(
        document([span("kernel", "k", 0, 1, occ=1), span("python_function", "p", 0, 2), span("x", "y", 0, 1)])
    )
    broken = text.replace('"occ": 1', '"est. achieved occupancy %": inf').replace('"p"', '"C:\\Users\\x.py(1): p"')
    trace_path = tmp_path / "trace.json"
    trace_path.write_bytes(broken.encode().replace(b'"y"', b'"\xff"'))
    trace = load(trace_path)

    assert trace.events.names == ["k", "C:\\Users\\x.py(1): p", "\ufffd"]
    assert trace.left_out == 0


def test_events_of_odd_types_are_left_out_and_counted_and_odd_arguments_lose_no_time(tmp_path: Path) -> None:
    events = [
        span("cpu_op", "good", 0, 1),
        span("cpu_op", "bad", 0, 1) | {"ts": "soon"},
        span("cpu_op", "negative", 0, -1),
        span("cpu_op", "far", 1e30, 1),
        span("cpu_op", "odd arguments", 0, 2) | {"args": [1]},
        span("kernel", "odd numbers", 0, 4, correlation="x"),
    ]
    trace = load(write(tmp_path / "trace.json", document(events)))

    assert trace.events.names == ["good", "odd arguments", "odd numbers"]
    assert trace.left_out == 3


def test_an_event_that_is_damaged_costs_no_other(tmp_path: Path) -> None:
    text = json.dumps(document([span("cpu_op", name, 0, 1) for name in "abc"])).replace('"name": "b"', '"name": b"')

    assert read(tmp_path, text.encode()) == ["a", "c"]


def test_times_since_1970_keep_their_nanoseconds(tmp_path: Path) -> None:
    # A float has a quarter of a microsecond there: these would nest wrongly.
    text = '{"traceEvents": [' + ",".join(
        f'{{"ph":"X","cat":"cpu_op","name":"{name}","ts":1790857026000000.{ts},"dur":{dur}}}'
        for name, ts, dur in (("outer", "001", "0.010"), ("inner", "002", "0.003"))
    )
    path = tmp_path / "trace.json"
    path.write_text(f"{text}]}}")
    events = load(path).events

    assert (list(events.begin_ns), list(events.duration_ns)) == ([0, 1], [10, 3])


def test_sums_are_those_of_json_whatever_the_digits(tmp_path: Path) -> None:
    events = [span("cpu_op", "a", n * 1.1, 0.1 * n) for n in range(1000)]
    trace = load(write(tmp_path / "trace.json", document(events)))

    count, total = trace.sums[Category.OPERATOR]
    assert count == 1000
    assert float(total) == pytest.approx(sum(e["dur"] for e in events))
    assert isinstance(total, Decimal)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"# a page", "not JSON"),
        (b"\x1f\x8b\x08\x00", "it is empty"),
        (b'{"a": 1}', "JSON without a list traceEvents"),
        (b"[1]", "JSON without a list traceEvents"),
        (b'{"traceEvents": null}', "JSON without a list traceEvents"),
        (b'{"traceEvents": []}', "none of its events has a begin and a duration"),
        (b'{"traceEvents": [{"ph": "M", "name": "x"}]}', "none of its events has a begin and a duration"),
        (b'{"traceEvents": [{"ph": "X", "na', "it ends after 0 events"),
    ],
)
def test_what_is_no_trace_is_an_error_that_names_file_and_reason(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "trace.json"
    path.write_bytes(content)

    with pytest.raises(TraceError, match=r"trace\.json: ") as error:
        load(path)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
