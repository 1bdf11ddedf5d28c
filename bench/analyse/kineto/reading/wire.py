"""An event as Kineto writes it: the keys that are read. An event may have others, and may lack each of these."""

from decimal import Decimal

import msgspec

Number = int | float | None


class Arguments(msgspec.Struct, rename={
    "external": "External id", "external_of_old": "external id", "dims": "Input Dims", "dims_of_old": "Input dims",
    "hierarchy": "Module Hierarchy", "call_stack": "Call stack", "blocks_per_sm": "blocks per SM",
    "occupancy": "est. achieved occupancy %", "change": "Bytes", "allocated": "Total Allocated",
    "reserved": "Total Reserved", "device_type": "Device Type", "device_id": "Device Id",
}):  # fmt: skip
    """The arguments that are read. The keys of `Input Dims` and `External id` began small in torch 1.9 and before."""

    external: int | str | None = None
    external_of_old: int | str | None = None
    correlation: int | None = None
    dims: msgspec.Raw = msgspec.Raw()
    dims_of_old: msgspec.Raw = msgspec.Raw()
    hierarchy: str | None = None
    call_stack: str | None = None
    device: int | str | None = None
    stream: int | str | None = None
    blocks_per_sm: Number = None
    occupancy: Number = None
    change: int | None = None
    allocated: int | None = None
    reserved: int | None = None
    device_type: int | None = None
    device_id: int | None = None
    name: str | None = None


NO_ARGUMENTS = Arguments()


class Plain(msgspec.Struct):
    """An event without its arguments, for one whose arguments have other types than torch's."""

    ph: str = ""
    cat: str | None = ""
    name: str = ""
    ts: Decimal | None = None
    """Microseconds. A float has no room for those since 1970, which torch wrote before version 2.4."""
    dur: Decimal | None = None
    pid: int | float | str | None = None
    tid: int | float | str | None = None


class Event(Plain):
    """An event."""

    args: Arguments | None = None


class Distributed(msgspec.Struct):
    """Which of several processes wrote the trace."""

    rank: int | None = None
    world_size: int | None = None
    backend: str | None = None


class Device(msgspec.Struct):
    """A device that the process could see."""

    id: int | None = None
    name: str = ""


class Head(msgspec.Struct):
    """What a trace says beside its events."""

    distributedInfo: Distributed | None = None
    deviceProperties: list[Device] = []
