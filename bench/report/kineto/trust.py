"""What a trace does not hold, and whether the tables add up to it."""

from bench.analyse.kineto.checks import Check
from bench.analyse.kineto.found import Found
from bench.analyse.kineto.missing import Missing
from bench.report.document import Block, Bullets, Fold, Note, Paragraph, Section, Table
from bench.report.words import count_of

HOW = {
    Missing.STEPS: "steps: call `profiler.step()` after each step",
    Missing.DEVICE: "work on a device: profile `ProfilerActivity.CUDA` too, if there is one",
    Missing.SHAPES: "shapes: `record_shapes=True`",
    Missing.STACKS: "stacks: `with_stack=True`",
    Missing.MODULES: "modules: `with_stack=True` records those that are called while it profiles",
    Missing.MEMORY: "memory: `profile_memory=True`",
}


def missing_section(found: Found, _: str) -> Section | None:
    """What the trace lacks, with the option that records it; nothing if it lacks nothing."""
    blocks: list[Block] = [Note(text) for text in damage(found)]
    if found.missing:
        blocks += [Paragraph("The trace has none of these; torch.profiler records them so:")]
        blocks += [Bullets([HOW[what] for what in found.missing])]
    return Section("What the trace does not hold", blocks) if blocks else None


def damage(found: Found) -> list[str]:
    """What of the trace could not be read, in words."""
    trace = found.trace
    words = []
    if trace.truncated:
        words.append(f"The trace is cut short: {count_of(trace.read, 'event')} could be read, and the end is missing.")
    if trace.left_out:
        words.append(f"{count_of(trace.left_out, 'event')} could not be read and count nowhere.")
    return words


def checks_section(found: Found, _: str) -> Section:
    """Whether the totals of the tables are those of the events."""
    failed = [check for check in found.checks if not check.passed]
    rows = [
        {
            "total": check.what,
            "unit": check.unit,
            "of the tables": shown(check, check.table),
            "of the events": shown(check, check.plain),
            "difference": shown(check, check.table - check.plain),
        }
        for check in found.checks
    ]
    passed = (
        f"{len(found.checks) - len(failed)} of {count_of(len(found.checks), 'check')} passed: each total of the tables "
        "is compared with a plain sum over the events, to the microsecond."
    )
    return Section("Checks", [*map(warning, failed), Paragraph(passed), Fold("Each total", [Table.of(rows)])])


def warning(check: Check) -> Note:
    """A total that does not add up."""
    difference = shown(check, check.table - check.plain)
    return Note(f"The {check.what} do not add up: the table has {difference} {check.unit} more than the events.")


def shown(check: Check, value: float) -> str:
    """A total with all its digits."""
    return f"{value:,.3f}" if check.unit == "us" else f"{value:,.0f}"
