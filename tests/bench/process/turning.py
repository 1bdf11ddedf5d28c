"""Stands in for a worker that takes turns: `python turning.py FOLDER HOW REQUEST REPLY`.

It writes the beginning and the end of each turn into FOLDER. Its child and its thread write down when they run, all
the time. HOW is three (turns), or: dies (in its second turn), hangs (there), late (never asks), early (ends before).
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

from bench.process.turn import Turn

TURN_S = 0.05
TICK_S = 0.002


def tick(file: Path) -> None:
    """Write down the time, over and over: whatever runs outside of its turn is seen."""
    with file.open("a", buffering=1) as out:
        while True:
            out.write(f"{time.monotonic()}\n")
            time.sleep(TICK_S)


def main(folder: str, how: str, request: str, reply: str) -> None:
    if how == "early":
        sys.exit(3)
    if how == "late":
        time.sleep(600)
    name = f"{os.getpid()}"
    threading.Thread(target=tick, args=(Path(folder) / f"{name}.thread",), daemon=True).start()
    if not os.fork():
        tick(Path(folder) / f"{name}.child")
    turn = Turn(json.loads(Path(request).read_text())["turns"])
    turns = []
    for number in range(3):
        turn.wait()
        began = time.monotonic()
        if (how, number) == ("dies", 1):
            os._exit(3)
        time.sleep(600 if (how, number) == ("hangs", 1) else TURN_S)
        turns.append((began, time.monotonic()))
    (Path(folder) / f"{name}.turns").write_text(json.dumps(turns))
    Path(reply).write_text(json.dumps({"reason": name}))
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
