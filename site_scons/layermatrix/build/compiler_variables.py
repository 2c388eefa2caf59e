"""The compiler and flags that a user or a packager sets, with the names that make uses: CC, CFLAGS, ...

Reads `name=value` pairs of the command line; the environment supplies names that the command line omits.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from layermatrix.core.errors import SelectionError

DOCS = {
    "CC": "the command of a gcc or clang, used instead of the default gcc or clang",
    "CXX": "the C++ compiler that belongs to CC",
    "CPPFLAGS": "preprocessor flags, after the project's own",
    "CFLAGS": "C compiler flags, after the project's own",
    "CXXFLAGS": "C++ compiler flags, after the project's own",
    "LDFLAGS": "linker flags, after the project's own",
}
FLAGS = ("CPPFLAGS", "CFLAGS", "CXXFLAGS", "LDFLAGS")


@dataclass(frozen=True)
class CompilerVariables:
    """texts: name -> value, without empty values. typed: the names that the command line sets."""

    texts: Mapping[str, str] = field(default_factory=dict)
    typed: tuple[str, ...] = ()

    def words(self, name: str) -> list[str]:
        """The value's words, as a shell splits them."""
        return shlex.split(self.texts.get(name, ""))

    @property
    def flags(self) -> str:
        """The user's flags, in one line; an empty string if there are none."""
        return " ".join(f"{name}={shlex.join(self.words(name))}" for name in FLAGS if name in self.texts)

    def origin(self, name: str) -> str:
        """The source of a value, for the text of `-h`."""
        return "the command line" if name in self.typed else "the environment"

    def arguments(self) -> list[str]:
        """The arguments for a child build. It inherits the environment, so only typed values are needed."""
        return [f"{name}={self.texts.get(name, '')}" for name in self.typed]


def read(arguments: Mapping[str, str], environment: Mapping[str, str]) -> CompilerVariables:
    """The user's compiler and flags. Raises SelectionError for a value that a shell could not split."""
    typed = tuple(name for name in DOCS if name in arguments)
    texts = {name: arguments.get(name, environment.get(name, "")).strip() for name in DOCS}
    given = CompilerVariables({name: text for name, text in texts.items() if text}, typed)
    for name, text in given.texts.items():
        try:
            given.words(name)
        except ValueError as error:
            raise SelectionError(f"{name}={text}: {str(error).lower()}") from None
    return given
