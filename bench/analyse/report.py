"""report.md of a run: its sections in a fixed order. Every sentence is made from the data."""

from pathlib import Path

from bench.analyse import layers, provenance, results, tables
from bench.analyse.load import RunData
from bench.analyse.page import Report

SECTIONS = (
    results.title,
    results.answer_section,
    results.variants_section,
    results.where_section,
    layers.section,
    results.memory_section,
    results.batch_section,
    results.compile_section,
    provenance.failures_section,
    provenance.noise_section,
    provenance.environment_section,
    provenance.repeat_section,
)


def write(data: RunData, out: Path) -> Report:
    """Write reports/<run_id>/ with report.md, figures and tables; what it was made from."""
    folder = out / str(data.run["run_id"])
    report = Report(
        data=data,
        folder=folder,
        steps=tables.steps(data),
        layers=tables.layers(data),
        memory=tables.memory(data),
    )
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    for name in ("steps", "layers", "memory"):
        path = folder / "tables" / f"{name}.csv"
        getattr(report, name).to_csv(path, index=False, lineterminator="\n", float_format="%.6g")
    text = "\n".join(line for section in SECTIONS for line in section(report))
    report.path.write_text(text.rstrip() + "\n", encoding="utf-8")
    return report
