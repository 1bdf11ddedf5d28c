"""`bench roofs` keeps its calls by machine and torch, and shows the last one beside the new."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.core.exchange.messages import Reply
from bench.core.facts import Environment
from bench.core.metrics.sample import Sample, Scope
from bench.core.variants import UsageError
from bench.run.prepare.roofs import Call, file_of, rates_of, read, rows, write

GIGA = 1e9


def reply(*rates: float) -> Reply:
    """A reply with these samples of one roof."""
    samples = [
        Sample(
            probe="roofs", scope=Scope.PHASE, phase="float32", metric="roof_flops", unit="FLOP/s", index=index, value=r
        )
        for index, r in enumerate(rates)
    ]
    return Reply(samples=tuple(samples))


def call(rate: float) -> Call:
    """A call with one roof."""
    rates = {"roof_flops": {"float32": rate}}
    return Call(at=datetime(2026, 1, 1, tzinfo=UTC), device="cpu", rates=rates)


def test_a_roof_is_the_median_of_its_samples_beside_the_last_call() -> None:
    told = reply(8 * GIGA, 12 * GIGA, 10 * GIGA)

    assert rates_of(told)["roof_flops"] == {"float32": 10 * GIGA}
    [row] = rows(told, call(5 * GIGA))
    assert row == {"roof": "float32", "most": "10 GFLOP/s", "samples": "8 to 12", "times the last call's": "2.000"}
    assert rows(told, None)[0]["times the last call's"] == ""


def test_calls_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "new" / "roofs.json"
    assert read(file) == []
    write(file, [call(1.0), call(2.0)])

    assert read(file) == [call(1.0), call(2.0)]


@pytest.mark.parametrize("text", ["", "{}", '[{"at": 1}]', "\xff", '[{"device": "cpu", "at": "x", "rates": {}}]'])
def test_a_damaged_file_is_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "roofs.json"
    file.write_text(text, encoding="latin-1")

    assert read(file) == []


def test_a_folder_that_can_t_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="XDG_CACHE_HOME"):
        write(tmp_path / "file" / "roofs.json", [call(1.0)])


def test_another_torch_or_device_has_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    here, newer = Environment(cpu="a", torch="2.9"), Environment(cpu="a", torch="2.10")

    assert len({file_of(here, "cpu"), file_of(newer, "cpu"), file_of(here, "cuda")}) == 3
    assert file_of(here, "cpu").parent == tmp_path / "nin-bench"
