"""Check the command line (variables and targets), and select its cells.

Reads the `name=value` pairs and target names that SCons has parsed, and the known targets. Returns a checked
`Request`, or raises `RequestError`, whose message is one line with a suggestion. `select` gets the cells from
`model.cells`.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from layermatrix.build import compiler_variables, costs, target_compilers, toolchain
from layermatrix.build.compiler_variables import CompilerVariables
from layermatrix.build.targets import (
    CELLS,
    COMMON,
    DESTDIR,
    PREFIX,
    PRESET,
    SAMPLE,
    SHARD,
    SOAK,
    TESTS,
    VERBOSE,
    Kind,
    Target,
    Variable,
    variables_of,
)
from layermatrix.core.errors import SelectionError, hint_for, quote
from layermatrix.model import ablation, sampling
from layermatrix.model import axes as model_axes
from layermatrix.model import cells as model_cells
from layermatrix.model.axes import Preset, Running
from layermatrix.model.cells import Cell
from layermatrix.model.layers import ALL
from layermatrix.model.matrix import AXES
from layermatrix.model.patterns import match_any, matches
from layermatrix.model.project import Project

Compilers = Mapping[str, toolchain.Toolchain | toolchain.Missing]
Selection = model_cells.Selection
CHOOSING = (CELLS, SAMPLE, SHARD)  # these choose cells among those of the axes


class RequestError(Exception):
    """The command line is wrong; str() is one line."""


class NothingToDoError(RequestError):
    """The command line is right, but every selected cell is left out."""


@dataclass(frozen=True)
class Request:
    """A checked command line. `axes`, `runs` (the run axes) and `given` hold only variables of the command
    line; `compiler_variables` also holds those of the environment."""

    targets: tuple[Target | str, ...]
    axes: Mapping[str, str] = field(default_factory=dict)
    runs: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    accept: bool = False
    compiler_variables: CompilerVariables = field(default_factory=CompilerVariables)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the targets, as on the command line."""
        return tuple(target if isinstance(target, str) else target.name for target in self.targets)

    def of_kind(self, *kinds: Kind) -> tuple[Target, ...]:
        """The targets of these kinds, in the order of the command line."""
        return tuple(one for one in self.targets if isinstance(one, Target) and one.kind in kinds)

    def text(self, variable: Variable) -> str:
        """The value of a variable, or its default."""
        return self.given.get(variable.name, variable.default)

    def number(self, variable: Variable) -> int | None:
        """The value of a numeric variable; None if it was not given."""
        text = self.given.get(variable.name)
        return None if text is None else int(text)

    def quantity(self, variable: Variable) -> float | None:
        """The value of a variable with a unit; None if it was not given."""
        text = self.given.get(variable.name)
        return None if text is None or variable.quantity is None else variable.quantity(text)

    @property
    def taker(self) -> Target | None:
        """The target that takes the other targets of the command line as its arguments; None if there is
        none."""
        return next((one for one in self.targets if isinstance(one, Target) and one.takes_targets), None)

    @property
    def prefix(self) -> str:
        """The installation prefix, without a slash at its end. RequestError if it is not absolute, because
        installed files contain it."""
        text = self.text(PREFIX)
        if not text.startswith("/"):
            raise RequestError(f"PREFIX={text}: expected an absolute path, such as {PREFIX.default}")
        return os.path.normpath(text).rstrip("/")

    @property
    def destdir(self) -> str:
        """The folder in front of the prefix, or an empty string. A relative path starts at SConstruct."""
        text = self.text(DESTDIR)
        return str(Path(text).resolve()).rstrip("/") if text else ""

    @property
    def soak(self) -> int | None:
        """The duration of the soak tests in seconds; None if it was not given."""
        return self.number(SOAK)

    @property
    def is_short(self) -> bool:
        """Whether long tests are left out."""
        return self.given.get(TESTS.name) == "short"

    @property
    def verbose(self) -> bool:
        """Whether every command is shown in full."""
        return self.text(VERBOSE) == "1"

    @property
    def cell_patterns(self) -> tuple[str, ...]:
        """The cells that `cells=` names; empty without it."""
        return _words(self.given.get(CELLS.name, ""))

    @property
    def picks_cells(self) -> bool:
        """Whether the selected cells may be other ones than those that the axes select."""
        return any(variable.name in self.given for variable in CHOOSING)

    def cell_names(self) -> set[str]:
        """The ids of the cells whose files are targets: build/<cell>/..."""
        found = [re.search(r"(?:^|/)build/([^/]+)/", name) for name in self.names]
        return {match[1] for match in found if match} - {"baseline", "report", "traces"}

    def selection(self) -> list[str]:
        """The arguments that select the cells."""
        choosing = [variable.name for variable in CHOOSING if variable.name in self.given]
        return [f"{name}={text}" for name, text in self.axes.items()] + [
            f"{name}={self.given[name]}" for name in choosing
        ]

    def arguments(self) -> list[str]:
        """The arguments that a child build needs in addition to its axes."""
        passed = [variable.name for variable in (VERBOSE, SOAK, TESTS) if variable.name in self.given]
        without = [f"without={','.join(self.without)}"] if self.without else []
        return [
            *(f"{name}={self.given[name]}" for name in passed),
            *(f"{name}={text}" for name, text in self.runs.items()),
            *without,
            *self.compiler_variables.arguments(),
        ]


