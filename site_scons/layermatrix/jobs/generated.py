"""Write the generated parts of the README, or compare them with the accepted results."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.core import records
from layermatrix.jobs import docpages

if TYPE_CHECKING:
    from collections.abc import Mapping


def accept(root: Path) -> int:
    """Write the generated files that differ. The exit status."""
    found = _texts(root)
    if found is None:
        return 1
    for file, text in found.items():
        if _there(root / file) != text:
            records.write_text(root / file, text)
            print(f"accepted: {file}")
    return 0


def compare(root: Path) -> int:
    """1 if a generated file differs from what the accepted results give."""
    found = _texts(root)
    if found is None:
        return 1
    different = [file for file, text in found.items() if _there(root / file) != text]
    for file in different:
        print(docpages.difference(_there(root / file), found[file]))
        print(f"{file} differs from the accepted results; --accept writes it", file=sys.stderr)
    return 1 if different else 0


def _texts(root: Path) -> Mapping[Path, str] | None:
    from layermatrix.report import readme

    try:
        return readme.texts(root)
    except readme.ReadmeError as error:
        print(error, file=sys.stderr)
        return None


def _there(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""
