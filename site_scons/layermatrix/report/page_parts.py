"""The parts of a generated page of the reference, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NOTE = "<!-- Generated from the code: `scons reference --accept` writes this page. -->"


def page(title: str, intro: str, blocks: Iterable[str]) -> str:
    """A page with its title, the note on its origin, and these blocks."""
    return "\n\n".join([f"# {title}", NOTE, intro, *blocks]) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; each row has the fields of a line."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def field(text: str) -> str:
    """A text as the field of a table. The texts use Markdown's quotes for code."""
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
