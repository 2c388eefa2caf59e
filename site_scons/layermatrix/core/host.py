"""The host that runs programs: what a figure depends on, and which figures of two hosts can be compared.

Reads /proc, /etc and the C library; standard library only, because it runs on hosts without layermatrix.

machine: one computer.  kind of host: what a count depends on: architecture, processor features, C library.
A count stands for its program on every host of the same kind. A timing belongs to its machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from layermatrix.core import c_library, processor

UNKNOWN = "unknown"
UNKNOWNS = ("", UNKNOWN, c_library.MUSL)  # a C library without its version is not known, either
MACHINE_VARIABLE = "LAYERMATRIX_MACHINE"  # an environment variable: the name of this machine
MACHINE_ID = Path("etc/machine-id")
DIGITS = 16  # of a digest


def digest(*words: object) -> str:
    """A short digest of these words."""
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:DIGITS]


@dataclass(frozen=True)
class HostKind:
    """A kind of host: counts of equal programs are equal on hosts of one kind. cpu_flags: a digest of the
    processor's features, by which the C library chooses its code."""

    architecture: str
    cpu_flags: str
    libc: str

    def __str__(self) -> str:
        return f"{self.architecture}, processor features {self.cpu_flags}, {self.libc}"

    @property
    def is_known(self) -> bool:
        """Whether every part could be read. Two unknown parts cannot be called equal."""
        return all(part and part not in UNKNOWNS for part in (self.architecture, self.cpu_flags, self.libc))


@dataclass(frozen=True)
class Host:
    """Where programs ran. cores: the processors that the run could use. identity: a digest that tells this
    computer from others of the same model; empty if it is unknown."""

    architecture: str
    cpu: str
    cpu_flags: str
    cores: int
    kernel: str
    libc: str
    python: str = ""
    identity: str = ""

    @classmethod
    def of_this_machine(cls, root: Path = Path("/")) -> Host:
        """This host. root: the folder that contains proc and etc."""
        cpuinfo, system = root / "proc/cpuinfo", os.uname()
        return cls(
            architecture=system.machine or UNKNOWN,
            cpu=processor.model(cpuinfo),
            cpu_flags=cpu_flags(cpuinfo),
            cores=cores(),
            kernel=f"{system.sysname} {system.release}",
            libc=c_library.version(root),
            python=".".join(map(str, sys.version_info[:3])),
            identity=identity(root),
        )

    @classmethod
    def from_json(cls, values: object) -> Host:
        """The host that `to_json` described. Raises ValueError, which names the wrong part. Parts with a
        default may be missing."""
        if not isinstance(values, Mapping):
            raise ValueError("a host is an object")
        read: dict[str, str | int] = {}
        for part in fields(cls):
            wanted = int if part.name == "cores" else str
            value = values.get(part.name, part.default)
            if not isinstance(value, wanted) or isinstance(value, bool):
                raise ValueError(f"host: {part.name} is {values.get(part.name)!r}, not {_NAMES[wanted]}")
            read[part.name] = value  # so each argument has the type of its field
        return cls(**read)  # type: ignore[arg-type]

    def to_json(self) -> dict[str, str | int]:
        """The values of every field, by its name."""
        return asdict(self)

    @property
    def id(self) -> str:
        """A digest of all fields."""
        return digest(*self.to_json().items())

    @property
    def os(self) -> str:
        """The name of the system, such as Linux."""
        return self.kernel.partition(" ")[0]

    @property
    def kind(self) -> HostKind:
        return HostKind(self.architecture, self.cpu_flags, self.libc)


_NAMES = {int: "a number", str: "a text"}


def cpu_flags(cpuinfo: Path = processor.CPUINFO) -> str:
    """A digest of the processor's features; "unknown" if the system does not list them. The C library chooses
    its functions by them, so they change what a program executes."""
    found = processor.features(cpuinfo)
    return digest(*found) if found else UNKNOWN


def cores() -> int:
    """The processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def identity(root: Path = Path("/")) -> str:
    """A digest that tells this machine from others: of $LAYERMATRIX_MACHINE, or else of the machine's id and
    host name. Both count, because copies of an image have one id, and containers often have none."""
    given = os.environ.get(MACHINE_VARIABLE, "").strip()
    if given:
        return digest("named", given)
    try:
        own_id = (root / MACHINE_ID).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        own_id = ""
    parts = (own_id, os.uname().nodename)
    return digest("machine", *parts) if any(parts) else ""
