"""Sections that every page of a run has: failures, environment, the command."""

import re

import pandas as pd

from bench.analyse import tables
from bench.analyse.page import Lines, Page
from bench.analyse.words import markdown, size


def failures_section(page: Page) -> Lines:
    """What went wrong and what could not run, with reasons."""
    failed = tables.failures(page.data)
    excluded = page.data.variants[page.data.variants.excluded_reason != ""]
    if failed.empty and excluded.empty:
        return ["## Failures and exclusions", "", "None.", ""]
    lines = ["## Failures and exclusions", ""]
    if failed.empty:
        lines += ["No trial failed.", ""]
    else:
        lines += markdown(failed.rename(columns={"variant_id": "variant"}))
    for reason, rows in excluded.groupby("excluded_reason", sort=False):
        ids = ", ".join(f"`{v}`" for v in rows.variant_id)
        lines += [f"Not run, {reason}: {ids}.", ""]
    return lines


def environment_section(page: Page) -> Lines:
    """Machine and software."""
    rows = [
        {"": name.replace("_", " "), "value": environment_value(name, value)}
        for name, value in page.data.run.environment.facts().items()
    ]
    return ["## Environment", "", *markdown(pd.DataFrame(rows))]


def environment_value(name: str, value: object) -> str:
    """A recorded fact as it is shown."""
    if name.endswith("_bytes"):
        return size(float(value))  # type: ignore[arg-type] # a number by its name
    if name == "cuda_devices":
        return ", ".join(f"{d['name']} ({size(d['memory_bytes'])})" for d in value)  # type: ignore[attr-defined]
    if isinstance(value, dict):
        return " ".join(f"{k}={v}" for k, v in value.items())
    return str(value)


def repeat_section(page: Page) -> Lines:
    """The command that measures this again, under a name of its own."""
    run = page.data.run
    command = re.sub(r" --run-id[ =]\S+", "", run.command)
    if run.order_seed is not None and not re.search(r" --(order-)?seed\b", command):
        command += f" --order-seed {run.order_seed}"
    command = re.sub(r"^python -m bench run ?", "nox -s bench -- ", command).removesuffix(" -- ")
    command = re.sub(r"^python -m bench (ab|profile) ?", r"nox -s \1 -- ", command).removesuffix(" -- ")
    return [
        "## Again",
        "",
        "```sh",
        command,
        f"nox -s report -- {page.data.folder}   # this page from the stored files",
        "```",
        "",
    ]
