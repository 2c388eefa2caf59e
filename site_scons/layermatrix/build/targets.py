"""The targets and variables of the command line, as plain data; and the text of `-h`.

Each job describes itself with a `Target`; `jobs/registry.py` lists them, and the SCons tool passes the list.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layermatrix.build import compiler_variables, quantities
from layermatrix.build.compiler_variables import CompilerVariables
from layermatrix.model import cells, sampling
from layermatrix.model.layers import ALL

if TYPE_CHECKING:
    from layermatrix.model.project import Project


class Kind(enum.Enum):
    """GRAPH: files of the build. JOB: a job that starts builds of its own. ANSWER: printed text."""

    GRAPH = enum.auto()
    JOB = enum.auto()
    ANSWER = enum.auto()


def _nothing(_project: Project) -> Sequence[str]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One `name=value`. values: the only accepted values, or a description of them. number: the accepted
    whole numbers; None accepts any text. quantity: reads any other quantity, or raises ValueError. choices:
    further values that completion offers in a project."""

    name: str
    doc: str
    values: str | tuple[str, ...]
    default: str = ""
    number: range | None = None
    quantity: Callable[[str], float] | None = None
    choices: Callable[[Project], Iterable[str]] = _nothing

    @property
    def described(self) -> str:
        """The accepted values in words."""
        return ", ".join(self.listed) or str(self.values)

    @property
    def listed(self) -> tuple[str, ...]:
        """The only accepted values; empty if others are accepted."""
        return () if isinstance(self.values, str) else self.values

    def offered(self, project: Project) -> tuple[str, ...]:
        """The values that completion offers in a project."""
        return (*self.listed, *self.choices(project))


def usual(_project: Project) -> Mapping[str, str]:
    """The defaults of the matrix file: no axis has another default."""
    return {}


def shipped(project: Project) -> Mapping[str, str]:
    """All variants of the matrix, in all modes except the one in which layers count their hits."""
    stats = project.catalogue.system.stats
    modes = [mode for mode in project.matrix.axes["mode"] if not stats or mode != stats.mode]
    return {"variant": ",".join(project.matrix.axes["variant"]), "mode": ",".join(modes) or ALL}


def every_cell(project: Project) -> Mapping[str, str]:
    """All cells of the matrix, except the modes that `shipped` leaves out."""
    return {**dict.fromkeys(project.matrix.axes.names, ALL), **shipped(project)}


def always(_project: Project) -> str | None:
    """Every project has this target."""
    return None


@dataclass(frozen=True, kw_only=True)
class Target:
    """One target of the command line.

    variables: the variables that only some targets take. accept: what `--accept` writes; empty if nothing.
    axes: the values of axes that the command line does not set; an axis without a value here has the matrix
    file's default. takes_targets: the other targets of the command line are its arguments. why_missing: the
    reason why a project does not have this target; None if it has it.
    """

    name: str
    doc: str
    kind: Kind = Kind.GRAPH
    variables: tuple[Variable, ...] = ()
    accept: str = ""
    axes: Callable[[Project], Mapping[str, str]] = usual
    takes_targets: bool = False
    why_missing: Callable[[Project], str | None] = always


GRAPH = (
    Target(name="libs", doc="the libraries, shared and static"),
    Target(name="headers", doc="the generated headers"),
    Target(name="benches", doc="the benchmark programs"),
    Target(name="figures", doc="counted evidence: asm, code, guards, counters; runs no tests"),
    Target(name="checks", doc="libs and evidence"),
    Target(name="bundles", doc="one file per cell with its tests and loads, which another host can run"),
    Target(name="compiledb", doc="compile_commands.json of the first selected cell, for editors"),
    Target(
        name="install",
        doc="install libraries, headers and pkg-config file of the last selected cell to $DESTDIR$PREFIX",
    ),
    Target(name="lint", doc="run the linters for Python and C"),
)

AXIS_DOCS = {
    "variant": "the variants, each a file in variants/",
    "mode": "how the code is compiled",
    "compiler": "the C compiler",
    "sanitizer": "the sanitizer that the code is tested with",
    "target": "the machine that the code is compiled for",
}

