"""The parent of `bench gpu`: runs the steps one after the other, each in a process of its own."""

import json
import signal
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
from bench.gpu.recorder import Outcome, Task, read
from bench.gpu.summary import page
from bench.machine.code import ROOT
from bench.plan.choices import parse_budget
from bench.process.child import of_user
from bench.process.kept import Kept
from bench.process.python import python

WORKER = python("bench.gpu.worker")
LOG = "log.txt"
TROUBLE = 1
"""The exit code if a check failed, or a step ended in an error."""

Say = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class Acceptance:
    """What to do, and what the steps have reported so far."""

    budget_s: float
    rehearse: bool
    all_tests: bool = False
    scratch: Path
    steps: Sequence[Step] = STEPS
    worker: Sequence[str] = WORKER
    began: float = field(default_factory=time.monotonic)
    checks: list[Check] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    has: set[Need] = field(default_factory=set)

    def take(self, say: Say) -> None:
        """Run every step that can run here. A failure of one does not stop the others."""
        for step in self.steps:
            started = time.monotonic()
            outcome = self._skipped(step)
            if outcome is None:
                say(f"{step.title}: at most {self._limit_s(step):.0f} s")
                outcome = self._run(step)
            self._keep(outcome)
            say(f"{step.title}: {tally(outcome.checks)}, {time.monotonic() - started:.0f} s")

    def interrupt(self) -> None:
        """Keep what the running step has reported, and note that it and the later ones were interrupted."""
        known = {check.step for check in self.checks}
        for step in self.steps:
            if step.name not in known:
                outcome = read(self._outcome_path(step))
                outcome.checks.append(unmeasured(step, Status.SKIPPED, "interrupted"))
                self._keep(outcome)

    def _keep(self, outcome: Outcome) -> None:
        self.checks += outcome.checks
        self.facts |= outcome.facts
        self.has |= outcome.has

    def _limit_s(self, step: Step) -> float:
        return step.limit_s(self.budget_s, self.budget_s - (time.monotonic() - self.began))

    def _skipped(self, step: Step) -> Outcome | None:
        """Returns the outcome of a step that can't run, with the reason; None if it can."""
        limit_s = self._limit_s(step)
        if lacking := step.lacks(self.has, rehearse=self.rehearse):
            reason = f"without {' and '.join(lacking)}"
        elif limit_s < step.least_s:
            reason = f"it takes at least {step.least_s:.0f} s, and {max(0.0, limit_s):.0f} s of the budget were left"
        else:
            return None
        return Outcome(checks=[unmeasured(step, Status.SKIPPED, reason)])

    def _outcome_path(self, step: Step) -> Path:
        return self.scratch / f"{step.name}.outcome.jsonl"

    def _run(self, step: Step) -> Outcome:
        """Run a step in a process of its own; what it reported until it ended, or was ended."""
        limit_s = self._limit_s(step)
        task = Task(
            step=step.name, rehearse=self.rehearse, limit_s=limit_s, scratch=self.scratch, all_tests=self.all_tests
        )
        request = self.scratch / f"{step.name}.task.json"
        request.write_text(json.dumps(asdict(task) | {"scratch": str(self.scratch)}), encoding="utf-8")
        command = [*self.worker, str(request), str(self._outcome_path(step))]
        with (self.scratch / LOG).open("ab") as log:
            log.write(f"== {step.name}: {step.title}\n".encode())
            log.flush()
            with Kept(command, of_user(), folder=ROOT, log=log) as kept:
                in_time = kept.wait(limit_s)
            code = kept.returncode
        outcome = read(self._outcome_path(step))
        if not in_time:
            outcome.checks.append(unmeasured(step, Status.ERROR, f"not done within {limit_s:.0f} s"))
        elif code:
            how = f"ended with exit code {code}" if code > 0 else f"was killed by signal {-code}"
            outcome.checks.append(unmeasured(step, Status.ERROR, f"its process {how}: see {LOG}"))
        return outcome

    @property
    def exit_code(self) -> int:
        """0 if nothing failed, 1 if something did, 4 if there was no GPU to measure."""
        if Need.CUDA not in self.has and not self.rehearse:
            return NOTHING
        return TROUBLE if any(check.status in (Status.FAILED, Status.ERROR) for check in self.checks) else 0


def run(out: Path, budget: str, *, rehearse: bool, all_tests: bool = False, say: Say) -> int:
    """Run the steps and pack what they reported, also after Ctrl-C or SIGTERM; the exit code.

    Raises UsageError if the folder is not empty, or the budget is not a time.
    """
    if out.exists() and any(out.iterdir()):
        msg = f"--out {out} is not empty: name a new folder"
        raise UsageError(msg)
    if not (budget_s := parse_budget(budget)):
        msg = f"--budget {budget}: bench gpu needs some time, and an end"
        raise UsageError(msg)
    with tempfile.TemporaryDirectory(prefix="nin-bench-") as folder:
        acceptance = Acceptance(budget_s=budget_s, rehearse=rehearse, all_tests=all_tests, scratch=Path(folder))
        code = taken(acceptance, say)
        for name in packed(acceptance, out):
            say(f"{name} is left out: it is larger than {MOST_BYTES // 2**20} MiB")
    say(f"{tally(acceptance.checks)}; {out / 'summary.md'}")
    return code


def taken(acceptance: Acceptance, say: Say) -> int:
    """Run the steps, until Ctrl-C or SIGTERM; the exit code."""
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        acceptance.take(say)
    except KeyboardInterrupt:
        acceptance.interrupt()
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, previous)
    return acceptance.exit_code


def packed(acceptance: Acceptance, out: Path) -> list[str]:
    """Pack what the steps reported; the names of the files that are too large and are left out."""
    log = acceptance.scratch / LOG
    texts = {
        "checks.csv": as_csv(acceptance.checks),
        "summary.md": page(acceptance.steps, acceptance.checks, acceptance.facts, rehearse=acceptance.rehearse),
        LOG: log.read_text(encoding="utf-8", errors="replace") if log.exists() else "",
    }
    return pack(out, texts, acceptance.scratch)


def unmeasured(step: Step, status: Status, reason: str) -> Check:
    """The one line that stands for the checks of a step that did not take place."""
    return Check(step=step.name, check="the whole step", status=status, reason=reason)
