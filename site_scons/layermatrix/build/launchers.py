"""Split a compiler's command into its launcher, the compiler, and its options: `ccache gcc-12 -m32`.

A launcher keeps or spreads what the compiler makes (ccache, sccache, icecc, distcc), or is any other program
that starts the command after it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CONFIGURING = re.compile(r"(?:CCACHE|SCCACHE|ICECC|DISTCC)_|(?:HOME|XDG_CACHE_HOME|XDG_CONFIG_HOME)$")
KNOWN = ("ccache", "sccache", "icecc", "distcc")  # their names, which are their Debian packages, too
ZIG = ("zig", "ziglang")
CXX = {"gcc": "g++", "clang": "clang++", "cc": "c++"}  # C compiler -> C++ compiler, as parts of their names
C_COMPILER = re.compile(r"(.*?)(gcc|clang|cc)((?:-[\d.]+)?)")  # a prefix, the compiler, its version


@dataclass(frozen=True)
class Parts:
    """before: the words before the compiler: of a launcher, or of zig, whose compiler is a command of zig.
    compiler: empty if the command has a launcher alone."""

    before: tuple[str, ...]
    compiler: str
    options: tuple[str, ...]

    @property
    def launcher(self) -> tuple[str, ...]:
        """The words of the launcher; empty if there is none."""
        return () if any(Path(word).name in ZIG for word in self.before) else self.before

    @property
    def names_of_programs(self) -> tuple[str, ...]:
        """The words that have to be programs. Other words of a launcher may be values of its options."""
        return (*self.before[:1], self.compiler) if self.launcher else (*self.before, self.compiler)[:1]

    @property
    def cxx(self) -> tuple[str, ...]:
        """The command of the C++ compiler that belongs to it: g++-12 for gcc-12."""
        parts = C_COMPILER.fullmatch(self.compiler)
        name = f"{parts[1]}{CXX[parts[2]]}{parts[3]}" if parts else self.compiler
        return (*self.before, name, *self.options)


def split(command: Sequence[str]) -> Parts:
    """The parts of a command: the compiler is the first word that is named like one, and otherwise the first
    one after the known launchers."""
    places = range(len(command))
    named = (place for place in places if _is_compiler(command[place]))
    first = (place for place in places if not is_launcher(command[place]))
    place = next(named, next(first, len(command)))
    return Parts(tuple(command[:place]), "".join(command[place : place + 1]), tuple(command[place + 1 :]))


def is_launcher(word: str) -> bool:
    return Path(word).name in KNOWN


def variables(command: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that configure the launcher of this command; none without a launcher. SCons
    passes on no others than the project's own."""
    if not split(command).launcher and not any(is_launcher(os.path.realpath(word)) for word in command):
        return {}
    return {name: text for name, text in environment.items() if CONFIGURING.match(name)}


def _is_compiler(word: str) -> bool:
    is_named = C_COMPILER.fullmatch(Path(word).name) is not None
    return is_named and not word.startswith("-") and not is_launcher(word)


def missing(word: str) -> str:
    """The reason why a launcher is missing, with what helps."""
    if is_launcher(word):
        return f"{word} is not installed: apt install {Path(word).name}"
    return f"{word} is not installed; launchers of compilers are {', '.join(KNOWN)}"


def alone(word: str) -> str:
    return f"{word} starts a compiler: name one after it, such as CC='{word} gcc'"


def version(line: str, compiler: str) -> str:
    """The line with a compiler's version as the compiler prints it by itself: distcc starts it by a longer
    name, and gcc prints the name that it was started by."""
    name, own = Path(compiler).name, line.partition(" ")[0]
    return name + line.removeprefix(own) if own.endswith(f"-{name}") else line
