"""The SCons tool `layered`: a layer spec becomes libraries, tests and evidence, one build folder a cell.

Reads the spec through `layermatrix.model`, the command line through `layermatrix.request`, and the flags that
SConstruct gives for each mode and sanitizer. Declares nodes below build/<cell>/; those of the evidence are
left to `layermatrix.evidencegraph`, which has the builders from here. What the Python steps do stands in
`layermatrix.steps`. This is the only file that imports SCons, which has no types: hence `Any` here.

An environment of `env.LayeredCells()` has one method for each thing that a cell is made of; see `generate`.
"""

from __future__ import annotations

import functools
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import SCons.Errors
import SCons.Script
from SCons.Action import Action

from layermatrix.build import pkgconfig, request, shell, toolchain
from layermatrix.build.buildstate import BASELINE, BuildState
from layermatrix.core import interrupt, process
from layermatrix.core.errors import SelectionError, SpecErrors
from layermatrix.emit import printer
from layermatrix.emit.closure import Closures
from layermatrix.evidence import graph, steps
from layermatrix.jobs import job
from layermatrix.model import matrix
from layermatrix.model.project import Project
from layermatrix.model.variants import Variant
from layermatrix.spec import loader

Env = Any
Node = Any

LIBRARY = Path(__file__).resolve().parents[1]
# what printed text depends on besides templates
GENERATOR = ("emit/printer.py", "model/variants.py", "model/layers.py", "model/system.py")
DATABASE = "build/.sconsign"
CXX_SUFFIXES = (".cc", ".cpp", ".cxx")
ORIGINS = ".layers.json"  # behind the header's name: which of its lines each layer has


def exists(env: Env) -> bool:
    """SCons asks whether the tool can be used; it has no needs of its own."""
    return True


def generate(env: Env) -> None:
    """SCons calls this for `tools=["layered"]`."""
    env["ENV"] = dict(os.environ)  # the user's environment reaches compilers, launchers and caches
    env.PrependENVPath("PATH", str(Path(sys.executable).parent))
    for tool in ("cc", "cxx", "gnulink", "ar", "install"):
        env.Tool(tool)
    env["STATIC_AND_SHARED_OBJECTS_ARE_THE_SAME"] = True
    _options()
    for method in METHODS:
        env.AddMethod(method, "Layered" + method.__name__.title().replace("_", ""))


@functools.cache  # an option can be added once, however many environments have the tool
def _options() -> None:
    SCons.Script.AddOption("--accept", dest="accept", action="store_true", default=False)


# --- the project and the command line


def project(env: Env, sources: str, modes: Mapping[str, Any], sanitizers: Mapping[str, Any]) -> None:
    """Read the spec and the command line, both checked.

    The run ends here when something is wrong with them, and after what needs no graph: help, `list`,
    `explain`, and the jobs, which drive SCons themselves. modes, sanitizers: construction variables that are
    appended for each value.
    """
    root = Path(env.Dir("#").abspath)
    try:
        loaded = loader.load_project(root, sources)
        compilers = toolchain.find_compilers(loaded.matrix.axes["compiler"], root / toolchain.CACHE)
        if SCons.Script.GetOption("help"):
            _answer(request.help_text(loaded, compilers))
        accept = bool(SCons.Script.GetOption("accept"))
        asked = request.parse(SCons.Script.ARGLIST, SCons.Script.COMMAND_LINE_TARGETS, accept=accept)
        _run_jobs(root, loaded, asked, compilers)
        chosen = request.every_cell if asked.named("job") else request.select  # a job is left for -c and -n
        selection = chosen(loaded, asked, compilers)
    except (SpecErrors, SelectionError, request.RequestError) as error:
        _refuse(str(error))
    for name in asked.named("answer"):
        _answer(job.answer(name, root, loaded, selection))
    generator = [LIBRARY / name for name in GENERATOR]
    remembered = root / "build/.closures.json"
    closures = Closures(remembered, root / "templates", printer.template_closure, generator)
    flags = {"mode": modes, "sanitizer": sanitizers}
    env["LAYERED"] = BuildState(
        root, loaded, asked, compilers, selection, sources, flags, closures, shell.Shell(asked.verbose)
    )
    _settings(env)


