"""Remove the code that one macro guards from a C file.

Reads text; returns text. `#if MACRO ... #else ... #endif` is replaced by its text for MACRO = 0. Removed
lines become empty, so line numbers stay the same. A construct that is not supported is an error with file and
line: a copy that still has a guarded line would prove nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from layermatrix.core.errors import SpecErrors, quote
from layermatrix.evidence.source.csource import LogicalLine, error, logical_lines

_OPENING = ("if", "ifdef", "ifndef")
_MIDDLE = ("elif", "elifdef", "elifndef", "else")
_SIMPLE = "write the condition as `#if {macro}` or `#if !{macro}`, alone"


@dataclass
class _Block:
    """An open conditional. ours: it tests only the macro. dropping: its current branch is removed."""

    line: int
    ours: bool
    dropping: bool = False
    in_else: bool = False


def without(text: str, macro: str, path: str) -> str:
    """The text for `macro` = 0, without any mention of it. path: the file's name in errors. Raises
    SpecErrors."""
    return _Stripper(macro, path).strip(text)


class _Stripper:
    def __init__(self, macro: str, path: str) -> None:
        self.macro = macro
        self.path = path
        self.open: list[_Block] = []

    def strip(self, text: str) -> str:
        lines = text.split("\n")
        for line in logical_lines(text, self.path):
            if not self._keeps(line):
                lines[line.first - 1 : line.last] = [""] * (line.last - line.first + 1)
        if self.open:
            raise self._error(self.open[-1].line, "this conditional has no #endif")
        return "\n".join(lines)

    def _keeps(self, line: LogicalLine) -> bool:
        """Whether the line stays in the text."""
        if line.directive in _OPENING:
            return self._begin(line)
        if line.directive in _MIDDLE or line.directive == "endif":
            return self._go_on(line)
        if self._dropping():
            return False
        if line.mentions(self.macro):
            what = f"{quote(self.macro)} is for conditionals around debug code only"
            raise self._error(line.first, what, _SIMPLE.format(macro=self.macro))
        return True

    def _begin(self, line: LogicalLine) -> bool:
        kept = not self._dropping()
        sense = self._sense(line) if kept else None
        self.open.append(_Block(line.first, sense is not None, dropping=sense is True))
        return kept and sense is None

    def _go_on(self, line: LogicalLine) -> bool:
        if not self.open:
            raise self._error(line.first, f"#{line.directive} without #if")
        block = self.open[-1]
        if line.directive == "endif":
            self.open.pop()
        elif block.in_else:
            raise self._error(line.first, f"#{line.directive} after #else")
        elif line.directive == "else":
            block.in_else = True
            block.dropping = block.ours and not block.dropping
        elif block.ours or (line.mentions(self.macro) and not self._dropping()):
            what = f"#{line.directive} and {quote(self.macro)} in one conditional cannot be taken apart"
            raise self._error(line.first, what, "nest an #if in an #else instead")
        return not block.ours and not self._dropping()

    def _sense(self, line: LogicalLine) -> bool | None:
        """True if the block is compiled only with the macro, False if only without it, None if the condition
        does not mention the macro."""
        if not line.mentions(self.macro):
            return None
        words = [token.text for token in line.tokens[2:] if token.text not in "()"]
        negations = words.count("!") + (line.directive == "ifndef")
        tested = [word for word in words if word not in ("!", "defined")]
        if tested != [self.macro] or words[-1] != self.macro:
            what = f"cannot tell what is left of this condition without {quote(self.macro)}"
            raise self._error(line.first, what, _SIMPLE.format(macro=self.macro))
        return negations % 2 == 0

    def _dropping(self) -> bool:
        return any(block.dropping for block in self.open)

    def _error(self, line: int, what: str, hint: str | None = None) -> SpecErrors:
        return error(self.path, line, what, hint)
