"""Takes the jobs of a sweep: hands them to the cluster, watches them, and has lost ones tried again elsewhere."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from bench.core.sweep.record import Attempt, Job, Sweep
from bench.core.sweep.status import Cause, Status
from bench.core.variants import UsageError
from bench.run.record import now
from bench.run.sweep.cluster import Cluster, RefusedError, Seen, Stage
from bench.run.sweep.files import last_line, lock_of, log_of, read_ended
from bench.run.sweep.folder import SweepFolder
from bench.run.sweep.job import JOB, words_of
from bench.run.sweep.outcome import cause_of
from bench.run.sweep.stop import Stop

Say = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class Supervisor:
    """A sweep under way. It alone changes sweep.json."""

    sweep: Sweep
    folder: SweepFolder
    cluster: Cluster
    reports: Path
    """The folder of the pages: each run's is in that of its job."""
    say: Say
    stop: Stop
    """Set when the sweep is to end at once."""
    job: Sequence[str] = JOB
    """The command of a job, without its words."""
    _tried: Counter[str] = field(default_factory=Counter)
    """How many attempts of a job count in this call."""

    def take(self) -> Sweep:
        """Takes every job until it has a complete run or no attempt is left. Returns the sweep as it stands then.

        Raises KeyboardInterrupt if it is stopped, and UsageError if a run refuses its options: no other run would
        accept them. In both cases nothing of the sweep runs any more.
        """
        while True:
            self._look()
            self._submit_due()
            is_over = not (self._under_way() or any(map(self._is_due, self.sweep.jobs)))
            if is_over and not self.stop.asked:
                return self.sweep
            if self.stop.wait(self.cluster.poll_s):
                self.end()
                raise KeyboardInterrupt

    def end(self) -> None:
        """Ends what is under way, and notes that the sweep was interrupted: this counts as no attempt."""
        ending = self._under_way()
        self.cluster.end([str(attempt.job_id) for _, attempt in ending])
        for job, attempt in ending:
            self._over(job, attempt, Seen(stage=Stage.OVER), by_us=True)

    def _under_way(self) -> list[tuple[Job, Attempt]]:
        return [(job, job.attempts[-1]) for job in self.sweep.jobs if job.under_way]

    def _look(self) -> None:
        """Notes how the jobs under way stand by now."""
        ids = [str(attempt.job_id) for _, attempt in self._under_way()]
        stands: Mapping[str, Seen] = self.cluster.look(ids) if ids else {}
        for job, attempt in self._under_way():
            if (seen := stands.get(str(attempt.job_id))) is None:
                continue
            if seen.stage is Stage.OVER:
                self._over(job, attempt, seen)
            elif seen.stage is Stage.RUNNING and attempt.status is not Status.RUNNING:
                self._keep(job, replace(attempt, status=Status.RUNNING, node=seen.node))
                self.say(f"{job.name}: runs on {seen.node or 'a node'} as {attempt.job_id}")

    def _over(self, job: Job, attempt: Attempt, seen: Seen, *, by_us: bool = False) -> None:
        """Notes how an attempt ended."""
        folder = job.folder(self.folder.folder)
        ended = read_ended(folder, attempt.number)
        cause = cause_of(folder / job.run_of(attempt), ended, seen)
        if cause is not None and by_us:
            cause = Cause.INTERRUPTED
        attempt = replace(
            attempt,
            status=Status.OK if cause is None else cause.status,
            cause=cause,
            node=seen.node or attempt.node or (ended.node if ended else None),
            exit_code=ended.exit_code if ended else None,
            last_line=last_line(log_of(folder, attempt.number), self.cluster.log(str(attempt.job_id))),
            ended_at=now(),
        )
        self._keep(job, attempt)
        self._say_end(job, attempt)
        if cause is Cause.USAGE:
            self.end()
            msg = f"{job.name}: {attempt.last_line}"
            raise UsageError(msg)

    def _say_end(self, job: Job, attempt: Attempt) -> None:
        where = f" on {attempt.node}" if attempt.node else ""
        if attempt.cause is None:
            self.say(f"{job.name}: complete{where}")
            return
        said = f": {attempt.last_line}" if attempt.last_line else ""
        self.say(f"{job.name}: attempt {attempt.number} {attempt.status}{where} ({attempt.cause}){said}")

    def _submit_due(self) -> None:
        """Hands over the jobs that want an attempt, as far as there is room."""
        for job in self.sweep.jobs:
            if self.stop.asked or not self._has_room():
                return
            if self._is_due(job):
                self._submit(job)

    def _is_due(self, job: Job) -> bool:
        """Whether a job wants an attempt: it is new, or it was lost and may be tried once more in this call."""
        return (job.status is Status.PENDING and not job.under_way) or (
            job.status is Status.LOST and self._tried[job.name] < self.sweep.asked.attempts
        )

    def _has_room(self) -> bool:
        """Whether another job may be handed over now.

        The local machine has its workers. If each job is to have a node of its own, one waits for its node at a time:
        the next one then knows which to avoid.
        """
        under_way, asked = self._under_way(), self.sweep.asked
        if asked.cluster == "local":
            return len(under_way) < asked.workers
        return not asked.spread or all(attempt.node for _, attempt in under_way)

    def _submit(self, job: Job) -> None:
        """Hands over a new attempt at a job."""
        number = len(job.attempts) + 1
        folder, attempt = job.folder(self.folder.folder), Attempt(number=number, job_id=None, submitted_at=now())
        folder.mkdir(exist_ok=True)
        words = words_of(
            folder, number, job.run_of(attempt), self.reports / job.name, self.sweep.asked.options,
            tied=self.cluster.tied,
        )  # fmt: skip
        avoided = self._avoided(job)
        self._tried[job.name] += 1
        try:
            name = f"{self.sweep.sweep_id}-{job.name}"
            job_id = self.cluster.submit(name, [*self.job, *words], lock_of(folder, number), avoided)
        except RefusedError as error:
            self._refused(job, attempt, str(error))
            return
        self._keep(job, replace(attempt, job_id=job_id))
        again = f", attempt {number}" if number > 1 else ""
        without = f", not on {', '.join(sorted(avoided))}" if avoided else ""
        self.say(f"{job.name}: submitted as {job_id}{again}{without}")

    def _refused(self, job: Job, attempt: Attempt, words: str) -> None:
        attempt = replace(
            attempt, status=Status.LOST, cause=Cause.NOT_SUBMITTED, last_line=last_words(words), ended_at=now()
        )
        self._keep(job, attempt)
        self._say_end(job, attempt)

    def _avoided(self, job: Job) -> frozenset[str]:
        """The nodes that the next attempt at a job must not get."""
        lost = (attempt for attempt in job.attempts if attempt.cause not in (None, Cause.INTERRUPTED))
        died = frozenset(attempt.node for attempt in lost if attempt.node)
        used = frozenset(
            attempt.node
            for other in self.sweep.jobs
            for attempt in other.attempts
            if attempt.node and attempt.status in (Status.OK, Status.RUNNING)
        )
        if not died and not self.sweep.asked.spread:
            return frozenset()
        return avoidable(died, used if self.sweep.asked.spread else frozenset(), self.cluster.nodes())

    def _keep(self, job: Job, attempt: Attempt) -> None:
        """Notes an attempt, and writes sweep.json."""
        current = next(one for one in self.sweep.jobs if one.name == job.name)
        others = [one for one in current.attempts if one.number != attempt.number]
        self.sweep = self.sweep.with_job(replace(current, attempts=[*others, attempt]))
        self.folder.write(self.sweep)


def avoidable(died: frozenset[str], used: frozenset[str], nodes: frozenset[str]) -> frozenset[str]:
    """The nodes to avoid, as long as another is there: those where the job died, and if possible those in use too."""
    for avoided in (died | used, died):
        if nodes - avoided:
            return avoided
    return frozenset()


def last_words(text: str) -> str:
    """The last line of a text."""
    return (text.strip().splitlines() or [""])[-1]
