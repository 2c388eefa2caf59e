"""The build's steps in Python: what is done to make one generated or measured file.

Each step reads the files in `task.sources`, writes `task.targets`, and raises `StepError` when the file could
not be made as it should be. The build decides when a step is due. Modules with heavy imports are loaded by
the step that needs them, so that a build with nothing to do does not pay for them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build import toolchain
from layermatrix.core import interrupt, records
from layermatrix.core.errors import SpecErrors

if TYPE_CHECKING:
    from layermatrix.evidence import counters, guards, references
    from layermatrix.model.matrix import Cell
    from layermatrix.model.measuring import Suite
    from layermatrix.model.plan import Matrix
    from layermatrix.model.project import Project
    from layermatrix.model.variants import Variant

CELL_VARIABLE = "LAYERED_CELL"  # where test programs and scripts find the cell's folder
NO_SENTINEL = r"(?!)"  # matches nothing, where a system has no sentinels
PERF_PERMISSION = Path("/proc/sys/kernel/perf_event_paranoid")


class StepError(Exception):
    """Why a step failed; str() may be several lines. recorded: the step's own record tells it, too."""

    def __init__(self, what: str, *, recorded: bool = False) -> None:
        super().__init__(what)
        self.recorded = recorded


@dataclass(frozen=True)
class Task:
    """What one run of a step works on. Paths are absolute."""

    root: Path
    project: Project
    cell: Cell
    targets: tuple[Path, ...]
    sources: tuple[Path, ...]
    soak: int | None = None

    @property
    def variant(self) -> Variant:
        return self.cell.variant


Step = Callable[[Task], None]


def print_header(task: Task) -> None:
    """The variant's header, and which of its lines each layer has."""
    from layermatrix.emit import printer

    try:
        header = printer.print_header(task.variant, task.root / "templates")
    except SpecErrors as errors:
        raise StepError(str(errors)) from errors
    task.targets[0].write_text(header.text, encoding="utf-8")
    records.write(task.targets[1], {"header": task.targets[0].name, "layers": header.runs()})


def print_unity(task: Task) -> None:
    """The translation unit that includes the variant's modules in order."""
    from layermatrix.emit import printer

    _print(task, printer.render_unity)


def _print(task: Task, render: Callable[[Variant, Path], str]) -> None:
    try:
        text = render(task.variant, task.root / "templates")
    except SpecErrors as errors:
        raise StepError(str(errors)) from errors
    task.targets[0].write_text(text, encoding="utf-8")


def take_asm(task: Task) -> None:
    """Evidence `asm`. sources: the probe's object, its assembly text, which lines of the header each layer
    has, the shared library."""
    from layermatrix.evidence import asm

    object_file, assembly, lines, library = task.sources[:4]
    entries = task.variant.system.entries
    first = {name: task.variant.first_layer(entry.role) for name, entry in entries.items()}
    hits = {name: layer.name if layer else None for name, layer in first.items()}
    counting = asm.Counting(asm.read_origins(lines), hits, cache_line=task.project.matrix.counters.I1[2])
    records.write(task.targets[0], asm.measure(object_file, assembly, library, entries, counting))


def take_code(task: Task) -> None:
    """Evidence `code`. sources: the probe's text, the same from the preprocessor, the generated header."""
    from layermatrix.evidence import code

    probe, preprocessed, header = task.sources[:3]
    system = task.variant.system
    top = next(folder for folder in probe.parents if folder / (system.probe or "") == probe)
    record = code.measure(
        probe,
        preprocessed,
        [header.parent, top],
        header.name,
        system.entries,
        system.switches,
        [*system.modules, *system.sources, *system.interpose],
        task.project.catalogue.lines,
    )
    records.write(task.targets[0], record)


def judge_budget(task: Task) -> None:
    """Evidence `budget`. sources: the record `asm`. targets: the record, and a stamp that only a budget that
    is kept writes. A broken one is told with the layers, beside those of the nearest ancestor there is."""
    from layermatrix.emit import printer
    from layermatrix.evidence import budget

    record_file, stamp = task.targets
    catalogue = task.project.catalogue
    origins = {
        name: f"templates/{printer.template_of(layer, task.root / 'templates')}, {catalogue.places[name]}"
        for name, layer in catalogue.layers.items()
    }
    counted = records.load(task.sources[0], "asm")
    record = budget.judge(counted, task.cell.limits, _ancestor_asm(task), origins)
    records.write(record_file, record)
    if record.get("broken"):
        raise StepError(record["log"], recorded=True)
    stamp.write_text("", encoding="utf-8")


