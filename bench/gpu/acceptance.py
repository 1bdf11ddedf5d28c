"""The parent of `bench gpu`: takes the steps one after the other, each in a process of its own."""

import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.core.exits import INTERRUPTED, NOTHING
from bench.core.variants import UsageError
from bench.gpu.checks import Check, Status, as_csv, tally
from bench.gpu.pack import MOST_BYTES, pack
from bench.gpu.plan import STEPS, Need, Step
from bench.gpu.recorder import Task, Told, read
from bench.gpu.summary import page
from bench.machine.code import ROOT
from bench.plan.choices import parse_budget
from bench.process.child import of_user
from bench.process.kept import Kept

WORKER = (sys.executable, "-m", "bench.gpu.worker")
LOG = "log.txt"
TROUBLE = 1
"""The exit code where a check failed, or a step ended before its checks."""

Say = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class Acceptance:
    """What is asked, and what was found so far."""

    budget_s: float
    rehearse: bool
    scratch: Path
    steps: Sequence[Step] = STEPS
    worker: Sequence[str] = WORKER
    began: float = field(default_factory=time.monotonic)
    checks: list[Check] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    has: set[Need] = field(default_factory=set)

    def take(self, say: Say) -> None:
        """Take every step that can be taken; what one comes to stops no other."""
        for step in self.steps:
            started = time.monotonic()
            told = self._unfit(step)
            if told is None:
                say(f"{step.title}: at most {self._limit_s(step):.0f} s")
                told = self._run(step)
            self._keep(told)
            say(f"{step.title}: {tally(told.checks)}, {time.monotonic() - started:.0f} s")

    def interrupt(self) -> None:
        """Keep what the step under way told, and note that it and those behind it were interrupted."""
        known = {check.step for check in self.checks}
        for step in self.steps:
            if step.name not in known:
                told = read(self._told_path(step))
                told.checks.append(unmeasured(step, Status.SKIPPED, "interrupted"))
                self._keep(told)

    def _keep(self, told: Told) -> None:
        self.checks += told.checks
        self.facts |= told.facts
        self.has |= told.has

    def _limit_s(self, step: Step) -> float:
        return step.limit_s(self.budget_s, self.budget_s - (time.monotonic() - self.began))

    def _unfit(self, step: Step) -> Told | None:
        """What stands for a step that can't be taken; None for one that can."""
        limit_s = self._limit_s(step)
        if lacking := step.lacks(self.has, rehearse=self.rehearse):
            reason = f"without {' and '.join(lacking)}"
        elif limit_s < step.least_s:
            reason = f"it takes at least {step.least_s:.0f} s, and {max(0.0, limit_s):.0f} s of the budget were left"
        else:
            return None
        return Told(checks=[unmeasured(step, Status.SKIPPED, reason)])

    def _told_path(self, step: Step) -> Path:
        return self.scratch / f"{step.name}.told.jsonl"

    def _run(self, step: Step) -> Told:
        """What a step's process told until it ended, or was ended."""
        limit_s = self._limit_s(step)
        task = Task(step=step.name, rehearse=self.rehearse, limit_s=limit_s, scratch=self.scratch)
        asked = self.scratch / f"{step.name}.task.json"
        asked.write_text(json.dumps(asdict(task) | {"scratch": str(self.scratch)}), encoding="utf-8")
        command = [*self.worker, str(asked), str(self._told_path(step))]
        with (self.scratch / LOG).open("ab") as log:
            log.write(f"== {step.name}: {step.title}\n".encode())
            log.flush()
            with Kept(command, of_user(), folder=ROOT, log=log) as kept:
                in_time = kept.wait(limit_s)
            code = kept.returncode
        told = read(self._told_path(step))
        if not in_time:
            told.checks.append(unmeasured(step, Status.ERROR, f"not done within {limit_s:.0f} s"))
        elif code:
            how = f"ended with exit code {code}" if code > 0 else f"was killed by signal {-code}"
            told.checks.append(unmeasured(step, Status.ERROR, f"its process {how}: {LOG} tells more"))
        return told

    @property
    def exit_code(self) -> int:
        """0 where nothing failed, 1 where something did, 4 where there was no GPU to be measured."""
        if Need.CUDA not in self.has and not self.rehearse:
            return NOTHING
        return TROUBLE if any(check.status in (Status.FAILED, Status.ERROR) for check in self.checks) else 0


def run(out: Path, budget: str, *, rehearse: bool, say: Say) -> int:
    """Take the steps and pack what they found, after Ctrl-C or SIGTERM what there is; the exit code.

    UsageError for a folder that is not empty, or a budget that is no time.
    """
    if out.exists() and any(out.iterdir()):
        msg = f"--out {out} is not empty: name a new folder"
        raise UsageError(msg)
    if not (budget_s := parse_budget(budget)):
        msg = f"--budget {budget}: bench gpu needs some time, and an end"
        raise UsageError(msg)
    with tempfile.TemporaryDirectory(prefix="nin-bench-") as folder:
        asked = Acceptance(budget_s=budget_s, rehearse=rehearse, scratch=Path(folder))
        code = taken(asked, say)
        for name in packed(asked, out):
            say(f"{name} is left out: it is larger than {MOST_BYTES // 2**20} MiB")
    say(f"{tally(asked.checks)}; {out / 'summary.md'}")
    return code


def taken(asked: Acceptance, say: Say) -> int:
    """Take the steps, until Ctrl-C or SIGTERM; the exit code."""
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        asked.take(say)
    except KeyboardInterrupt:
        asked.interrupt()
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, previous)
    return asked.exit_code


def packed(asked: Acceptance, out: Path) -> list[str]:
    """Pack what was found; what is too large for it."""
    log = asked.scratch / LOG
    texts = {
        "checks.csv": as_csv(asked.checks),
        "summary.md": page(asked.steps, asked.checks, asked.facts, rehearse=asked.rehearse),
        LOG: log.read_text(encoding="utf-8", errors="replace") if log.exists() else "",
    }
    return pack(out, texts, asked.scratch)


def unmeasured(step: Step, status: Status, reason: str) -> Check:
    """What stands for the checks of a step that it did not come to."""
    return Check(step=step.name, check="the whole step", status=status, reason=reason)
