"""The first section of a page that is made from one run: its name, the machine, the day."""

from bench.core.facts import Environment
from bench.core.header import Header
from bench.core.text import MOST_OF_A_REASON, marked
from bench.report.answer.headline import headline
from bench.report.document import Paragraph, Section
from bench.report.page import Page, Report

TRAINS = "trains a few steps of one variant"
TERMS = (
    "A *trial* is a fresh process that {works}. The *pilot* has a trial of every variant{race}. After that a *round* "
    "has one trial of each variant that is left, in random order; only these rounds count for ratios and verdicts. "
    "The *baseline* has every setting at its default{twice}."
)
RACE = ", and in a *race* the slower ones drop out"


def of_run(page: Report) -> Section:
    """The title of a run, which says its result; its preset, and what it ran on."""
    run = page.data.run
    what = f"preset {run.preset}" if run.preset else "chosen variants"
    lead = f"Run {marked(run.run_id)}: {what} on {measured_on(run)}"
    works = "calls the model of one variant a few times, in eval mode" if page.data.infers else TRAINS
    twice = " and is measured twice in every round" if any(arm == "A'" for _, arm in run.state.arms) else ""
    terms = TERMS.format(works=works, race=RACE if run.state.candidates is not None else "", twice=twice)
    return Section(headline(page), [Paragraph(lead), Paragraph(terms)], level=1)


def of_profile(page: Page) -> Section:
    """The title of a profile, and what it ran on."""
    run = page.data.run
    return Section(f"Profile {marked(run.run_id)}", [Paragraph(f"Traces taken on {measured_on(run)}")], level=1)


def measured_on(run: Header) -> str:
    """The machine, the images and the time; and whether the run was cut short."""
    state = "" if run.state.status == "complete" else f" **This run is {run.state.status}, not complete.**"
    return f"{hardware(run.environment)}; {marked(run.data.name)}; {run.started_at.isoformat()}.{state}"


def hardware(environment: Environment) -> str:
    """The machine in one phrase, as Markdown."""
    gpus = [device.name for device in (*environment.cuda_devices, *(environment.accelerators or ()))]
    cores = "1 core" if environment.cores == 1 else f"{environment.cores} cores"
    return marked(", ".join([f"{environment.cpu} ({cores})", *gpus]), MOST_OF_A_REASON)