PREFIX = Variable(name="PREFIX", doc="where `install` installs to", values="a folder", default="/usr/local")
DESTDIR = Variable(
    name="DESTDIR", doc="a staging folder in front of PREFIX, for packagers", values="a folder"
)
SOAK = Variable(
    name="soak", doc="duration of the soak tests; real programs get longer inputs", values="seconds",
    default="the programs' own", number=range(1, 86401),
)  # fmt: skip
WITHOUT = Variable(
    name="without", doc="also build each selected variant without each of these layers", values="layers, all",
    choices=lambda project: (*project.catalogue.layers, ALL),
)  # fmt: skip
CELLS = Variable(name="cells", doc="just these cells, by their names", values="names, comma lists, patterns")
PRESET = Variable(
    name="preset", doc="values for other variables, from variants/matrix.yaml", values="a name",
    choices=lambda project: project.matrix.presets,
)  # fmt: skip
SAMPLE = Variable(
    name="sample", doc="choose some of the selected cells", values=", ".join(sampling.WAYS), default="all",
    choices=lambda _project: sampling.WAYS,
)  # fmt: skip
SHARD = Variable(
    name="shard", doc="one part of the cells, for several machines", values="a part, such as 2/5"
)
TESTS = Variable(
    name="tests",
    doc="`short` leaves out real programs, except in usual cells, and long tests, except in the usual cells "
    "of variants that are tested thoroughly",
    values=("all", "short"), default="all; for the target `test`: short",
)  # fmt: skip
VERBOSE = Variable(
    name="verbose", doc="show every command in full", values=("0", "1"), default="0",
)  # fmt: skip
ROUNDS = Variable(
    name="rounds", doc="number of times that each load is timed, at most", values="a count",
    default="from variants/matrix.yaml",
    number=range(1, 1001),
)  # fmt: skip
PRECISION = Variable(
    name="precision", doc="stop timing a load when half of the width of its intervals is at most this share",
    values="a share, such as 1%", default="every round is timed", quantity=quantities.share,
)  # fmt: skip
BUDGET = Variable(
    name="budget", doc="stop after the last round that fits into this time",
    values="a duration, such as 90s or 3m", default="no limit", quantity=quantities.seconds,
)  # fmt: skip
SEED = Variable(
    name="seed", doc="repeats the random order of a timing, which prints its seed", values="a number",
    default="a new one", number=range(1, 2**31),
)  # fmt: skip
STRICT = Variable(
    name="strict", doc="refuse to time on a busy machine; otherwise such results are marked",
    values=("0", "1"), default="0",
)  # fmt: skip
STORE = Variable(
    name="store", doc="the file with the results of every run", values="a path",
    default="$LAYERMATRIX_STORE, otherwise build/results.sqlite",
)  # fmt: skip
EXECUTORS = ("local[:N]", "dask:tcp://HOST:PORT", "slurm[:OPTION=VALUE,...]")  # those of hosts/executors
EXECUTOR = Variable(
    name="executor", doc="where programs run: in this build, or as bundles on other hosts",
    values=", ".join(EXECUTORS), default="local",
    choices=lambda _project: (form.partition("[")[0].partition("HOST")[0] for form in EXECUTORS),
)  # fmt: skip
TIMING = (ROUNDS, PRECISION, BUDGET, SEED, STRICT)  # what every job that times takes
FIGURE = Variable(
    name="figure", doc="the figures that are shown, such as speed or instructions", values="names, patterns"
)


def load_words(project: Project) -> Sequence[str]:
    """The words that select loads, for completion and suggestions."""
    peers = project.matrix.peers
    known = (*project.matrix.loads, *(peers.loads if peers else ()), *(peers.groups if peers else ()), ALL)
    return tuple(dict.fromkeys(known))


LOAD = Variable(
    name="load", doc="the loads that are timed, compared or shown",
    values="names, groups and patterns of variants/matrix.yaml, all", default="depends on the target",
    choices=load_words,
)  # fmt: skip
TOOLS = tuple(
    Variable(
        name=name, doc=doc, values="flags" if name in compiler_variables.FLAGS else "a command",
        default="from the environment",
    )
    for name, doc in compiler_variables.DOCS.items()
)  # fmt: skip
COMMON = (
    CELLS,
    PRESET,
    SAMPLE,
    SHARD,
    TESTS,
    PREFIX,
    DESTDIR,
    SOAK,
    WITHOUT,
    VERBOSE,
    *TOOLS,
)  # every target accepts these


