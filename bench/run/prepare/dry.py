"""Finds the models that can't run here before anything is measured: makes each once and shows it two images."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from bench.core.exchange.messages import Request
from bench.core.exchange.probe import Probe
from bench.core.facts import Environment
from bench.core.header import Header, Inputs
from bench.core.progress import RunProgress
from bench.core.records import RecordError
from bench.core.variants import DEFAULTS, UsageError, Variant, as_row
from bench.plan import schedule
from bench.process import child
from bench.run.record import Run
from bench.run.trial import ask_in_tree

ASK_LIMIT_S = 120.0
"""How long a child may take to load torch and answer without measuring; longer under a quota below one CPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """Tries models on the data of a run, each in a process of its own."""

    inputs: Inputs
    seed: int
    environment: Environment
    cache: Path
    """The folder for compiled code."""

    @classmethod
    def of(cls, header: Header, cache: Path) -> Self:
        """A DryRun with the data, the seed and the environment of a run."""
        return cls(inputs=header.inputs, seed=header.seed, environment=header.environment, cache=cache)

    def why_not(self, variant: Variant, tree: Path | None = None) -> str:
        """Why a variant's workload can't be built, or its model can't answer or be trained; empty if all works."""
        variant = replace(variant, world_size=1)  # one process says it as well as several
        request = Request(variant=as_row(variant), inputs=self.inputs, seed=self.seed, probes=(Probe.BUILD,))
        variables = child.environment_of(variant, self.environment.libraries, self.cache)
        limit_s = ASK_LIMIT_S * schedule.patience(self.environment.cpu_quota)
        reply = ask_in_tree(request, variables, limit_s, tree=tree)
        return "" if reply.ok else reply.reason

    def failing(self, variants: Iterable[Variant], progress: RunProgress | None = None) -> Iterator[tuple[str, str]]:
        """Yields each model that can't be measured, with the reason. NiN on its own images is known to work."""
        for variant in of_each_model(variants):
            if variant.model == DEFAULTS["model"] and self.inputs.shape is None:
                continue
            if progress:
                progress.say(f"trying {variant.model}")
            if reason := self.why_not(replace(variant.baseline, batch_size=2)):
                yield variant.model, reason

    def check_models(self, variants: Iterable[Variant], progress: RunProgress) -> None:
        """Raises UsageError at the first model that can't be measured."""
        for _, reason in self.failing(variants, progress):
            raise UsageError(reason)

    def check_tree(self, name: str, root: Path, variants: Iterable[Variant]) -> None:
        """Raises RecordError at the first model that can't be measured in a code tree."""
        for variant in of_each_model(variants):
            if reason := self.why_not(variant, root):
                msg = f"{name} can't be measured: {reason}"
                raise RecordError(msg)


def try_again(run: Run, ids: Sequence[str]) -> None:
    """Raises UsageError, and closes the run, if a model of these variants can't be measured any more.

    A code tree is not tried again: it is a copy, which stays as it was.
    """
    try:
        if not run.trees:
            needed = [entry.variant for entry in run.entries if entry.variant.id in ids]
            DryRun.of(run.header, run.cache).check_models(needed, run.progress)
    except BaseException:
        run.folder.close()
        raise


def of_each_model(variants: Iterable[Variant]) -> list[Variant]:
    """The first variant of each model."""
    by_model: dict[str, Variant] = {}
    for variant in variants:
        by_model.setdefault(variant.model, variant)
    return list(by_model.values())
