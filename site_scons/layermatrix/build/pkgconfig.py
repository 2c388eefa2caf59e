"""Print the .pc file: pkg-config reads from it how to compile and link with an installed library.

Returns text; the build writes it to `$PREFIX/lib/pkgconfig/<library>.pc`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from layermatrix.model.system import System


def render(system: System, prefix: str, private: Iterable[str] = ()) -> str:
    """The file's text. prefix: the installed prefix, without DESTDIR. private: the flags that statically
    linked programs need."""
    lines = [
        f"prefix={_escaped(prefix)}",
        "libdir=${prefix}/lib",
        "includedir=${prefix}/include",
        "",
        f"Name: {system.name}",
        f"Description: {system.doc}",
        f"Version: {system.version}",
        "Cflags: -I${includedir}",
        f"Libs: -L${{libdir}} -l{system.library}",
        f"Libs.private: {' '.join(private)}".rstrip(),
    ]
    return "\n".join(lines) + "\n"


def _escaped(path: str) -> str:
    """A path with special characters escaped: pkg-config splits words as a shell does."""
    return re.sub(r"([^\w/.,:+@%=-])", r"\\\1", path)
