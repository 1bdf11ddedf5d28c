"""run.json of an earlier schema, made into today's before it is decoded.

5 has what was declared (`plan`), what was learned (`learned`) and how the run stands (`state`) apart. Runs of 3 and 4
have what was learned, the arms and what was flagged in `plan`, and the rest of the state at the top.
"""

APART = 5
"""The first schema with three records."""
LEARNED = ("step_s", "trial_s", "counts", "tried", "largest", "beyond_index", "predicted_s")
STATE_OF_PLAN = ("arms", "flagged")
STATE = ("status", "finished_at", "ended_because", "changed")


def migrated(raw: dict[str, object]) -> dict[str, object]:
    """A run.json of any schema that is read, in today's form; its version stays the file's.

    What is damaged stays so, for the decoder to refuse.
    """
    version, plan = raw["schema_version"], raw.get("plan")
    if not isinstance(version, int) or version >= APART or not isinstance(plan, dict):
        return raw
    rest, declared = dict(raw), dict(plan)
    state = moved(rest, STATE) | moved(declared, STATE_OF_PLAN)
    return rest | {"plan": declared, "learned": moved(declared, LEARNED), "state": state}


def moved(record: dict[str, object], names: tuple[str, ...]) -> dict[str, object]:
    """Take the values with these names out of a record, as far as it has them."""
    return {name: record.pop(name) for name in names if name in record}
