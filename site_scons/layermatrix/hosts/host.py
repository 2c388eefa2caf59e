"""Whether this host can run a bundle. Uses only the standard library."""

from __future__ import annotations

from layermatrix.core.host import Host as Host
from layermatrix.hosts.manifest import HostNeeds


def this() -> Host:
    """This host."""
    return Host.of_this_machine()


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