def _ancestor_asm(task: Task) -> tuple[str, records.Record] | None:
    """Cell and record of the nearest variant that this one extends, where that cell was counted."""
    for name in reversed(task.variant.lineage[:-1]):
        cell = replace(task.cell, variant=task.project.variants[name])
        record = records.load(task.root / cell.build_dir / "evidence" / "asm.json", "asm")
        if records.is_measured(record):
            return cell.id, record
    return None


def print_bare_header(task: Task) -> None:
    """The variant's header without any debug code."""
    from layermatrix.emit import printer

    _print(task, lambda variant, folder: printer.render_header(variant.without_debug(), folder))


def leave_out_debug(task: Task) -> None:
    """Copies of C files without what the system's debug macro guards; one target a source. To a compiler they
    are the files themselves: names and numbers of lines are the same."""
    from layermatrix.evidence.source import strip

    debug = task.variant.system.debug
    assert debug is not None
    for source, target in zip(task.sources, task.targets, strict=True):
        shown = source.relative_to(task.root).as_posix()
        try:
            text = strip.without(source.read_text(encoding="utf-8"), debug.macro, shown)
        except SpecErrors as errors:
            raise StepError(str(errors)) from errors
        target.write_text(f'#line 1 "{shown}"\n{text}', encoding="utf-8")


def prove_debug_absent(task: Task) -> None:
    """Evidence `guards` of a release. sources: see `_debug_code`. targets: as for `run_tests`."""
    from layermatrix.evidence import guards

    _close(task, guards.absent(_debug_code(task, bare=task.variant.system.debug is not None)))


def prove_debug_present(task: Task) -> None:
    """Evidence `guards` of a debug build, which shows that debug code would be found."""
    from layermatrix.evidence import guards

    _close(task, guards.present(_debug_code(task)))


def count_debug(task: Task) -> None:
    """Evidence `guards` of a cell that claims nothing of its debug code."""
    from layermatrix.evidence import guards

    why = "only release and debug cells without a sanitizer are checked"
    if task.variant.debug_output == "always":
        why = "debug_output: always, so debug code is part of the release"
    _close(task, guards.counted(_debug_code(task), why))


def _debug_code(task: Task, *, bare: bool = False) -> guards.Subject:
    """What the evidence `guards` is drawn from.

    sources: the shared library; its objects, in the cell's obj/; the same with line tables in bare/obj/ or
    traced/obj/ (else the objects themselves have some); preprocessed C files; the C files and headers.
    bare: the objects with line tables were printed and compiled without debug code.
    """
    from layermatrix.emit import linemap
    from layermatrix.evidence import guards
    from layermatrix.evidence.source.places import Places

    variant, templates = task.variant, task.root / "templates"
    library, *others = task.sources
    texts = [path for path in others if path.suffix not in (".o", ".i")]
    traced = variant.without_debug() if bare else variant
    header = next(path for path in texts if path.name == variant.system.header).read_text(encoding="utf-8")
    written = Places(variant.system.header, lambda: linemap.of_header(variant, templates, header))
    return guards.Subject(
        binary=library,
        objects=_compiled(task, others, texts),
        texts={path.relative_to(task.root).as_posix(): path.read_text(encoding="utf-8") for path in texts},
        written=written,
        traced=Places(variant.system.header, lambda: linemap.of_header(traced, templates)),
        sentinel=variant.system.sentinel or NO_SENTINEL,
        prints=variant.system.debug.prints if variant.system.debug else (),
        rules=variant.forbidden,
        preprocessed=tuple(path.read_text(errors="replace") for path in others if path.suffix == ".i"),
    )


def _compiled(task: Task, files: Sequence[Path], texts: Sequence[Path]) -> tuple[references.Compiled, ...]:
    """The cell's objects, each with its source and its twin that has line tables."""
    from layermatrix.evidence import references

    folder = task.targets[0].parents[1]
    own = [path for path in files if path.suffix == ".o" and path.is_relative_to(folder / "obj")]
    made = []
    for path in own:
        name = path.relative_to(folder / "obj")
        twins = [other for other in files if other.parts[-len(name.parts) - 1 :] == ("obj", *name.parts)]
        ends = f"/{name.with_suffix('').as_posix()}."
        source = next(text for text in texts if f"{text.with_suffix('').as_posix()}.".endswith(ends))
        shown = source.relative_to(task.root).as_posix()
        made.append(references.Compiled(shown, path, next((t for t in twins if t != path), path)))
    return tuple(made)


