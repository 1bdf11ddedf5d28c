"""What of a described machine decides."""

from bench.core.axes.place import Cuda, Device, Machine
from bench.core.facts import CudaDevice, Environment
from bench.machine import environment


def test_what_decides_is_read_from_the_description() -> None:
    devices = [
        CudaDevice(name="", memory_bytes=1, capability=(9, 0), multiprocessors=132),
        CudaDevice(name="", memory_bytes=1, capability=(8, 6)),
    ]
    described = Environment(cuda_devices=devices, libc="glibc 2.36", cores=4, cxx_compiler="g++")

    assert environment.machine(described) == Machine(
        cuda=Cuda(devices=(Device(capability=(9, 0), multiprocessors=132), Device(capability=(8, 6)))),
        cxx_compiler=True,
        glibc=(2, 36),
        huge_pages="unknown",
        cores=4,
    )
    assert environment.machine(Environment(libc="")).glibc is None
