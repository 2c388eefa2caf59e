"""What kind of host this is, and whether it can run a bundle. Uses only the standard library."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass

from layermatrix.core import c_library, processor
from layermatrix.hosts.manifest import HostNeeds


@dataclass(frozen=True)
class Host:
    """cpu_flags: a digest of the processor's features. libc: such as "glibc 2.36"."""

    architecture: str
    os: str
    cpu: str
    cpu_flags: str
    cores: int
    kernel: str
    libc: str
    python: str


def this() -> Host:
    """This machine."""
    system = os.uname()
    features = " ".join(processor.features())
    return Host(
        architecture=system.machine,
        os=system.sysname,
        cpu=processor.model(),
        cpu_flags=hashlib.sha256(features.encode()).hexdigest()[:16],
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        kernel=system.release,
        libc=c_library.version(),
        python=sys.version.split()[0].rstrip("+"),
    )


def why_not(host: Host, needs: HostNeeds) -> str | None:
    """The reason why this host cannot run the files of a bundle; None if it can."""
    libc, _, version = host.libc.partition(" ")
    for what, has, wants in (
        ("operating system", host.os, needs.os),
        ("architecture", host.architecture, needs.architecture),
        ("C library", libc, needs.libc),
    ):
        if wants and has != wants:
            return f"its {what} is {has}, and the bundle was built for {wants}"
    if version and _numbers(version) < _numbers(needs.libc_least):
        return f"its C library is {host.libc}, and the bundle needs {needs.libc} {needs.libc_least} or newer"
    if _numbers(host.python) < _numbers(needs.python_least):
        return f"its Python is {host.python}, and the bundle needs {needs.python_least} or newer"
    return None


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, for comparing."""
    found: list[int] = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        found.append(int(digits))
    return tuple(found)
