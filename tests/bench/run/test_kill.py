"""A run that is killed again and again, in its pilot, its race and its rounds, still ends as one that is not."""

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench.analyse.load import load
from bench.core.header import read_run
from tests.bench.run.runs import BASE, Start, trials

GO_ON = Path(__file__).with_name("go_on.py")
FIVE = [f"cpu-default-nchw-eager-b32-t{count}" for count in (1, 2, 3, 4, 5)]
LOOKS = {"rounds": [32, 36], "error": 0.006}
KILLS = 20
LONGEST_S = 120


@pytest.mark.slow
def test_twenty_kills_lose_nothing_and_count_nothing_twice(start: Start, tmp_path: Path) -> None:
    run = start(BASE, *FIVE, finalists=2, lockstep=["cpu"], looks=LOOKS, rounds=36)
    run.folder.close()
    folder, chance = run.folder.folder, random.Random(15)  # noqa: S311 - no secret
    steps = json.dumps(dict(zip(FIVE, (0.9, 0.8, 0.7, 0.6, 0.5), strict=True)))
    variables = dict(os.environ) | {"FAKE_STEPS": steps, "PYTHONPATH": str(GO_ON.parents[3])}
    command = [sys.executable, str(GO_ON), str(folder), str(tmp_path / "cache")]
    stages, kills = Counter[str](), 0
    while kills < KILLS and read_run(folder).state.status != "complete":
        process = subprocess.Popen(command, env=variables, cwd=tmp_path)
        try:
            process.wait(chance.uniform(0.6, 1.2))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            stages[str(trials(folder)[-1]["stage"]) if trials(folder) else "begin"] += 1
    subprocess.run(command, env=variables, cwd=tmp_path, check=True, timeout=LONGEST_S)
    data = load(folder)

    assert sum(stages.values()) == kills == KILLS
    assert data.run.state.status == "complete"
    assert data.run.state.candidates == [FIVE[4], FIVE[3]]
    assert data.run.state.ended_because == "decided"
    assert len(data.rounds) == 32
    assert set(data.steps) == {BASE, FIVE[3], FIVE[4]}
    assert data.trials.trial_id.is_unique
    assert not data.trials[data.trials.stage == "measure"].duplicated(["round", "variant_id", "arm"]).any()