def _refuse(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(2)


def _answer(text: str) -> NoReturn:
    print(text)
    sys.exit(0)


def _run_jobs(
    root: Path, loaded: Project, asked: request.Request, compilers: request.Compilers
) -> None:
    """Do the jobs that are asked for, and end the run. Cleaning and dry runs are left to the graph."""
    if not asked.jobs or _is_dry():
        return
    unknown = [word for word in SCons.Script.Main.OptionsParser.largs if word.startswith("-")]
    if unknown:  # SCons itself complains only once SConstruct has been read, which is too late here
        raise request.RequestError(f"no such option: {unknown[0]}")
    sys.exit(job.run(job.Plan(root, loaded, asked, compilers, _child())))


def _child() -> list[str]:
    """How a job starts SCons again: this one's interpreter, number of jobs, and script."""
    files = [f"--file={script}" for script in SCons.Script.GetOption("file") or ()]
    return [sys.executable, "-m", "SCons", "-Q", f"-j{_jobs()}", *files]


def _jobs() -> int:
    """-j, or as many as there are processors for us."""
    ours = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    SCons.Script.SetOption("num_jobs", ours)  # -j on the command line has precedence
    return int(SCons.Script.GetOption("num_jobs"))


def _settings(env: Env) -> None:
    """How SCons works in this run."""
    build: BuildState = env["LAYERED"]
    _jobs()
    SCons.Script.SetOption("no_progress", True)  # a line for each step says more
    (build.root / "build").mkdir(exist_ok=True)
    env.SConsignFile(DATABASE)
    env["PRINT_CMD_LINE_FUNC"] = build.shell.show
    for tool in ("CC", "CXX", "LINK", "SHLINK", "AR", "RANLIB"):
        env[f"{tool}COMSTR"] = tool.removeprefix("SH")
    env["INSTALLSTR"] = "INSTALL"
    if "compiledb" in build.asked.targets:
        env.Tool("compilation_db")
    interrupt.stop_programs_at_interrupt()


def _is_dry() -> bool:
    return any(SCons.Script.GetOption(option) for option in ("clean", "no_exec"))


# --- cells


def cells(env: Env) -> list[Env]:
    """An environment for each selected cell: its compiler, flags, include path, and where its files go."""
    build: BuildState = env["LAYERED"]
    return [_cell(env, cell, cell.build_dir) for cell in build.selection.cells]


def baseline(env: Env) -> Env:
    """An environment for the benchmark programs that run on the system's own functions. The floor, where the
    matrix has one, is made in it."""
    build: BuildState = env["LAYERED"]
    usual = matrix.Cell(build.selection.cells[0].variant, "release", build.usual_compiler)
    made = _cell(env, usual, BASELINE)
    timed = build.project.matrix.peers
    if timed and timed.floor:
        lone_library(made, timed.floor.source)
    return made


def _cell(env: Env, cell: matrix.Cell, folder: str) -> Env:
    build: BuildState = env["LAYERED"]
    compiler = build.compiler_of(cell)
    made = env.Clone(
        LAYERED_CELL=cell,
        **_settings_of(cell.variant),
        LAYERED_IDENTITY=env.Value(compiler.identity),
        BUILD_DIR=folder,
        CC=list(compiler.command),
        CXX=list(compiler.cxx),
        CPPPATH=[f"#{folder}/gen", f"#{build.sources}"],
        SPAWN=build.shell.spawner(build.root / folder),
    )
    if compiler.name == "zig":  # may be the only tool chain there is
        made.Replace(**{tool.upper(): [*compiler.command[:-1], tool] for tool in ("ar", "ranlib")})
    for axis in ("mode", "sanitizer"):
        made.Append(**build.flags[axis].get(getattr(cell, axis), {}))
    if cell.counts_layers:
        made["LAYERED_TWIN"] = _twin(env, made)
    if not _is_dry():
        shell.failure_file(build.root / folder).unlink(missing_ok=True)  # this build will tell again
    return made


def _settings_of(variant: Variant) -> dict[str, str | int]:
    """The variant's settings as construction variables: LAYERED_<NAME>, and LAYERED_<NAME>_NUMBER as C sees
    it."""
    values = {f"LAYERED_{name.upper()}": value for name, value in variant.settings.items()}
    return {**values, **{f"LAYERED_{name.upper()}_NUMBER": one for name, one in variant.numbers.items()}}


def _twin(env: Env, counting: Env) -> Env:
    """The environment of the library whose code the counts of a cell are about: the same variant in the mode
    that is shipped, with line tables."""
    cell = counting["LAYERED_CELL"]
    twin = _cell(env, cell.shipped, f"{cell.build_dir}/shipped")
    twin.Replace(SPAWN=counting["SPAWN"])
    twin.Append(CCFLAGS=list(toolchain.LINE_TABLES))
    return twin


# --- what a cell is made of


def header(env: Env) -> list[Node]:
    """The generated header, printed from the variant by the templates that it uses; and which of its lines
    each layer has."""
    name = env["LAYERED_CELL"].variant.system.header
    return printed(env, [name, f"{name}{ORIGINS}"], steps.print_header)


def libraries(env: Env) -> list[Node]:
    """The shared library and the static one, from the same objects, but for the files that only one has."""
    system = env["LAYERED_CELL"].variant.system
    objects = [_object(env, source) for source in _library_sources(env)]
    shared_only, static_only = (
        [_object(env, env.File(f"#{env['LAYERED'].sources}/{name}")) for name in names]
        for names in (system.shared_only, system.static_only)
    )
    path = f"#$BUILD_DIR/lib{system.library}"
    flags = ["$LINKFLAGS", "-shared", "-Wl,-soname,${TARGET.file}", "$SHARED_LINKFLAGS"]
    shared = env.SharedLibrary(f"{path}.so", [*objects, *shared_only], SHLINKFLAGS=flags)
    return [*shared, *env.StaticLibrary(f"{path}.a", [*objects, *static_only])]


def _library_sources(env: Env) -> list[Node]:
    """The C files of the library: the modules, apart or through the unit that includes them; the others."""
    cell, folder = env["LAYERED_CELL"], env["LAYERED"].sources
    system = cell.variant.system
    counting = system.stats.sources if cell.counts_layers else ()
    others = [*system.sources, *counting, *(() if cell.has_sanitizer else system.interpose)]
    apart = others if cell.variant.layout == "unity" else [*system.modules, *others]
    unit = printed(env, [system.unity], steps.print_unity) if cell.variant.layout == "unity" else []
    return [*unit, *(env.File(f"#{folder}/{name}") for name in apart)]


def benches(env: Env, pattern: str) -> list[Node]:
    """The benchmark programs, one for each C file of the pattern. They link no library: it is preloaded."""
    return [] if env["LAYERED_CELL"].has_sanitizer else _programs(env, [pattern])


def tests(env: Env, built: Sequence[Node], **variables: Any) -> list[Node]:
    """The test programs of the matrix file, linked as it says. `variables` are added.

    With a sanitizer, whose runtime is a library of its own kind, all are linked statically, and those that
    load the library themselves cannot be.
    """
    wanted = env["LAYERED"].project.matrix.tests
    shared, static = built
    env = env.Clone()
    env.Append(**variables)
    if env["LAYERED_CELL"].has_sanitizer:
        why = "not built with a sanitizer"
        others = [source for pattern in (*wanted.static, *wanted.alone) for source in env.Glob(f"#{pattern}")]
        return [
            *_programs(env, [*wanted.sources, *wanted.inside], LIBS=[static], LAYERED_NO_CXX=why),
            *(_stand_in(env, source, why) for source in others),
        ]
    return [
        *_programs(env, wanted.sources, LIBS=[shared], RPATH=[env.Literal("\\$$ORIGIN/..")]),
        *_programs(env, [*wanted.static, *wanted.inside], LIBS=[static]),
        *_programs(env, wanted.alone),
    ]


def fuzzers(env: Env, **variables: Any) -> list[Node]:
    """The libFuzzer programs of the matrix file, in a clang's asan cell; none elsewhere.

    `variables` are added for them and for the library, which is compiled once more: what an input reaches is
    counted in its code.
    """
    cell, wanted = env["LAYERED_CELL"], env["LAYERED"].project.matrix.fuzz
    if wanted is None or (cell.compiler, cell.sanitizer) != ("clang", "asan"):
        return []
    env = env.Clone(BUILD_DIR=f"{cell.build_dir}/fuzz")
    env.Append(**variables)
    only = [env.File(f"#{env['LAYERED'].sources}/{name}") for name in cell.variant.system.static_only]
    library = [_object(env, source) for source in (*_library_sources(env), *only)]
    sources = env.Glob(f"#{wanted.sources}")
    return [env.Program(_program_path(source), [_object(env, source), *library]) for source in sources]


def _programs(env: Env, patterns: Sequence[str], **variables: Any) -> list[Node]:
    """A program for each file of the patterns; where there is no C++ compiler, a stand-in for one in C++."""
    env = env.Clone(**variables)
    made = []
    for source in (source for pattern in patterns for source in env.Glob(f"#{pattern}")):
        why = _no_cxx(env) if source.get_suffix() in CXX_SUFFIXES else None
        if why:
            made += [_stand_in(env, source, why)]
        else:
            made += env.Program(_program_path(source), _object(env, source))
    return made


def _program_path(source: Node) -> str:
    return f"#$BUILD_DIR/bin/{Path(source.path).stem}"


def _no_cxx(env: Env) -> str | None:
    """Why this cell has no programs in C++."""
    build: BuildState = env["LAYERED"]
    return env.get("LAYERED_NO_CXX") or build.cxx_missing(env["LAYERED_CELL"])


def _stand_in(env: Env, source: Node, why: str) -> Node:
    """A program that says why the one of this source could not be made: it is "not run"."""
    text = env.Value(f"#!/bin/sh\necho {shlex.quote(why)}\nexit {process.CANNOT_RUN}\n")
    return env.Command(_program_path(source), text, Action(_write_script, "GENERATE"))[0]


def _write_script(target: Sequence[Node], source: Sequence[Node], env: Env) -> None:
    _write_text(target, source, env)
    Path(target[0].abspath).chmod(0o755)


def _write_text(target: Sequence[Node], source: Sequence[Node], env: Env) -> None:
    Path(target[0].abspath).write_text(source[0].get_text_contents(), encoding="utf-8")


def _object(env: Env, source: Node) -> list[Node]:
    """One compiled file, fit for both kinds of library."""
    path = Path(source.path)
    for folder in (Path(env["BUILD_DIR"], "gen"), Path(env["LAYERED"].sources)):
        if path.is_relative_to(folder):
            path = path.relative_to(folder)
    return compiled(env, f"#$BUILD_DIR/obj/{path.with_suffix('.o')}", source)


# --- builders, for the above and for `layermatrix.evidencegraph`


def compiled(env: Env, target: str, source: Node, **variables: Any) -> list[Node]:
    """An object of one file."""
    return _identified(env, env.StaticObject(target, source, **variables))


def compiler_text(env: Env, target: str, source: Node, flags: str, word: str, **variables: Any) -> list[Node]:
    """What a compiler prints with these flags in place of -c: assembly, or what the preprocessor leaves."""
    command = Action(f"$CC {flags} -o $TARGET $CFLAGS $CCFLAGS $_CCCOMCOM $SOURCES", word)
    return _identified(env, env.Command(target, source, command, **variables))


def _identified(env: Env, made: list[Node]) -> list[Node]:
    """What a compiler made depends on which one it was; SCons knows only the word that calls it."""
    env.Depends(made, env["LAYERED_IDENTITY"])
    return made


def lone_library(env: Env, source: str) -> list[Node]:
    """A library of one file, to be preloaded into the benchmark programs."""
    file = env.File(f"#{source}")
    target = f"#$BUILD_DIR/bin/{Path(source).stem}.so"
    flags = ["$LINKFLAGS", "-shared"]
    return list(env.SharedLibrary(target, _object(env, file), SHLIBPREFIX="", SHLINKFLAGS=flags))


def printed(
    env: Env, names: Sequence[str], how: steps.Step, *modules: str, folder: str = "gen"
) -> list[Node]:
    """Generated files. They depend on the resolved variant, the templates that it uses, and the generator."""
    variant = env["LAYERED_CELL"].variant
    targets, source = [f"#$BUILD_DIR/{folder}/{name}" for name in names], env.Value(variant.as_value())
    made = step(env, "GENERATE", targets, [source], how, [*GENERATOR, *modules])
    env.Depends(made, templates(env))
    return made


def templates(env: Env) -> list[Node]:
    """The templates that the cell's variant is printed from; found once, for all that is printed."""
    if "LAYERED_TEMPLATES" not in env:
        try:
            names = env["LAYERED"].closures.of(env["LAYERED_CELL"].variant)
        except SpecErrors as errors:
            _refuse(str(errors))
        env["LAYERED_TEMPLATES"] = [env.File(f"#templates/{template}") for template in names]
    found: list[Node] = env["LAYERED_TEMPLATES"]
    return found


def step(
    env: Env,
    word: str,
    targets: Sequence[str],
    sources: Sequence[Node],
    how: steps.Step,
    modules: Iterable[str],
) -> list[Node]:
    """Files that a Python step makes. SCons knows the step's own code; what it calls is declared here.
    modules: files of the library, by their paths in it."""

    def run(target: Sequence[Node], source: Sequence[Node], env: Env) -> None:
        _run_step(how, target, source, env)

    made = env.Command(targets, sources, Action(run, word))
    env.Depends(made, [env.File(str(LIBRARY / name)) for name in ("evidence/steps.py", *modules)])
    return list(made)


def _run_step(how: steps.Step, target: Sequence[Node], source: Sequence[Node], env: Env) -> None:
    """Run a step. Its failure is the build's, and the cell's unless the step's own record tells it."""
    build: BuildState = env["LAYERED"]
    cell = env["LAYERED_CELL"]
    task = steps.Task(build.root, build.project, cell, _paths(target), _paths(source), build.asked.soak)
    try:
        how(task)
    except steps.StepError as error:
        if not error.recorded:
            shell.note_failure(build.root / env["BUILD_DIR"], how.__name__, str(error), str(target[0]))
        raise SCons.Errors.BuildError(target[0], str(error)) from None


def _paths(nodes: Sequence[Node]) -> tuple[Path, ...]:
    """The files among these nodes; a source can be a value, too."""
    return tuple(Path(node.abspath) for node in nodes if hasattr(node, "abspath"))


# --- for the whole project


def compiledb(env: Env, path: str) -> None:
    """The alias `compiledb`: how each file of the first selected cell is compiled, for editors."""
    if "compiledb" not in env["LAYERED"].asked.targets:  # the tool costs time, and notes every object
        return
    folder = env["LAYERED"].selection.cells[0].build_dir
    env["COMPILATIONDB_PATH_FILTER"] = f"{folder}/*"
    env["COMPILATIONDB_COMSTR"] = "COMPILEDB"
    env.Alias("compiledb", [*env.CompilationDatabase(path), "headers"])


def install(env: Env, built: Sequence[Node], headers: Sequence[str], private: Sequence[str] = ()) -> None:
    """The alias `install`: the libraries of a cell, the headers that programs include, and what pkg-config
    says of them. private: flags that programs need which are linked statically."""
    build: BuildState = env["LAYERED"]
    prefix = str(Path(build.asked.prefix).absolute())
    system = build.project.catalogue.system
    place = (build.asked.destdir + prefix).replace("$", "$$")
    text = env.Value(pkgconfig.render(system, prefix, private))
    pc_file = f"{place}/lib/pkgconfig/{system.library}.pc"
    described = env.Command(pc_file, text, Action(_write_text, "INSTALL"))
    wanted = [*env.Install(f"{place}/lib", built), *env.Install(f"{place}/include", headers), *described]
    env.Alias("install", wanted)


def lint(env: Env, commands: Sequence[str]) -> None:
    """The alias `lint`: each command is run, and all have to succeed."""
    env.AlwaysBuild(env.Alias("lint", [], Action(lambda target, source, env: _lint(env, commands), "LINT")))


def _lint(env: Env, commands: Sequence[str]) -> int:
    bad = [line for line in commands if subprocess.run(line, shell=True, env=env["ENV"]).returncode]
    for line in bad:
        print(f"failed: {line}", file=sys.stderr)
    return len(bad)


def jobs(env: Env) -> None:
    """The jobs as targets, for `-c`: it removes the report, and every cell, whichever are selected."""
    folder = env["LAYERED"].root / "build"
    folders = [str(path) for path in folder.iterdir() if path.is_dir()]
    for target in request.TARGETS:
        if target.kind == "job":
            env.Clean(env.Alias(target.name), folders if target.name != "report" else f"{folder}/report")
    env.Default("phases")


METHODS: tuple[Callable[..., Any], ...] = (
    project, cells, baseline, header, libraries, benches, tests, fuzzers, *graph.METHODS,
    compiled, compiler_text, lone_library, printed, templates, step,
    compiledb, install, lint, jobs,
)  # fmt: skip
