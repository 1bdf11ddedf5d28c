"""The page of `bench fleet`: which machines are outliers among those of their kind."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bench.analyse.fleet import tables
from bench.analyse.fleet.groups import Group
from bench.analyse.fleet.verdicts import Fleet, Judged, Machine, Why
from bench.core.home import without_home
from bench.core.text import MOST_OF_A_REASON, code, marked, shell_word
from bench.core.traces import file_name
from bench.report import commands
from bench.report.document import Block, Bullets, Code, Figure, Fold, Note, Paragraph, Section, Table, paragraphs
from bench.report.fleet import plot, words
from bench.report.page import FleetPage, written
from bench.report.words import count_of, interval, number, percent

MOST_STRIPS = 8
MOST_OPEN = 15
"""Machines of a table before the rest is folded; outliers never are."""
MOST_BULLETS = 20


def write(fleet: Fleet, named: Sequence[Path], out: Path, *options: str) -> FleetPage:
    """Write reports/fleet-<folder>/. Returns what the page says."""
    ends = list(dict.fromkeys((named[0].resolve().name, named[-1].resolve().name)))
    folders = [shell_word(without_home(str(folder))) for folder in named]
    page = FleetPage(
        folder=out / file_name(f"fleet-{'-to-'.join(ends)}"),
        fleet=fleet,
        names=words.kind_names(fleet.groups),
        command=commands.bench(fleet.runs[0].stored.header, "fleet", *folders, *options),
    )
    page.table("machines", tables.machines_frame(fleet))
    page.table("models", tables.models_frame(fleet))
    return written(page, SECTIONS)


def title(page: FleetPage) -> Section:
    """How many outliers there are; of which runs."""
    fleet = page.fleet
    machines = len({run.machine for run in fleet.runs})
    blocks: list[Block] = [found_block(page)]
    notes = (
        words.undecided_words(fleet),
        words.few_words(fleet, page.names),
        words.equal_words(fleet, page.names),
        words.alone_words(fleet),
    )
    blocks += [Note(sentence) for sentence in notes if sentence]
    return Section(f"Fleet of {count_of(machines, 'machine')}: {words.headline(fleet)}", blocks, level=1)


def found_block(page: FleetPage) -> Block:
    """The outliers, an item each; or that there is none, or no verdict and why."""
    fleet = page.fleet
    items = [words.outlier_words(fleet, machine, page.names[machine.kind]) for machine in fleet.outliers]
    if not items:
        return Paragraph(f"**{words.found_words(fleet)}**")
    more = [f"and {len(items) - MOST_BULLETS} more, in the table below"] if len(items) > MOST_BULLETS else []
    return Bullets([*items[:MOST_BULLETS], *more])


def compared(page: FleetPage) -> Section:
    """What was compared with what, and the figure."""
    fleet = page.fleet
    blocks: list[Block] = [Paragraph(words.machines_words(fleet))]
    drawn = most_important(fleet)
    if drawn:
        draw = partial(plot.strips, [strip(page, group) for group in drawn])
        alt = "a dot a machine at its speed beside the median of its kind, with the outliers marked and named"
        blocks.append(Figure("fleet", draw, alt))
        if len(drawn) < len(fleet.groups):
            blocks.append(Paragraph(words.DRAWN))
    return Section("What was compared", blocks)


def strip(page: FleetPage, group: Group) -> plot.Strip:
    """A group as the figure shows it."""
    name = f"{page.names[group.setting]}, {group.name}"
    return plot.Strip(
        title=f"{name}: {count_of(len(group.members), 'machine')}",
        machines=judged_in(page.fleet, group),
        delta=page.fleet.delta_of(group.device),
        limit=page.fleet.slowest_unmarked(group),
    )


def most_important(fleet: Fleet) -> list[Group]:
    """The groups that are drawn: of each kind the one with most outliers, and the kinds with most machines."""

    def weight(group: Group) -> tuple[int, int]:
        return sum(one.why is Why.MARKED for one in judged_in(fleet, group)), len(group.members)

    of_kinds = [[group for group in fleet.groups if group.setting == kind] for kind in tables.kinds(fleet)]
    return [max(groups, key=weight) for groups in of_kinds if max(len(group.members) for group in groups) > 1][
        :MOST_STRIPS
    ]


def judged_in(fleet: Fleet, group: Group) -> list[Judged]:
    """The machines of a group."""
    return [one for machine in fleet.machines for one in machine.every if one.group is group]


def models_section(page: FleetPage) -> Section | None:
    """A row a kind of machine and driver."""
    rows = [
        {
            "machines of": page.names[row.kind],
            "driver": row.driver,
            "machines": str(row.machines),
            "outliers": "" if row.outliers is None else str(row.outliers),
            "times as fast": interval(row.ratio.estimate, row.ratio.lo, row.ratio.hi, digits=3),
        }
        for row in tables.by_driver(page.fleet)
    ]
    if not rows:
        return None
    return Section("By model and driver", [Table.of(rows), Paragraph(words.MODELS)])


def machines_section(page: FleetPage) -> Section | None:
    """A row a machine: the outliers and those that differ most, and the others to open."""
    machines = page.fleet.machines
    if not machines:
        return None
    most = max(MOST_OPEN, len(page.fleet.outliers))
    blocks: list[Block] = [Table.of(row_of(page, machine) for machine in machines[:most])]
    if rest := machines[most:]:
        blocks.append(Fold(f"{len(rest)} more, nearer to the median", [Table.of(row_of(page, one) for one in rest)]))
    return Section("Machines", [*blocks, Paragraph(words.MACHINES)])


def row_of(page: FleetPage, machine: Machine) -> dict[str, object]:
    """A machine with the variant that shows it most clearly."""
    one = machine.clearest
    return {
        "machine": machine.name,
        "kind": page.names[machine.kind],
        "driver": one.member.driver,
        "variant": one.group.name,
        "times as fast": interval(one.ratio.estimate, one.ratio.lo, one.ratio.hi, digits=3),
        "deviations": "" if math.isnan(one.z) else f"{one.z:+.1f}",
        "p": words.p_words(one.p_normal),
        "p heavy": words.p_words(one.p_heavy),
        "verdict": words.why_words(one),
    }


def groups_section(page: FleetPage) -> Section | None:
    """A row a group: how fast its median machine is, how its machines scatter, and from where on one is marked."""
    fleet = page.fleet
    rows = [
        {
            "kind": page.names[group.setting],
            "variant": group.name,
            "machines": str(len(group.members)),
            "unit": f"{group.unit}/s",
            "median": number(math.exp(-group.centre)),
            "scatter": percent(group.scatter),
            "marked below": percent(fleet.slowest_unmarked(group)),
        }
        for group in fleet.groups
    ]
    if not rows:
        return Section("Groups", [Paragraph("No run has a complete round of any variant.")])
    return Section("Groups", [Table.of(rows), Paragraph(words.GROUPS)])


def method_section(page: FleetPage) -> Section:
    """The rule, and how often it marks a machine where none differs."""
    return Section("How sure this is", paragraphs(words.method_words(page.fleet)))


def left_out_section(page: FleetPage) -> Section | None:
    """The runs that were left out, with the reason."""
    left_out = page.fleet.left_out
    if not left_out:
        return None
    reasons = [f"{code(out.name)}: {marked(out.reason, MOST_OF_A_REASON)}" for out in left_out]
    blocks: list[Block] = [Bullets(reasons[:MOST_BULLETS])]
    if rest := reasons[MOST_BULLETS:]:
        blocks.append(Fold(f"{len(rest)} more", [Bullets(rest)]))
    return Section(f"Left out: {count_of(len(left_out), 'run')}", blocks)


def repeat_section(page: FleetPage) -> Section:
    """The command that writes this page."""
    return Section("Again", [Code([page.command], "sh")])


SECTIONS: tuple[Callable[[FleetPage], Section | None], ...] = (
    title,
    compared,
    models_section,
    machines_section,
    groups_section,
    method_section,
    left_out_section,
    repeat_section,
)
