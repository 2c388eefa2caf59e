"""Select what the jobs `ab` and `ablate` compare: the question, and the cells that are its sides.

Reads the project and the request. Returns `Trial`s, or raises `RequestError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from layermatrix.analysis import comparison
from layermatrix.build import request
from layermatrix.core.command import scons
from layermatrix.core.errors import SelectionError
from layermatrix.model.cells import Cell, choose
from layermatrix.model.measuring import Experiment
from layermatrix.model.project import Project


@dataclass(frozen=True)
class Trial:
    """A question and its sides; the others are compared with the first."""

    question: comparison.Question
    cells: tuple[Cell, ...]


def of_request(
    project: Project, command_line: request.Request, compilers: request.Compilers, wanted: str
) -> tuple[list[Trial], request.Selection]:
    """The experiments of these names (a comma list, patterns, or `all`), and all their cells."""
    if "variant" in command_line.axes or command_line.without:
        raise request.RequestError(
            "ab takes its variants from the experiment: set experiment=, not variant= or without="
        )
    try:
        names = choose("experiment", wanted, tuple(project.experiments))
    except SelectionError as error:
        raise request.RequestError(str(error)) from None
    trials = [_trial(project, command_line, compilers, project.experiments[name]) for name in names]
    cells = dict.fromkeys(cell for trial in trials for cell in trial.cells)
    return trials, request.Selection(tuple(cells), ())


def _trial(
    project: Project, command_line: request.Request, compilers: request.Compilers, experiment: Experiment
) -> Trial:
    axes = {**command_line.axes, "variant": ",".join(experiment.variants)}
    chosen = request.select(project, replace(command_line, axes=axes), compilers)
    if len(chosen.cells) != len(experiment.variants):
        ids = ", ".join(cell.id for cell in chosen.cells)
        raise request.RequestError(f"ab compares one configuration, but the selection has {ids}")
    by_name = {cell.variant.name: cell for cell in chosen.cells}
    question = comparison.Question(
        name=experiment.name,
        title=experiment.question,
        doc=experiment.doc,
        loads=experiment.loads,
        figure=experiment.decides,
        kept=experiment.kept,
        command=scons("ab", f"experiment={experiment.name}"),
    )
    return Trial(question, tuple(by_name[name] for name in experiment.variants))


def ablation(project: Project, cells: Sequence[Cell]) -> Trial:
    """A cell, with the same cell after changes of its layers."""
    cell = cells[0]
    name = cell.variant.name
    question = comparison.Question(
        name=f"without a layer: {cell.id}",
        title=f"What does each layer of {name} contribute?",
        doc=f"{name} compared with itself without one layer, with another one, and after two such changes.",
        loads=tuple(sorted(_loads(project), key=lambda load: load != project.matrix.timing.headline)),
        figure=None,
        kept=None,
        command=scons("ablate", f"variant={name}"),
    )
    return Trial(question, tuple(cells))


def _loads(project: Project) -> list[str]:
    """The loads that are timed or counted for every cell."""
    counted = [name for name in project.matrix.counters.loads if name not in project.matrix.timed]
    return [*project.matrix.timed, *counted]