def parse(
    arguments: Iterable[tuple[str, str]],
    names: Sequence[str],
    targets: Sequence[Target],
    *,
    others: Iterable[str] = (),
    default: bool = True,
    accept: bool = False,
    axes: Sequence[str] = AXES,
    runs: Sequence[str] = (),
    presets: Mapping[str, Preset] | None = None,
) -> Request:
    """Check the names and plain values of a command line.

    targets: all targets of layermatrix; if the command line names none and `default` is set, the first one is
    built. Another name may be a target of the project: see `check_targets`. others: the variables of the
    project itself. axes, runs, presets: the axes of its matrix, its run axes, and its presets.
    """
    by_name = {target.name: target for target in targets}
    variables = {variable.name: variable for variable in COMMON} | variables_of(targets)
    given: dict[str, str] = {}
    for name, value in arguments:
        _check_known("variable", name, (*axes, *runs, *variables, *others))
        given[name] = _checked(variables[name], value) if name in variables else value
    chosen = tuple(by_name.get(name, name) for name in names) or tuple(targets[: int(default)])
    given = {**_preset(given, presets or {}, chosen, targets), **given}
    request = Request(
        targets=chosen,
        axes={name: given[name] for name in axes if name in given},
        runs={name: given[name] for name in runs if name in given},
        given={name: value for name, value in given.items() if name not in (*axes, *runs)},
        without=_words(given.get("without", "")),
        accept=accept,
        compiler_variables=compiler_variables.read(given, os.environ),
    )
    if request.of_kind(Kind.JOB, Kind.ANSWER):
        check_targets(request, by_name)
    _check_use(request, targets)
    _separate(request)
    return request


def _preset(
    given: Mapping[str, str],
    presets: Mapping[str, Preset],
    chosen: Sequence[Target | str],
    targets: Sequence[Target],
) -> dict[str, str]:
    """The values of the requested preset, without the variables that only other targets take."""
    name = given.get(PRESET.name)
    if name is None:
        return {}
    if name not in presets:
        hint = hint_for(name, presets) or "variants/matrix.yaml has no 'presets'"
        raise RequestError(f"preset=: unknown preset {quote(name)}; {hint}")
    variables = {variable.name: variable for variable in COMMON} | variables_of(targets)
    taken = variables_of([target for target in chosen if isinstance(target, Target)])
    others = variables_of(targets).keys() - taken.keys()
    values = {key: text for key, text in presets[name].values.items() if key not in others}
    return {key: _checked(variables[key], text) if key in variables else text for key, text in values.items()}


def check_targets(request: Request, names: Iterable[str]) -> None:
    """Refuse a target that is not among these names. SCons checks a name with a slash or a dot: a path."""
    known_names = tuple(names)
    for name in request.names:
        if not set(name) & set("/."):
            _check_known("target", name, known_names)


def _check_known(what: str, name: str, names: Sequence[str]) -> None:
    if name not in names:
        hint = hint_for(name, names)
        raise RequestError(f"unknown {what} {quote(name)}; {hint or 'scons -h lists them all'}")


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _checked(variable: Variable, text: str) -> str:
    """The value. RequestError if the variable does not accept it."""
    if variable.listed and text not in variable.listed:
        raise RequestError(f"{variable.name}={text}: unknown value; {hint_for(text, variable.listed)}")
    numbers = variable.number
    if numbers is not None and not (text.isascii() and text.isdigit() and int(text) in numbers):
        raise RequestError(
            f"{variable.name}={text}: expected a whole number from {numbers[0]} to {numbers[-1]}"
        )
    if variable.quantity is not None:
        try:
            variable.quantity(text)
        except ValueError as error:
            raise RequestError(f"{variable.name}={text}: {error}") from None
    return text


def _check_use(request: Request, targets: Sequence[Target]) -> None:
    """Refuse a variable that no requested target uses."""
    requested = [target for target in request.targets if isinstance(target, Target)]
    for name, variable in variables_of(targets).items():
        if name in request.given and not any(variable in target.variables for target in requested):
            takers = [target.name for target in targets if variable in target.variables]
            raise RequestError(f"{name}= works only with {_targets(takers)}")
    if request.accept and not any(target.accept for target in requested):
        takers = [target.name for target in targets if target.accept]
        raise RequestError(f"--accept works only with {_targets(takers)}")


def _targets(names: Sequence[str]) -> str:
    quoted = [repr(name) for name in names]
    if len(quoted) == 1:
        return f"the target {quoted[0]}"
    return f"the targets {', '.join(quoted[:-1])} and {quoted[-1]}"