def variables_of(targets: Iterable[Target]) -> dict[str, Variable]:
    """The variables that only these targets take, by name."""
    return {variable.name: variable for target in targets for variable in target.variables}


def help_text(
    project: Project,
    compilers: Mapping[str, object],
    targets: Sequence[Target],
    declared: Collection[str] | None = None,
    given: CompilerVariables | None = None,
) -> str:
    """The text of `-h`: every variable with its values and default, and every target of the project.

    declared: the aliases of its SConstruct; None shows all targets. given: the compiler and flags that the
    user sets. The first target is the default.
    """
    offered = offered_targets(project, targets, declared)
    lines = ["usage: scons [variable=value ...] [target ...]", "", "Variables:"]
    for variable in offered_variables(project, compilers, offered):
        takers = [target.name for target in offered if variable in target.variables]
        only = f" ({', '.join(takers)})" if takers else ""
        lines.append(f"  {variable.name + '=':<12}{variable.doc}{only}")
        lines.append(f"  {'':<12}values: {variable.described}; default: {variable.default or 'empty'}")
        if given and variable.name in given.texts:
            lines.append(f"  {'':<12}now: {given.texts[variable.name]} ({given.origin(variable.name)})")
    lines += ["", f"Targets (default: {targets[0].name}):"]
    lines += [f"  {target.name:<12}{target.doc}" for target in offered]
    lines += [
        "",
        "Each axis accepts names, comma lists, patterns such as phase*, and `all`.",
        "A built file is a target, too: build/<cell>/lib<name>.so. `-c` removes the files of a target;",
        "`-n` shows what would be built and run.",
    ]
    presets = project.matrix.presets.values()
    if presets:
        lines += ["", "Presets:", *(f"  {preset.name:<12}{preset.doc}" for preset in presets)]
    accepting = [f"with `{target.name}`: {target.accept}" for target in offered if target.accept]
    if accepting:
        lines += ["", "--accept writes the current figures:", *(f"  {line}" for line in accepting)]
    return "\n".join(lines)


def offered_targets(
    project: Project, targets: Sequence[Target], declared: Collection[str] | None = None
) -> list[Target]:
    """The targets that a project has. declared: as for `help_text`."""
    return [target for target in targets if _is_offered(target, project, declared)]


def offered_variables(
    project: Project, compilers: Mapping[str, object], targets: Sequence[Target]
) -> list[Variable]:
    """The variables that the command line accepts with these targets: the axes first."""
    return [*_axes(project, compilers), *COMMON, *variables_of(targets).values()]


def _is_offered(target: Target, project: Project, declared: Collection[str] | None) -> bool:
    if target.why_missing(project):
        return False
    return declared is None or target.kind is not Kind.GRAPH or target.name in declared


def _axes(project: Project, compilers: Mapping[str, object]) -> list[Variable]:
    """The axes with the values that this project has."""
    usual, axes = cells.select(project, available=compilers), project.matrix.axes
    own = [
        Variable(
            name=axis,
            doc=AXIS_DOCS[axis] if axis in AXIS_DOCS else axes.own[axis].doc,
            values=", ".join(project.variants if axis == "variant" else axes[axis]),
            default=",".join(dict.fromkeys(cell.value(axis) for cell in usual.cells)),
            choices=functools.partial(_choices, axis),
        )
        for axis in axes.names
    ]
    runs = [
        Variable(
            name=one.name,
            doc=f"{one.doc} (rebuilds nothing)",
            values=", ".join(one.values),
            default=one.usual,
            choices=functools.partial(_of_run, one.name),
        )
        for one in project.matrix.run.values()
    ]
    return [*own, *runs]


def _of_run(axis: str, project: Project) -> tuple[str, ...]:
    return (*project.matrix.run[axis].values, ALL)


def _choices(axis: str, project: Project) -> tuple[str, ...]:
    return (*(project.variants if axis == "variant" else project.matrix.axes[axis]), ALL)
