"""The compiler and flags that a user or a packager gives, as make has them: CC=, CFLAGS= and so on.

Reads `name=value` of the command line, and the environment for what is not there.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from layermatrix.core.errors import SelectionError

DOCS = {
    "CC": "a command in place of the gcc or clang that it is one of",
    "CXX": "the C++ compiler that goes with CC",
    "CPPFLAGS": "flags of the preprocessor, after the project's own",
    "CFLAGS": "flags of the C compiler, after the project's own",
    "CXXFLAGS": "flags of the C++ compiler, after the project's own",
    "LDFLAGS": "flags of every link, after the project's own",
}
FLAGS = ("CPPFLAGS", "CFLAGS", "CXXFLAGS", "LDFLAGS")


@dataclass(frozen=True)
class UserTools:
    """texts: what is given, by name, and not empty. typed: the names that the command line has."""

    texts: Mapping[str, str] = field(default_factory=dict)
    typed: tuple[str, ...] = ()

    def words(self, name: str) -> list[str]:
        """The value's words, as a shell splits them."""
        return shlex.split(self.texts.get(name, ""))

    @property
    def flags(self) -> str:
        """The flags that are given, in one line; empty where there are none."""
        return " ".join(f"{name}={shlex.join(self.words(name))}" for name in FLAGS if name in self.texts)

    def origin(self, name: str) -> str:
        """Where a value comes from, in words."""
        return "the command line" if name in self.typed else "the environment"

    def arguments(self) -> list[str]:
        """What a child build has to be given again; it has the environment already."""
        return [f"{name}={self.texts.get(name, '')}" for name in self.typed]


def read(arguments: Mapping[str, str], environment: Mapping[str, str]) -> UserTools:
    """Raises SelectionError where a value is not what a shell could split."""
    typed = tuple(name for name in DOCS if name in arguments)
    texts = {name: arguments.get(name, environment.get(name, "")).strip() for name in DOCS}
    given = UserTools({name: text for name, text in texts.items() if text}, typed)
    for name, text in given.texts.items():
        try:
            given.words(name)
        except ValueError as error:
            raise SelectionError(f"{name}={text}: {str(error).lower()}") from None
    return given
