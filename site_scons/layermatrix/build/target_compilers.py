"""Find the compiler of a cell for a target, and the emulator that runs the target's programs.

A target is `native` or a name such as aarch64-linux-gnu. zig and clang compile for every target; of gcc,
there is a command for each target: aarch64-linux-gnu-gcc. qemu-user runs the programs of another processor.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from layermatrix.build import launchers, toolchain
from layermatrix.build.toolchain import CACHE, Missing, Toolchain
from layermatrix.core import process
from layermatrix.core.emulator import Emulator
from layermatrix.model.cells import Cell
from layermatrix.model.matrix import NATIVE

QEMU = {
    "x86_64": "x86_64",
    "i686": "i386",
    "armv7l": "arm",
}  # a processor's name in targets -> in qemu's commands
DEBIAN = {"aarch64": "arm64", "armv7l": "armhf", "riscv64": "riscv64", "powerpc64le": "ppc64el"}
SECONDS = 60.0


def of_cell(
    cell: Cell, compilers: Mapping[str, Toolchain | Missing], cache: Path = CACHE
) -> Toolchain | Missing:
    """The compiler of a cell, for its target. Missing: with the reason why this machine has none."""
    found = compilers[cell.compiler]
    if isinstance(found, Missing) or cell.target == NATIVE:
        return found
    if found.family == "gcc":
        return _gcc(found, cell.target, cache)
    if found.family == "clang" and cell.target.endswith("-musl"):
        return Missing(found.name, "clang would link with this machine's C library instead of musl")
    option = ("-target", cell.target) if found.family == "zig" else (f"--target={cell.target}",)
    made = replace(
        found,
        command=(*found.command, *option),
        cxx_command=(*found.cxx, *option),
        triple=cell.target,
        target=cell.target,
    )
    reason = toolchain.target_missing(made, cache)
    return Missing(found.name, f"{reason} ({_package(cell.target)})") if reason else made


def _gcc(native: Toolchain, target: str, cache: Path) -> Toolchain | Missing:
    """gcc for a target: its own command. musl's for this processor may be the wrapper musl-gcc."""
    parts = launchers.split(native.command)
    name = Path(parts.compiler).name
    words = [f"{target}-{name}"]
    if target == f"{platform.machine()}-linux-musl":
        words.append(f"musl-{name}")
    for word in words:
        if shutil.which(word, path=native.environment.get("PATH")):
            found = toolchain.find_command(native.name, (*parts.launcher, word), cache, native.environment)
            return found if isinstance(found, Missing) else replace(found, flags=native.flags, target=target)
    return Missing(native.name, f"{words[0]} is not installed ({_package(target)})")


def _package(target: str) -> str:
    """The Debian package with a compiler for a target, or what has it elsewhere."""
    if target.endswith("-musl"):
        return "package musl-tools"
    return f"package gcc-{target.replace('_', '-')}"


def archiver(found: Toolchain, name: str) -> str:
    """The command `ar` or `ranlib` for a target: the target's own, or the one of this machine."""
    own = f"{found.target}-{name}"
    return own if found.target and shutil.which(own, path=found.environment.get("PATH")) else name


def emulator(found: Toolchain) -> Emulator:
    """What runs the programs of this compiler on this machine."""
    processor, _, system = found.target.partition("-linux")
    here = platform.machine()
    if not found.target or (processor == here and system in ("", "-gnu", "-musl")):
        return Emulator()
    name = f"qemu-{QEMU.get(processor, processor)}"
    command = shutil.which(name) or shutil.which(f"{name}-static")
    if command is None:
        return Emulator(missing=f"{name} is not installed (package qemu-user)")
    root = _root(found, processor)
    if root is None:
        package = f"libc6-{DEBIAN.get(processor, processor)}-cross"
        return Emulator(missing=f"there is no C library for {found.target} (package {package})")
    return Emulator((command, "-L", str(root)), root)


def _root(found: Toolchain, processor: str) -> Path | None:
    """The folder whose lib/ has the target's loader: where the compiler finds it, or where Debian puts it."""
    names = [f"ld-linux-{processor}.so.1", f"ld-linux-{processor}.so.2", f"ld-musl-{processor}.so.1"]
    folders = [Path("/usr", found.target)]
    if found.family == "gcc":
        for name in names:
            asked = process.run(
                (*found.command, f"-print-file-name={name}"), environment=found.environment, timeout=SECONDS
            )
            folders.insert(0, Path(process.text(asked.stdout).strip()).resolve().parent.parent)
    return next((one for one in folders if any((one / "lib" / name).exists() for name in names)), None)
