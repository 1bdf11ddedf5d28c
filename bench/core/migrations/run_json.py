"""Brings run.json of an earlier schema into today's form before it is decoded.

Schema 5 has three records: the call's (`plan`), what trials showed (`learned`) and how the run stands (`state`). Runs
of 3 and 4 have `learned`, the arms and the flagged cells in `plan`, and the rest of the state at the top.
"""

APART = 5
"""The first schema with three records."""
LEARNED = ("step_s", "trial_s", "counts", "tried", "largest", "beyond_index", "predicted_s")
STATE_OF_PLAN = ("arms", "flagged")
STATE = ("status", "finished_at", "ended_because", "changed")


def migrated(raw: dict[str, object]) -> dict[str, object]:
    """A run.json of any schema that is read, in today's form but with the file's own version.

    A damaged one is returned as it is: the decoder refuses it.
    """
    version, plan = raw["schema_version"], raw.get("plan")
    if not isinstance(version, int) or version >= APART or not isinstance(plan, dict):
        return raw
    rest, declared = dict(raw), dict(plan)
    state = moved(rest, STATE) | moved(declared, STATE_OF_PLAN)
    return rest | {"plan": declared, "learned": moved(declared, LEARNED), "state": state}


def moved(record: dict[str, object], names: tuple[str, ...]) -> dict[str, object]:
    """The values with these names, taken out of a record as far as it has them."""
    return {name: record.pop(name) for name in names if name in record}
