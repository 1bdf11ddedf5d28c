"""The facts of a described machine that decide which variants can run on it."""

from collections import Counter

from bench.core.axes.place import Cuda, Device, Machine, Others
from bench.core.facts import Environment


def machine(environment: Environment) -> Machine:
    """The facts of an environment that decide which variants can run."""
    name, _, version = (environment.libc or "").partition(" ")
    glibc = tuple(int(part) for part in version.split(".")[:2]) if name == "glibc" else None
    return Machine(
        cuda=seen_cuda(environment),
        others=seen_others(environment),
        cxx_compiler=bool(environment.cxx_compiler),
        c_compiler=bool(environment.c_compiler),
        python_headers=bool(environment.python_headers),
        glibc=(glibc[0], glibc[1]) if glibc else None,
        huge_pages=environment.huge_pages or "unknown",
        libraries=environment.libraries,
        cores=environment.cores or 1,
    )


def seen_cuda(environment: Environment) -> Cuda:
    """The CUDA devices and software of an environment."""
    return Cuda(
        devices=tuple(
            Device(capability=device.capability, multiprocessors=device.multiprocessors)
            for device in environment.cuda_devices
        ),
        driver=environment.driver or "",
        torch=environment.torch or "",
        version=environment.cuda or "",
        architectures=tuple(environment.cuda_architectures),
    )


def seen_others(environment: Environment) -> Others:
    """The devices of an environment that are neither the CPU nor CUDA."""
    return Others(
        counts=Counter(device.kind for device in environment.accelerators or ()),
        built=frozenset(environment.built_for or ()),
        torch=environment.torch or "",
    )
