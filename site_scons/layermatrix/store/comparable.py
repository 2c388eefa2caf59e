"""Which two figures may be compared. Every reader of the store decides it here.

A timing is compared with timings of the same machine. A count stands for its binary on every host of the
same kind (architecture, processor features, C library), so counts of such hosts are compared; but two results
of one build are compared across machines only if their binaries are equal: otherwise what built them differs,
too, and the figures do not say which difference they show.
"""

from __future__ import annotations

from dataclasses import dataclass

from layermatrix.core.host import UNKNOWNS, Host
from layermatrix.store.entries import CELL, DETERMINISTIC, TIMED

# What is equal in comparable figures: the kind of figure -> the columns of their hosts.
COLUMNS = {
    DETERMINISTIC: ("architecture", "cpu_flags", "libc"),
    TIMED: ("cpu", "cores", "architecture", "libc", "identity"),
}
NAMES = {
    "architecture": "architecture", "cpu_flags": "processor features", "libc": "C library",
    "cpu": "processor", "cores": "cores", "identity": "machine",
}  # fmt: skip
ONE_MODEL = "measured on another machine of the same kind: a timing is compared within one machine"


@dataclass(frozen=True)
class Origin:
    """What decides with which others a figure can be compared. kind: DETERMINISTIC or TIMED. build: what was
    built, such as a cell at a commit. library_digest: of the binary; empty if it is unknown."""

    kind: str
    host: Host
    build: str
    library_digest: str


def build_of(name: str, source: str, commit: str) -> str:
    """The build of a subject: a cell is built of a commit, another library is not."""
    return f"{name} at {commit}" if source == CELL else name


def terms(kind: str, host: Host) -> dict[str, str]:
    """What two comparable figures have in common, by its name."""
    return {NAMES[column]: str(getattr(host, column)) for column in COLUMNS[kind]}


def here(kind: str) -> tuple[str, ...]:
    """The terms of this host, for the name of what is kept: on a host with others it does not compare."""
    return tuple(terms(kind, Host.of_this_machine()).values())


def described(kind: str, host: Host) -> str:
    """Where figures of this kind were measured, in words."""
    if kind == DETERMINISTIC:
        return str(host.kind)
    return f"{host.cpu}, {host.cores} cores, {host.architecture}, {host.libc}"


def why_other_host(kind: str, one: Host, other: Host) -> str | None:
    """The reason why figures of this kind from these hosts cannot be compared; None if they can."""
    wanted = terms(kind, other)
    differing = {name: text for name, text in terms(kind, one).items() if text != wanted[name]}
    if list(differing) == ["machine"]:
        return ONE_MODEL
    if differing:
        words = "kind of host" if kind == DETERMINISTIC else "machine"
        differing.pop("machine", None)
        parts = (f"{name} {text}, not {wanted[name]}" for name, text in differing.items())
        return f"measured on another {words}: {'; '.join(parts)}"
    if _are_one_machine(one, other):
        return None
    unknown = [name for name, text in wanted.items() if text in UNKNOWNS]
    return f"measured on another machine, and its {unknown[0]} cannot be read there" if unknown else None


def why_not(one: Origin, other: Origin) -> str | None:
    """The reason why these figures cannot be compared; None if they can."""
    if one.kind != other.kind:
        return f"it is {one.kind}, and the other figure is {other.kind}"
    reason = why_other_host(one.kind, one.host, other.host)
    if reason or one.build != other.build or _are_one_machine(one.host, other.host):
        return reason
    if not one.library_digest or not other.library_digest:
        return "measured on another machine, and its binary is unknown"
    if one.library_digest != other.library_digest:
        return "measured on another machine, with another binary of the same build"
    return None


def _are_one_machine(one: Host, other: Host) -> bool:
    return bool(one.identity) and one.identity == other.identity