def _close(task: Task, record: records.Record) -> None:
    """Write the record of these checks whatever they found, and the stamp only when they found nothing."""
    record_file, stamp = task.targets
    records.write(record_file, record)
    if record["failures"]:
        raise StepError(record["log"], recorded=True)
    stamp.write_text("", encoding="utf-8")


def take_counters(task: Task) -> None:
    """Evidence `counters` of a library. sources: the shared library, the empty one, then the benchmarks."""
    _count(task, task.sources[0], task.sources[1:])


def take_baseline_counters(task: Task) -> None:
    """Evidence `counters` of the system's own functions. sources: the empty library, then the benchmarks."""
    _count(task, None, task.sources)


def _count(task: Task, preload: Path | None, others: tuple[Path, ...]) -> None:
    from layermatrix.evidence import counters
    from layermatrix.evidence.tools import cachegrind

    empty, *programs = others
    chosen = task.project.matrix.counters
    cache = cachegrind.CacheModel(I1=chosen.I1, D1=chosen.D1, LL=chosen.LL)
    loads = [_counted_load(task.project, name, programs) for name in chosen.loads]
    tools = counters.Tools(shutil.which("valgrind"), shutil.which("perf"))
    record = counters.measure(loads, preload, empty, cache, tools)
    _unless_interrupted()
    records.write(task.targets[0], record)


def layers_counted(matrix: Matrix) -> str:
    """What the evidence `layers` depends on besides the binaries: the loads, and the tool."""
    loads = [(load.name, load.program, load.counted) for load in matrix.loads.values()]
    return f"{loads}, valgrind {_state(shutil.which('valgrind'))}"


def counted(matrix: Matrix) -> str:
    """What the counters depend on besides the binaries: loads, simulated caches, C library, and tools."""
    chosen = matrix.counters
    loads = [(name, matrix.loads[name].program, matrix.loads[name].counted) for name in chosen.loads]
    tools = [_state(shutil.which(tool)) for tool in ("valgrind", "perf", "setarch", "taskset")]
    permitted = PERF_PERMISSION.read_text(encoding="ascii") if PERF_PERMISSION.is_file() else None
    return repr((loads, chosen.I1, chosen.D1, chosen.LL, toolchain.libc(), tools, permitted))


def _state(tool: str | None) -> int | None:
    """What changes when a tool is replaced."""
    return Path(tool).stat().st_mtime_ns if tool else None


def _counted_load(project: Project, name: str, programs: Sequence[Path]) -> counters.Load:
    from layermatrix.evidence import counters

    return counters.Load(name, _counted_command(project, name, programs))


def take_layers(task: Task) -> None:
    """Evidence `layers`. sources: the shared library whose layers count, the one that is shipped with line
    tables, which lines of its header each layer has, and the benchmark programs. targets: as for
    `run_tests`."""
    from layermatrix.evidence import layers

    counting, shipped, lines, *programs = task.sources
    stats = task.variant.system.stats
    assert stats is not None
    subject = layers.Subject(
        layers=[layer.name for layer in task.variant.layers],
        classes={key.name: key.number("size") for key in task.variant.keys},
        counting=counting,
        variable=stats.env,
        shipped=shipped,
        owner=_owners(lines),
    )
    loads = {name: _counted_command(task.project, name, programs) for name in task.project.matrix.loads}
    _judge(task, layers.measure(loads, subject, shutil.which("valgrind")))


def _owners(lines: Path) -> Callable[[str, int], str | None]:
    """Whose a line of C is: a layer's, the frame's, or, outside the generated header, nobody's."""
    from layermatrix.evidence import asm, layers
    from layermatrix.evidence.binary import dwarf

    origins = asm.read_origins(lines)

    def owner(file: str, line: int) -> str | None:
        if Path(file).name != origins.header:
            return None
        return origins.layer(dwarf.SourceLine(file, line)) or layers.FRAME

    return owner


def _counted_command(project: Project, name: str, programs: Sequence[Path]) -> tuple[str, ...]:
    """The command of a load when it is counted."""
    load = project.matrix.loads[name]
    program = next((path for path in programs if path.name == load.program), None)
    if program is None:
        raise StepError(f"load {name}: no benchmark program is called {load.program}")
    return (str(program), *load.counted)


