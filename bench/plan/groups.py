"""Which trials of a round take turns with each other. Pure: nothing runs here."""

from collections.abc import Mapping, Sequence

from bench.plan.schedule import Planned

SHARE_OF_MEMORY = 0.8
"""The share of the memory that the processes of a group may take at their peaks."""


def groups(
    planned: Sequence[Planned], peak_bytes: Mapping[str, int], room_bytes: Mapping[str, int]
) -> list[list[Planned]]:
    """The trials of a round in groups: the trials of a group take turns, and the groups follow one another.

    Trials with one baseline make a group; if two trees are compared, the trials of one variant do. A trial is a group
    by itself if its kind of device has no room, if the processes of its group are not known to fit, or if it has
    several ranks: their processes are not in the group of processes that a turn stops. `peak_bytes` are by variant id,
    `room_bytes` by kind of device.
    """
    compared: dict[str, list[Planned]] = {}
    for trial in planned:
        variant = trial.arm.variant
        if variant.world_size == 1:
            compared.setdefault(variant.id if trial.arm.tree else variant.baseline.id, []).append(trial)
    together = {key: group for key, group in compared.items() if fit(group, peak_bytes, room_bytes)}
    grouped = {id(trial): group for group in together.values() for trial in group}
    in_order = [grouped.get(id(trial), [trial]) for trial in planned]
    return list({id(group): group for group in in_order}.values())


def fit(group: Sequence[Planned], peak_bytes: Mapping[str, int], room_bytes: Mapping[str, int]) -> bool:
    """Whether all processes of a group are known to fit in memory at once."""
    peaks = [peak_bytes.get(trial.arm.variant.id) for trial in group]
    room = room_bytes.get(kind(group[0]), 0)
    return None not in peaks and sum(peak for peak in peaks if peak is not None) <= SHARE_OF_MEMORY * room


def kind(trial: Planned) -> str:
    """The kind of device on which a trial runs."""
    return trial.arm.variant.kind.name