def _separate(request: Request) -> None:
    """Refuse a job beside another target. A job starts child builds; two builds must not write the same file
    at the same time."""
    if request.taker:
        return
    alone = [target.name for target in request.of_kind(Kind.JOB, Kind.ANSWER)]
    others = [name for name in request.names if name not in alone]
    if alone and others:
        raise RequestError(f"{alone[0]!r} and {others[0]!r} cannot run together; run one after the other")


def select(
    project: Project,
    command_line: Request,
    compilers: Compilers,
    axes: Mapping[str, str] | None = None,
    *,
    tried: Callable[[Cell], bool] = lambda cell: True,
) -> Selection:
    """The selected cells. axes: the default values of the axes; None takes the first target's. tried: whether
    to try if this machine can build the cell, which takes a minute where zig first compiles a C library.

    Raises RequestError if no cell is left, and SelectionError for an unknown value.
    """
    first = command_line.targets[0] if command_line.targets else None
    if axes is None:
        axes = first.axes(project) if isinstance(first, Target) else {}
    named, patterns = command_line.cell_names(), command_line.cell_patterns
    if patterns or (named and not command_line.axes):  # a path build/<cell>/... names its cell
        axes = dict.fromkeys(project.matrix.axes.names, ALL)
    given = {**axes, **command_line.axes}
    chosen = model_cells.select(project, given, available=compilers, installed=_is_installed)
    if patterns:
        chosen = _of_names(chosen, patterns)
    cells, left_out, unable = [], list(chosen.left_out), _trying(compilers)
    for cell in chosen.cells:
        if named and cell.id not in named:
            continue
        reason = unable(cell) if tried(cell) else None
        if reason:
            left_out.append((cell.id, reason))
        else:
            cells.append(cell)
    cells = _sampled(project, command_line, cells)
    _check_layers(project, command_line)
    cells, impossible = ablation.expand(cells, command_line.without)
    left_out += impossible
    if not cells:
        reasons = (
            {reason for _, reason in left_out} if not named else {f"there is no {name}" for name in named}
        )
        kind = RequestError if named else NothingToDoError
        raise kind("no cell is left: " + ("; ".join(sorted(reasons)) or "this part of the cells is empty"))
    return Selection(tuple(cells), tuple(left_out))


def _of_names(chosen: Selection, patterns: Sequence[str]) -> Selection:
    """The cells that these names and patterns select. Raises SelectionError if one matches no cell."""
    ids = [*(cell.id for cell in chosen.cells), *(name for name, _ in chosen.left_out)]
    for pattern in patterns:
        if not any(matches(name, pattern) for name in ids):
            hint = hint_for(pattern, ids) or "the target list shows the names"
            raise SelectionError(f"cells=: unknown cell {quote(pattern)}; {hint}")
    places = {name: place for place, name in enumerate(patterns)}  # a list of names is an order, too
    matching = [cell for cell in chosen.cells if match_any([cell.id], patterns)]
    return Selection(
        tuple(sorted(matching, key=lambda cell: places.get(cell.id, len(places)))),
        tuple((name, reason) for name, reason in chosen.left_out if match_any([name], patterns)),
    )


def _sampled(project: Project, command_line: Request, cells: list[Cell]) -> list[Cell]:
    """The cells that `sample=` and then `shard=` leave."""
    way, part = command_line.given.get(SAMPLE.name), command_line.given.get(SHARD.name)
    if way is not None:
        matrix = project.matrix
        cells = list(sampling.sample(way, cells, matrix.axes.names, matrix.rules))
    if part is not None:
        cells = list(sampling.shard(part, cells, costs.accepted(Path())))
    return cells


def runnings(project: Project, command_line: Request) -> tuple[Running, ...]:
    """The ways to run programs that the command line selects in addition to the default. Raises
    SelectionError for an unknown value."""
    axes = project.matrix.run
    chosen = {
        name: model_cells.choose(name, text, tuple(axes[name].values))
        for name, text in command_line.runs.items()
    }
    return model_axes.runnings(axes, chosen)


def _check_layers(project: Project, command_line: Request) -> None:
    """Refuse a name in `without=` that is not a layer."""
    for name in command_line.without:
        if name not in (*project.catalogue.layers, ALL):
            hint = hint_for(name, project.catalogue.layers)
            raise RequestError(f"without=: unknown layer {quote(name)}" + (f"; {hint}" if hint else ""))


def _trying(compilers: Compilers) -> Callable[[Cell], str | None]:
    """`_unable`, which is asked once for all cells that have the same compiler, target and sanitizer."""
    known: dict[tuple[str, str, str], str | None] = {}

    def unable(cell: Cell) -> str | None:
        key = (cell.compiler, cell.target, cell.sanitizer)
        if key not in known:
            known[key] = _unable(cell, compilers)
        return known[key]

    return unable


def _unable(cell: Cell, compilers: Compilers) -> str | None:
    """The reason why this machine cannot build the cell, found by trying; None if it can."""
    compiler = target_compilers.of_cell(cell, compilers)
    if isinstance(compiler, toolchain.Missing):
        return compiler.reason
    return toolchain.sanitizer_missing(compiler, cell.sanitizer)


@functools.cache
def _is_installed(command: str) -> bool:
    return shutil.which(command) is not None
