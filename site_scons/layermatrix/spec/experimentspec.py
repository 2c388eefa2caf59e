"""What experiments.yaml may say, and the reading of it; `spec` has the shapes of the other files."""

# ruff: noqa: RUF009  `key` makes a dataclass field, which ruff cannot know

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from layermatrix.core.errors import Report, hint_for, quote
from layermatrix.spec.schema import ListOf, MapOf, OneOf, Placed, Record, Shape, Text, key
from layermatrix.spec.shapes import DOC, NAME, load

DECIDING = ("speed", "instructions", "misses")
QUESTION = Text("one line", r"[^\n\r\t]+", longest=100)


@dataclass(frozen=True)
class ExperimentSpec(Shape):
    """A question, the variants that are its possible answers, and what decides between them."""

    question: Placed[str] = key(QUESTION)
    doc: Placed[str] = key(DOC)
    variants: tuple[Placed[str], ...] = key(ListOf(NAME, at_least=2, unique=True))
    loads: tuple[Placed[str], ...] = key(ListOf(NAME, at_least=1, unique=True))
    decides: Placed[str] = key(OneOf(*DECIDING))
    kept: Placed[str] | None = key(NAME, required=False)

    def check(self, report: Report) -> Iterable[str]:
        sides = [side.value for side in self.variants]
        if self.kept and self.sound("variants") and self.kept.value not in sides:
            hint = hint_for(self.kept.value, sides)
            report.error(
                self.kept.place, f"{quote(self.kept.value)} is not one of the experiment's variants", hint
            )
            return ("kept",)
        return ()


@dataclass(frozen=True)
class ExperimentsSpec(Shape):
    """experiments.yaml: questions that a measurement answers."""

    doc: Placed[str] = key(DOC)
    experiments: tuple[tuple[Placed[str], ExperimentSpec | None], ...] = key(
        MapOf(NAME, Record(ExperimentSpec), "experiment", at_least=1)
    )

    def check(self, report: Report) -> Iterable[str]:
        for name, _ in self.experiments:
            if name.value == "all":
                report.error(
                    name.place, "an experiment cannot be called 'all': that is the word for every one"
                )
        return ()


_EXPERIMENTS = Record(ExperimentsSpec)


def load_experiments(file: Path, shown: str, report: Report) -> ExperimentsSpec | None:
    """Read experiments.yaml; `shown` is its path in messages. None if nothing of it could be read."""
    return load(_EXPERIMENTS, file, shown, report)
