"""Check that the files that the spec names exist: C sources, probes, benchmark programs and tests.

Without this check, a missing file would pass unnoticed until a build fails or, worse, reports "0 passed".
Reads the project's folder, but no YAML. Files can appear and disappear without a change of the spec, so a
project from the cache is used only if the questions about its files have the same answers as before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from layermatrix.core.errors import hint_for, quote
from layermatrix.core.kinds import Check, Known, Misfit
from layermatrix.model.matrix import Matrix

C_SUFFIXES = (".c", ".cc", ".cpp", ".cxx")
CALLED = re.compile(r"\b([A-Za-z_]\w*)\s*\(")  # a probe's file is small and calls all its functions
Answer = tuple[str, ...]


@dataclass(frozen=True)
class Files:
    """The files of a project. sources: the folder of the C files, relative to the root. answers: those given,
    by the question and the path or pattern that it is about."""

    root: Path
    sources: str
    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)

    def ask(self, question: str, about: str = "") -> Answer:
        if (question, about) not in self.answers:
            self.answers[question, about] = QUESTIONS[question](self.root, about)
        return self.answers[question, about]

    def known(self, plan: Matrix, probe: str | None, *, tests: bool) -> Known:
        """What names may refer to, by noun. probe: the C file with the functions that the entries name.
        tests: whether the patterns of tests could be read; names of tests are checked if each matches."""
        found: dict[str, Sequence[str] | Check] = {
            "file": self._file, "files": self._files, "source file": self._source, "program": self._program
        }  # fmt: skip
        matched = [self.ask("matching", pattern) for pattern in plan.tests.globs]
        if tests and all(matched):
            found["test"] = [Path(file).stem for files in matched for file in files]
        if scripts := self.ask("matching", plan.programs.scripts):
            found["script"] = [Path(file).stem for file in scripts]
        shown = f"{self.sources}/{probe}"
        if probe and not self._file(shown):
            found["function"] = partial(self._function, shown)
        return found

    def _file(self, path: str) -> Misfit | None:
        return None if self.ask("matching", path) else Misfit(f"there is no file {quote(path)}")

    def _files(self, pattern: str) -> Misfit | None:
        return None if self.ask("matching", pattern) else Misfit(f"no file matches {quote(pattern)}")

    def _source(self, name: str) -> Misfit | None:
        wrong, pattern = self._file(f"{self.sources}/{name}"), f"{self.sources}/**/*.c*"
        if wrong:
            there = self.ask("matching", pattern)
            wrong.hint = hint_for(name, (path.removeprefix(f"{self.sources}/") for path in there))
        return wrong

    def _program(self, name: str) -> Misfit | None:
        there, what = self.ask("programs"), f"no C file is called {quote(name)}"
        return None if name in there else Misfit(what, hint_for(name, there))

    def _function(self, shown: str, name: str) -> Misfit | None:
        there = self.ask("functions", shown)
        hint = hint_for(name, there) or f"'probe' names a function that {shown} defines"
        return None if name in there else Misfit(f"{shown} has no function {quote(name)}", hint)


def _matching(root: Path, pattern: str) -> Answer:
    """The files that match a path or a pattern. An invalid pattern, such as `a**b`, matches none."""
    try:
        return tuple(sorted(one.relative_to(root).as_posix() for one in root.glob(pattern) if one.is_file()))
    except ValueError:
        return ()


def _programs(root: Path, _: str) -> Answer:
    """The names of the C files anywhere in the project except build/."""
    inside = [path for path in root.iterdir() if path.name != "build" and path.name[0] != "."]
    found = [file for path in inside for file in (path.rglob("*.c*") if path.is_dir() else [path])]
    return tuple(sorted({file.stem for file in found if file.suffix in C_SUFFIXES}))


def _functions(root: Path, path: str) -> Answer:
    """The functions that a C file defines or calls."""
    return tuple(sorted({*CALLED.findall((root / path).read_text(encoding="utf-8", errors="replace"))}))


QUESTIONS: Mapping[str, Callable[[Path, str], Answer]] = {
    "matching": _matching, "programs": _programs, "functions": _functions,
}  # fmt: skip
