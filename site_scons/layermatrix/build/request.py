"""What a command line asks for: variables, targets, and the text of `-h`.

Reads the `name=value` pairs and target names that SCons has split off. Returns a checked `Request`, or raises
`RequestError`, one line with a suggestion. `select` asks `matrix` for the cells that are meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields

from layermatrix.build import toolchain
from layermatrix.core.errors import hint_for, quote
from layermatrix.model import ablation, matrix
from layermatrix.model.layers import ALL
from layermatrix.model.project import Project

Compilers = Mapping[str, toolchain.Toolchain | toolchain.Missing]
Selection = matrix.Selection
AXES = tuple(axis.name for axis in fields(matrix.Cell))


class RequestError(Exception):
    """The command line asks for something that there is not; str() is one line."""


AXIS_DOCS = {
    "variant": "the variants, each a file in variants/",
    "mode": "how the code is compiled",
    "compiler": "the C compiler",
    "sanitizer": "what watches the code while it is tested",
    "target": "the machine that is compiled for",
}


@dataclass(frozen=True)
class Variable:
    """One `name=value`, as `-h` shows it."""

    name: str
    doc: str
    values: str
    default: str


@dataclass(frozen=True)
class Target:
    """One name that can be built. A `job` drives builds of its own; a `table` is built as it is, and then
    shown; an `answer` prints and builds nothing."""

    name: str
    doc: str
    kind: str = "graph"


TARGETS = (
    Target("phases", "build, check and time the default variants; the phase table and the report", "job"),
    Target(
        "matrix", "build, check and time every cell of the matrix; a line for each, and the report", "job"
    ),
    Target("bench", "time the selected cells anew; the phase table and the report", "job"),
    Target(
        "ab", "the experiments of variants/experiments.yaml: the sides timed in turn, and a verdict", "job"
    ),
    Target(
        "ablate", "the selected variants, each without each of its layers in turn; timed with rounds=", "job"
    ),
    Target("peers", "time variants beside other libraries of their kind, in turn; a table", "job"),
    Target("counters", "what an operation costs, beside variants/counters.lock; fails where it grew", "job"),
    Target(
        "story", "build/report/story.md from what was measured; --accept copies it to docs/story.md", "job"
    ),
    Target("pages", "docs/ beside what tests say now; fails where a page differs, --accept writes it", "job"),
    Target("report", "write the report from the results that are there", "job"),
    Target("test", "C suite and real programs in every variant of the matrix; then the Python tests", "job"),
    Target("fuzz", "search for inputs that break the selected variants; with clang only", "job"),
    Target("libs", "the libraries, shared and static"),
    Target("headers", "the generated headers"),
    Target("benches", "the benchmark programs"),
    Target(
        "evidence",
        "what the binaries prove: code beside its budget, guards, counters, tests, programs; the tables",
        "table",
    ),
    Target("figures", "the part of the evidence that counts: asm, guards, counters; no test is run"),
    Target("layers", "what each layer does in each load, counted in mode=stats, and what it costs", "table"),
    Target("checks", "libs and evidence"),
    Target("compiledb", "compile_commands.json of the first selected cell, for editors"),
    Target("install", "libraries, headers and pkg-config file of the last selected cell, to $DESTDIR$PREFIX"),
    Target("lint", "the linters of Python and C"),
    Target("list", "the variants, and the cells that are selected or left out", "answer"),
    Target("explain", "how each selected variant is put together", "answer"),
)

FUZZ_SECONDS = 60

OWN_VARIABLES = (
    Variable("PREFIX", "where `install` installs to", "a folder", "/usr/local"),
    Variable("DESTDIR", "put in front of PREFIX, for packagers", "a folder", ""),
    Variable(
        "soak", "how long the soak tests run; real programs take more time", "seconds", "the programs' own"
    ),
    Variable("seconds", "how long `fuzz` searches in each cell", "seconds", str(FUZZ_SECONDS)),
    Variable("without", "the selected variants, and each without each of these layers", "layers, all", ""),
    Variable("experiment", "which experiments `ab` makes", "names in variants/experiments.yaml", "all"),
    Variable("rounds", "how often each load is timed", "a count", "variants/matrix.yaml's"),
    Variable("verbose", "show every command in full", "0, 1", "0"),
)

_VARIABLE_NAMES = AXES + tuple(variable.name for variable in OWN_VARIABLES)


@dataclass(frozen=True)
class Request:
    """A checked command line. `axes` holds only what was given; None is "not given" elsewhere too."""

    targets: tuple[str, ...]
    axes: Mapping[str, str] = field(default_factory=dict)
    prefix: str = "/usr/local"
    destdir: str = ""
    soak: int | None = None
    seconds: int = FUZZ_SECONDS
    rounds: int | None = None
    without: tuple[str, ...] = ()
    experiment: str = "all"
    verbose: bool = False
    accept: bool = False

    def named(self, kind: str) -> tuple[str, ...]:
        """The targets of one kind, in the order in which they were asked for."""
        kinds = {target.name: target.kind for target in TARGETS}
        return tuple(name for name in self.targets if kinds.get(name) == kind)

    @property
    def jobs(self) -> tuple[str, ...]:
        """The targets that drive a build of their own."""
        return self.named("job") + self.named("table")

    def cell_names(self) -> set[str]:
        """The cells of the files that are asked for: build/<cell>/..."""
        paths = [target.removeprefix("./").split("/") for target in self.targets]
        return {path[1] for path in paths if path[0] == "build" and len(path) > 2} - {"baseline", "report"}

    def arguments(self) -> list[str]:
        """The variables that a child build has to be given besides its axes."""
        given = [f"verbose={int(self.verbose)}"] if self.verbose else []
        given += [f"without={','.join(self.without)}"] if self.without else []
        return given + ([f"soak={self.soak}"] if self.soak is not None else [])


def parse(
    arguments: Iterable[tuple[str, str]],
    targets: Sequence[str],
    default: str = "phases",
    *,
    accept: bool = False,
) -> Request:
    """Check names and plain values. A target with a slash or a dot is a file's path, which the build
    knows."""
    given: dict[str, str] = {}
    for name, value in arguments:
        _known("variable", name, _VARIABLE_NAMES)
        given[name] = value
    for target in targets:
        if not set(target) & set("/."):
            _known("target", target, [known.name for known in TARGETS])
    request = Request(
        targets=tuple(targets) or (default,),
        axes={name: given[name] for name in AXES if name in given},
        prefix=given.get("PREFIX", "/usr/local"),
        destdir=given.get("DESTDIR", ""),
        soak=_number("soak", given.get("soak"), 1, 86400),
        seconds=_number("seconds", given.get("seconds"), 1, 86400) or FUZZ_SECONDS,
        rounds=_number("rounds", given.get("rounds"), 1, 1000),
        without=_words(given.get("without", "")),
        experiment=given.get("experiment", "all"),
        verbose=bool(_number("verbose", given.get("verbose", "0"), 0, 1)),
        accept=accept,
    )
    if accept and not {"counters", "story", "pages"} & set(request.targets):
        raise RequestError("--accept is for the targets 'counters', 'story' and 'pages'")
    if request.without and "counters" in request.targets:
        raise RequestError("'counters' compares variants that have a file: leave without= out")
    _separate(request)
    return request


def _known(what: str, name: str, names: Sequence[str]) -> None:
    if name not in names:
        hint = hint_for(name, names)
        raise RequestError(f"unknown {what} {quote(name)}; {hint or 'scons -h shows them all'}")


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _number(name: str, text: str | None, low: int, high: int) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        raise RequestError(f"{name}={text}: expected a whole number from {low} to {high}")
    return int(text)


def _separate(request: Request) -> None:
    """A job drives child builds; what else is wanted is asked for apart, so that no file is built twice at
    once."""
    alone = request.jobs + request.named("answer")
    others = [name for name in request.targets if name not in alone]
    if alone and others:
        raise RequestError(f"{alone[0]!r} and {others[0]!r} do not go together; run one after the other")


def select(
    project: Project, asked: Request, compilers: Compilers, whole: Mapping[str, str] | None = None
) -> Selection:
    """The cells that are asked for. `whole`: what an axis means that is not given, instead of its default.

    Raises RequestError when none is left, and matrix's SelectionError for a value that there is not.
    """
    named = asked.cell_names()
    if "layers" in asked.targets:
        whole = {**(whole or {}), "mode": _counting_mode(project, asked)}
    if named and not asked.axes:  # build/<cell>/... says which cell is meant
        whole = dict.fromkeys(AXES, "all")
    chosen = matrix.select(project, available=compilers, **{**(whole or {}), **asked.axes})
    cells, left_out = [], list(chosen.left_out)
    for cell in chosen.cells:
        if named and cell.id not in named:
            continue
        reason = _unable(cell, compilers)
        if reason:
            left_out.append((cell.id, reason))
        else:
            cells.append(cell)
    _check_layers(project, asked)
    cells, impossible = ablation.expand(cells, asked.without)
    left_out += impossible
    if not cells:
        reasons = (
            {reason for _, reason in left_out} if not named else {f"there is no {name}" for name in named}
        )
        raise RequestError("no cell is left: " + "; ".join(sorted(reasons)))
    return matrix.Selection(tuple(cells), tuple(left_out))


def _counting_mode(project: Project, asked: Request) -> str:
    """The mode in which layers count; RequestError where there is none, or another one is asked for."""
    stats = project.catalogue.system.stats
    if stats is None:
        raise RequestError("this project has no mode in which layers count: its 'system' has no 'stats'")
    if asked.axes.get("mode", stats.mode) != stats.mode:
        raise RequestError(f"layers are counted in mode={stats.mode}, not in mode={asked.axes['mode']}")
    return stats.mode


def _check_layers(project: Project, asked: Request) -> None:
    """What `without=` names are layers."""
    for name in asked.without:
        if name not in (*project.catalogue.layers, ALL):
            hint = hint_for(name, project.catalogue.layers)
            raise RequestError(f"without=: unknown layer {quote(name)}" + (f"; {hint}" if hint else ""))


def _unable(cell: matrix.Cell, compilers: Compilers) -> str | None:
    """Why this machine cannot build the cell, where only a try can tell."""
    compiler = compilers[cell.compiler]
    assert isinstance(compiler, toolchain.Toolchain)
    return toolchain.sanitizer_missing(compiler, cell.sanitizer)


def counted(chosen: Selection) -> Selection:
    """Those of the chosen cells whose operations are counted, and that another call can ask for."""
    cells = tuple(cell for cell in chosen.cells if cell.is_counted)
    if not cells:
        raise RequestError("no cell is left: only native release cells without a sanitizer are counted")
    return matrix.Selection(cells, chosen.left_out)


def every_cell(project: Project, asked: Request, compilers: Compilers) -> Selection:
    """The cells of the whole matrix, less what the given axes leave out."""
    whole = dict.fromkeys(AXES, "all")
    return select(project, asked, compilers, {**whole, **shipped(project)})


def shipped(project: Project) -> dict[str, str]:
    """What whoever asks for nothing in particular wants checked: the variants that the matrix names, in all
    modes but the one in which layers count."""
    stats = project.catalogue.system.stats
    modes = [mode for mode in project.matrix.axes["mode"] if not stats or mode != stats.mode]
    return {"variant": ",".join(project.matrix.axes["variant"]), "mode": ",".join(modes) or ALL}


def help_text(project: Project, compilers: Compilers, default: str = "phases") -> str:
    """The text of `-h`: every variable with its values and default, and every target."""
    lines = ["usage: scons [variable=value ...] [target ...]", "", "Variables:"]
    for variable in (*_axes(project, compilers), *OWN_VARIABLES):
        lines.append(f"  {variable.name + '=':<12}{variable.doc}")
        lines.append(f"  {'':<12}values: {variable.values}; default: {variable.default or 'empty'}")
    lines += ["", f"Targets (default: {default}):"]
    lines += [f"  {target.name:<12}{target.doc}" for target in TARGETS]
    lines += [
        "",
        "Each axis takes names, comma lists, patterns such as phase*, and `all`.",
        "A file that is built can be named too: build/<cell>/lib<name>.so. `-c` removes what a target built.",
        "",
        "--accept, with `counters`: what an operation costs now is written to variants/counters.lock;",
        "with `story`: it is copied to docs/story.md; with `pages`: what tests say is written to docs/.",
        "scons -H shows the options of SCons itself.",
    ]
    return "\n".join(lines)


def _axes(project: Project, compilers: Compilers) -> list[Variable]:
    """The axes with the values that this project has."""
    usual = matrix.select(project, available=compilers)
    return [
        Variable(
            axis,
            AXIS_DOCS[axis],
            ", ".join(project.variants if axis == "variant" else project.matrix.axes[axis]),
            ",".join(dict.fromkeys(_value(cell, axis) for cell in usual.cells)),
        )
        for axis in AXES
    ]


def _value(cell: matrix.Cell, axis: str) -> str:
    return cell.variant.name if axis == "variant" else str(getattr(cell, axis))
