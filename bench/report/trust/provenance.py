"""Sections that every page of a run has: failures, environment, the command."""

import re
import shlex

from bench.analyse import tables
from bench.analyse.tables.columns import Row
from bench.core.axes.kind import KINDS
from bench.core.exits import name_in
from bench.core.header import Header
from bench.core.text import MOST_OF_A_LINE, MOST_OF_A_REASON, code, marked, shell_word, shortened, visible
from bench.report import commands
from bench.report.document import Block, Code, Fold, Paragraph, Section, Table
from bench.report.page import Page
from bench.report.words import size

OURS = re.compile(r"(?:python -m bench|nin-bench) (?:run|ab|profile)( |$)")
"""The beginning of a run's command."""
TIMED = {"events": "steps timed by events", "synchronised": "steps timed by the host, which waits for it"}


def failures_section(page: Page) -> Section:
    """The trials that failed and the variants that could not run, with reasons."""
    failed = tables.failures(page.data)
    excluded: dict[str, list[str]] = {}
    for variant_id, reason in page.data.excluded.items():
        excluded.setdefault(reason, []).append(variant_id)
    if failed.empty and not excluded:
        return Section("Failures and exclusions", [Paragraph("None.")])
    blocks: list[Block] = [Paragraph("No trial failed.")]
    if not failed.empty:
        blocks = [Table.of(failed.rename(columns={"variant_id": "variant"}).to_dict("records"), MOST_OF_A_REASON)]
    for reason, variant_ids in excluded.items():
        ids = ", ".join(code(v, MOST_OF_A_REASON) for v in variant_ids)
        blocks.append(Paragraph(f"Not run, {marked(reason, MOST_OF_A_REASON)}: {ids}."))
    return Section("Failures and exclusions", blocks)


def environment_section(page: Page) -> Section:
    """The facts of machine and software."""
    rows = [
        {"": name.replace("_", " "), "value": environment_value(name, value)}
        for name, value in page.data.run.environment.facts().items()
    ]
    return Section("Environment", [Fold("Machine and software", [Table.of(rows, MOST_OF_A_REASON)])])


def environment_value(name: str, value: object) -> str:
    """A recorded fact as the page shows it."""
    if name.endswith("_bytes"):
        return size(float(value))  # type: ignore[arg-type] # a number by its name
    if name == "cuda_devices":
        return ", ".join(map(device_words, value))  # type: ignore[call-overload] # a list by its name
    if name == "accelerators":
        return ", ".join(map(other_words, value))  # type: ignore[call-overload] # as above
    if isinstance(value, dict):
        return " ".join(f"{k}={v}" for k, v in value.items())
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def device_words(device: Row) -> str:
    """A CUDA device with its known facts."""
    known = {name: value for name, value in device.items() if value is not None}
    facts = [size(known["memory_bytes"])]
    if any(known.get("capability", ())):
        facts.append(f"capability {'.'.join(map(str, known['capability']))}")
    if "multiprocessors" in known:
        facts.append(f"{known['multiprocessors']} multiprocessors")
    if "power_limit_w" in known:
        facts.append(f"at most {known['power_limit_w']:.0f} W")
    if "max_sm_clock_hz" in known:
        facts.append(f"at most {known['max_sm_clock_hz'] / 1e6:.0f} MHz")
    if "mig" in known:
        facts.append(f"MIG {'on' if known['mig'] else 'off'}")
    return f"{known['name']} ({', '.join(facts)})"


def other_words(device: Row) -> str:
    """A device that is neither the CPU nor CUDA, with its known facts, and how its steps are timed."""
    known = {name: value for name, value in device.items() if value is not None}
    facts = [KINDS[known["kind"]].words]
    if "memory_bytes" in known:
        facts.append(size(known["memory_bytes"]))
    if "compute_units" in known:
        facts.append(f"{known['compute_units']} compute units")
    if "driver" in known:
        facts.append(f"driver {known['driver']}")
    return f"{known['name']} ({', '.join([*facts, TIMED[known['timing']]])})"


def repeat_section(page: Page) -> Section:
    """The command that measures this again in a new run; with a warning if bench would not write such a command."""
    run = page.data.run
    folder = shell_word(str(page.data.folder))
    again = f"{commands.bench(run, 'report', folder)}   # this page from the stored files"
    if command := command_again(run):
        return Section("Reproduce", [Code([command, again], "sh")])
    lead = "The run's file has this command, and bench writes no such command: read it before you run it."
    shown = Code([shortened(run.command, MOST_OF_A_LINE)], "text")
    return Section("Reproduce", [Paragraph(lead), shown, Code([again], "sh")])


def command_again(run: Header, *without: str, more: str = "") -> str:
    """The call that measures this in a new run, less its `--run-id` and the options named `without` dashes, and `more`.

    Empty if bench would not write such a command.
    """
    if not is_ours(run.command):
        return ""
    left_out = "|".join(("run-id", *without))
    command = re.sub(rf" --(?:{left_out})[ =](?:'[^']*'|\S)+", "", run.command)
    if run.order_seed is not None and not re.search(r" --(order-)?seed\b", command):
        command += f" --order-seed {run.order_seed}"
    verb, _, options = command.removeprefix(f"{name_in(run.command)} ").partition(" ")
    return commands.bench(run, verb, *filter(None, [options, more]))


def is_ours(command: str) -> bool:
    """Whether a command is one call of bench and nothing else, with its words quoted as bench quotes them."""
    words = command.replace("~", "")  # bench writes the user's home so, unquoted
    try:
        alike = shlex.join(shlex.split(words)) == words
    except ValueError:  # a quote is left open
        return False
    return alike and OURS.match(command) is not None and visible(command) == command
