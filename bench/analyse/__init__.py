"""From the files of a run to tables, figures and a report, without torch."""