def run_tests(task: Task) -> None:
    """Evidence `tests`. sources: the test programs and scripts, which find the cell's folder in the variable
    LAYERED_CELL. targets: the record, and a stamp that only a pass writes."""
    from layermatrix.evidence import programs

    tests = task.project.matrix.tests
    timeout = tests.timeout + (task.soak or 0)
    cell = task.targets[0].parent.parent  # build/<cell>/evidence/tests.json
    extra = {CELL_VARIABLE: str(cell)}
    told = _soaking(tests, task.soak)
    _judge(task, programs.run_tests(task.sources, timeout, extra=extra, told=told))


def _soaking(tests: Suite, seconds: int | None) -> Mapping[str, Sequence[str]]:
    """What each program is told where a soak of so many seconds is asked for."""
    if seconds is None:
        return {}
    return {
        name: [word.replace("{seconds}", str(seconds)) for word in words]
        for name, words in tests.soak.items()
    }


def run_program(task: Task) -> None:
    """One script's result for the evidence `programs`. sources: the shared library, the script, which finds
    the cell's folder in the variable LAYERED_CELL and the length of a soak in LAYERED_SOAK, and what the
    script prints without a library, unless it asks for the cell. targets: the record, and a stamp that only a
    pass writes. A failure does not end the build here, or the others' results would not be gathered:
    `gather_programs` tells it."""
    from layermatrix.evidence import programs

    library, script, *kept = task.sources
    record_file, stamp = task.targets
    cell = record_file.parents[2]  # build/<cell>/evidence/programs/<script>.json
    plain = records.load(kept[0], "plain") if kept else None
    extra = {CELL_VARIABLE: str(cell), **_of_soak(task)}
    record = programs.run_preloaded(script, library, _script_timeout(task), plain=plain, extra=extra)
    _unless_interrupted()
    records.write(record_file, record)
    if all(result["status"] == "passed" for result in record.get("programs", ())):
        stamp.write_text("", encoding="utf-8")


def run_plain(task: Task) -> None:
    """What a script prints without a library. sources: the script. targets: the record."""
    from layermatrix.evidence import programs

    record = programs.run_plain(task.sources[0], _script_timeout(task), extra=_of_soak(task))
    _unless_interrupted()
    records.write(task.targets[0], record)


def _script_timeout(task: Task) -> float:
    return task.project.matrix.programs.timeout + (task.soak or 0)


def _of_soak(task: Task) -> dict[str, str]:
    """What a script is told of a soak."""
    return {"LAYERED_SOAK": str(task.soak or "")}


def gather_programs(task: Task) -> None:
    """Evidence `programs`. sources: each script's record. targets: as for `run_tests`."""
    from layermatrix.evidence import programs

    _judge(task, programs.gathered([records.load(path, "programs") for path in task.sources]))


def _judge(task: Task, record: records.Record) -> None:
    """Write the record whatever it says, and the stamp only when nothing failed.

    A step whose stamp is missing is run again by the next build, so a failure is never taken for settled.
    """
    _unless_interrupted()
    record_file, stamp = task.targets
    records.write(record_file, record)
    results = record.get("programs", ())
    failed = [result["name"] for result in results if result["status"] == "failed"]
    if failed:
        raise StepError(f"{len(failed)} of {len(results)} failed: {', '.join(failed)}", recorded=True)
    stamp.write_text("", encoding="utf-8")


def leave_out_asm(task: Task) -> None:
    """Evidence `asm` of a sanitizer's cell."""
    records.write(task.targets[0], records.not_measured("asm", "a sanitizer's checks are part of the code"))


def leave_out_asm_of_stats(task: Task) -> None:
    """Evidence `asm` of a cell whose layers count."""
    records.write(task.targets[0], records.not_measured("asm", "the counting is part of the code"))


def leave_out_counters(task: Task) -> None:
    """Evidence `counters` of a cell whose code is not what is shipped."""
    why = "only release cells without a sanitizer are counted"
    records.write(task.targets[0], records.not_measured("counters", why))


def leave_out_programs(task: Task) -> None:
    """Evidence `programs` of a sanitizer's cell."""
    why = "a library with a sanitizer in it cannot be preloaded"
    records.write(task.targets[0], records.not_measured("programs", why))


def _unless_interrupted() -> None:
    """A program that Ctrl-C has ended says nothing about the library."""
    if interrupt.interrupted():
        raise StepError("interrupted", recorded=True)
