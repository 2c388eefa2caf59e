"""The files of evidence of a cell: of what each is made, by which step, and on what else it depends.

Every function declares some of them through the cell's environment, which the SCons tool hands over with its
builders as methods. Nothing of SCons is imported here; it has no types, hence `Any`. What the steps do stands
in `layermatrix.steps`. Which modules a step calls is said here, since SCons does not see it: when one of them
changes, the evidence is established anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layermatrix.build.buildstate import BASELINE
from layermatrix.build.toolchain import LINE_TABLES
from layermatrix.evidence import steps

if TYPE_CHECKING:
    from layermatrix.build.buildstate import BuildState

Env = Any
Node = Any

# what establishes it: modules of layermatrix/evidence/
GUARD_MODULES = (
    "guards.py", "references.py", "source/statements.py", "source/places.py", "source/csource.py",
    "binary/object_diff.py", "binary/dwarf.py", "binary/elf.py", "binary/machine.py",
)  # fmt: skip
ASM_MODULES = ("asm.py", "binary/dwarf.py", "binary/elf.py", "binary/hit_path.py", "binary/machine.py")
COUNTER_MODULES = ("counters.py", "tools/cachegrind.py", "tools/hardware.py", "binary/elf.py")
LAYER_MODULES = ("layers.py", "tools/linecost.py", "asm.py")


def asm_evidence(env: Env, built: Sequence[Node]) -> list[Node]:
    """The entries of the fast path, counted in a probe that inlines them; and the library's size."""
    if env["LAYERED_CELL"].has_sanitizer:
        return _evidence(env, ["asm.json"], [], steps.leave_out_asm)
    if env["LAYERED_CELL"].counts_layers:
        return _evidence(env, ["asm.json"], [], steps.leave_out_asm_of_stats)
    system = env["LAYERED_CELL"].variant.system
    source = f"#{env['LAYERED'].sources}/{system.probe}"
    path = f"#$BUILD_DIR/probe/{Path(system.probe).stem}"
    flags = [flag for flag in env.Flatten([env["CCFLAGS"]]) if flag != "-g"]  # debugging tables are no code
    made = env.LayeredCompiled(f"{path}.o", source, CCFLAGS=[*flags, *LINE_TABLES])
    text = env.LayeredCompilerText(f"{path}.s", source, "-S -w", "ASM", CCFLAGS=flags)  # CC has warned
    _, origins = env.LayeredHeader()
    sources = [*made, *text, origins, built[0]]
    taken = _evidence(env, ["asm.json"], sources, steps.take_asm, *ASM_MODULES)
    hits = {name: entry.role for name, entry in system.entries.items()}
    counted = f"{system.entries}, {hits}, cache line {env['LAYERED'].project.matrix.counters.I1[2]}"
    env.Depends(taken, env.Value(counted))
    return taken


def code_evidence(env: Env) -> list[Node]:
    """What a reader counts in the text of the fast path: conditional code, runtime checks, lines."""
    cell, top = env["LAYERED_CELL"], env["LAYERED"].sources
    system, lines = cell.variant.system, env["LAYERED"].project.catalogue.lines
    path = f"#$BUILD_DIR/probe/{Path(system.probe).stem}.i"
    text = env.LayeredCompilerText(path, f"#{top}/{system.probe}", "-E -P -w", "PREPROCESS")
    sources = [f"#{top}/{system.probe}", *text, f"#$BUILD_DIR/gen/{system.header}"]
    made = _evidence(env, ["code.json"], sources, steps.take_code, "code.py")
    counted = dict.fromkeys([*system.modules, *system.sources, *system.interpose, *lines])
    env.Depends(made, [env.File(f"#{top}/{name}") for name in counted])
    env.Depends(made, env.Value(f"{system.switches}, {lines}"))
    return made


def budget_evidence(env: Env, taken: Sequence[Node]) -> list[Node]:
    """The counts, held against the variant's budget. As for the tests, a broken one is judged again."""
    build: BuildState = env["LAYERED"]
    cell = env["LAYERED_CELL"]
    names = ["budget.json", "budget.passed"]
    made = _evidence(env, names, taken, steps.judge_budget, "budget.py")
    env.Depends(made, env.Value(str(cell.limits)))
    for other in build.selection.cells:
        if other.variant.name in cell.variant.lineage[:-1] and replace(other, variant=cell.variant) == cell:
            env.Requires(made, env.File(f"#{other.build_dir}/evidence/asm.json"))  # for the comparison
    return made


def guard_evidence(env: Env, built: Sequence[Node]) -> list[Node]:
    """Whether debug code is absent from a release, and found in a debug build."""
    cell = env["LAYERED_CELL"]
    objects = list(dict.fromkeys(one for library in built for one in library.sources))
    system, texts = cell.variant.system, _texts(env, objects)
    if cell.mode == "debug":
        step, more = steps.prove_debug_present, [_preprocessed(env, one) for one in objects]
    elif cell.mode != "release" or cell.has_sanitizer:
        step, more = steps.count_debug, []
    elif cell.variant.debug_output == "always":
        step, more = steps.count_debug, _traced(env, "traced", objects, {})
    elif system.debug is None:
        step, more = steps.prove_debug_absent, _traced(env, "traced", objects, {})
    else:
        step, more = steps.prove_debug_absent, _traced(env, "bare", objects, _bare(env, texts))
    sources = [built[0], *objects, *more, *texts]
    names, others = ["guards.json", "guards.passed"], ("emit/linemap.py",)
    made = _evidence(env, names, sources, step, *GUARD_MODULES, others=others)
    rules = env.Value(f"{system.debug}, {cell.variant.forbidden}")
    env.Depends(made, [rules, *env.LayeredTemplates()])
    return made


def _texts(env: Env, objects: Sequence[Node]) -> list[Node]:
    """The C files of the library, and every header that they may include."""
    folder, modules = env["LAYERED"].sources, env["LAYERED_CELL"].variant.system.modules
    compiled = [*(one.sources[0] for one in objects), *(env.File(f"#{folder}/{name}") for name in modules)]
    folders = dict.fromkeys([folder, *(str(Path(one.path).parent) for one in compiled)])
    headers = [file for name in folders for file in env.Glob(f"#{name}/*.h")]
    return [*dict.fromkeys([*compiled, *headers, env.LayeredHeader()[0]])]


def _bare(env: Env, texts: Sequence[Node]) -> dict[str, Node]:
    """Each of these files without debug code: its path -> the copy."""
    build: BuildState = env["LAYERED"]
    system, gen = env["LAYERED_CELL"].variant.system, Path(env["BUILD_DIR"], "gen")
    printed = {system.header: steps.print_bare_header, system.unity: steps.print_unity}
    made, plain = {}, []
    for text in texts:
        path = Path(text.path)
        if path.is_relative_to(gen):
            made[text.path] = env.LayeredPrinted([path.name], printed[path.name], folder="bare/gen")[0]
        else:
            plain.append(text)
    targets = [f"#$BUILD_DIR/bare/src/{Path(text.path).relative_to(build.sources)}" for text in plain]
    needed = ["evidence/source/strip.py", "evidence/source/csource.py"]
    copies = env.LayeredStep("LEAVE", targets, plain, steps.leave_out_debug, needed)
    env.Depends(copies, env.Value(str(system.debug)))
    return made | {text.path: copy for text, copy in zip(plain, copies, strict=True)}


def _traced(env: Env, folder: str, objects: Sequence[Node], copies: Mapping[str, Node]) -> list[Node]:
    """The library's objects once more, with tables of lines; from these copies, where there are any."""
    own = {f"{env['BUILD_DIR']}/gen": "gen", env["LAYERED"].sources: "src"}
    moved = [f"#$BUILD_DIR/{folder}/{own[name.lstrip('#')]}" for name in env["CPPPATH"][: len(own)]]
    path = [*moved, *env["CPPPATH"][len(own) :]] if copies else env["CPPPATH"]
    made = []
    for one in objects:
        source = one.sources[0]
        name = Path(one.path).relative_to(Path(env["BUILD_DIR"], "obj"))
        target = f"#$BUILD_DIR/{folder}/obj/{name}"
        source = copies.get(source.path, source)
        flags = [*env["CCFLAGS"], *LINE_TABLES]
        made += env.LayeredCompiled(target, source, CPPPATH=path, CCFLAGS=flags)
    return made


def _preprocessed(env: Env, compiled: Node) -> Node:
    """An object's C file with its conditionals decided."""
    name = Path(compiled.path).relative_to(Path(env["BUILD_DIR"], "obj")).with_suffix(".i")
    (made,) = env.LayeredCompilerText(f"#$BUILD_DIR/cpp/{name}", compiled.sources[0], "-E", "CPP")
    env.Depends(made, env.LayeredHeader())  # said outright: a header that is being printed was not waited for
    return made


def counter_evidence(env: Env, built: Sequence[Node], programs: Sequence[Node], empty: str) -> list[Node]:
    """What an operation costs, in release cells whose code is the library's own. empty: the C file of a
    library that stands in for it and does next to nothing."""
    if not env["LAYERED_CELL"].is_counted:
        return _evidence(env, ["counters.json"], [], steps.leave_out_counters)
    return _counted(env, [built[0], *env.LayeredLoneLibrary(empty), *programs], steps.take_counters)


def baseline_counters(env: Env, programs: Sequence[Node], empty: str) -> list[Node]:
    """The same of the system's own functions."""
    return _counted(env, [*env.LayeredLoneLibrary(empty), *programs], steps.take_baseline_counters)


def _counted(env: Env, sources: Sequence[Node], step: steps.Step) -> list[Node]:
    made = _evidence(env, ["counters.json"], sources, step, *COUNTER_MODULES)
    env.Depends(made, env.Value(steps.counted(env["LAYERED"].project.matrix)))
    return made


def layer_evidence(env: Env, built: Sequence[Node], programs: Sequence[Node]) -> list[Node]:
    """What each layer does in the loads, in cells whose layers count. A failure is tried again."""
    if not env["LAYERED_CELL"].counts_layers:
        return []
    twin = env["LAYERED_TWIN"]
    _, origins = twin.LayeredHeader()
    sources = [built[0], twin.LayeredLibraries()[0], origins, *programs]
    names = ["layers.json", "layers.passed"]
    made = _evidence(env, names, sources, steps.take_layers, *LAYER_MODULES)
    env.Depends(made, env.Value(steps.layers_counted(env["LAYERED"].project.matrix)))
    env.Alias("layers", made)
    return made


def suite_evidence(env: Env, built: Sequence[Node], programs: Sequence[Node]) -> list[Node]:
    """The test programs and scripts, run. A failure is recorded, fails the build, and is tried again by the
    next one."""
    build: BuildState = env["LAYERED"]
    suite = build.project.matrix.tests
    scripts = [script for pattern in suite.scripts for script in env.Glob(f"#{pattern}")]
    sources = [*programs, *scripts]
    made = _evidence(env, ["tests.json", "tests.passed"], sources, steps.run_tests, "programs.py")
    beside = [env.Glob(f"#{folder}/*.py") for folder in sorted({str(script.dir) for script in scripts})]
    env.Depends(made, [*built, *beside, env.Value(f"{suite}, soak {build.asked.soak}")])
    return made


def program_evidence(env: Env, built: Sequence[Node]) -> list[Node]:
    """Real programs, with the library preloaded and without: each script's result, and all gathered. As for
    the tests, a failure is tried again."""
    if env["LAYERED_CELL"].has_sanitizer:
        return _evidence(env, ["programs.json"], [], steps.leave_out_programs)
    scripts = env.Glob(f"#{env['LAYERED'].project.matrix.programs.scripts}")
    results = [_program_result(env, built[0], script) for script in scripts]
    return _evidence(env, ["programs.json", "programs.passed"], results, steps.gather_programs, "programs.py")


def _program_result(env: Env, library: Node, script: Node) -> Node:
    """One script's result. It depends on the files beside the script, in data/, that the script names. What
    did not pass, because it failed or could not run here, is tried again by the next build."""
    build: BuildState = env["LAYERED"]
    name = f"programs/{Path(script.path).stem}"
    targets = [f"{name}.json", f"{name}.passed"]
    text = script.get_text_contents()
    used = [file for file in env.Glob(f"#{script.dir}/data/*") if Path(file.path).name in text]
    needed = [*used, env.Value(f"{build.project.matrix.programs}, soak {build.asked.soak}")]
    plain = [] if steps.CELL_VARIABLE in text else [_plain_output(env, script, needed)]
    made = _evidence(env, targets, [library, script, *plain], steps.run_program, "programs.py")
    env.Depends(made, needed)
    return made[0]


def _plain_output(env: Env, script: Node, needed: Sequence[Node]) -> Node:
    """What a script prints without a library: one run for all cells, since nothing of a cell is in it."""
    path = f"#{BASELINE}/evidence/programs/{Path(script.path).stem}.plain.json"
    kept: Node = env.File(path)
    if not kept.has_builder():
        made = env.LayeredStep("EVIDENCE", [path], [script], steps.run_plain, ["evidence/programs.py"])
        env.Depends(made, needed)
    return kept


def _evidence(
    env: Env,
    names: Sequence[str],
    sources: Sequence[Node],
    step: steps.Step,
    *modules: str,
    others: Sequence[str] = (),
) -> list[Node]:
    """Files of evidence. They depend on the modules that establish it, and on others of the library."""
    targets = [f"#$BUILD_DIR/evidence/{name}" for name in names]
    needed = [*(f"evidence/{name}" for name in modules), *others]
    made: list[Node] = env.LayeredStep("EVIDENCE", targets, sources, step, needed)
    return made


METHODS: tuple[Callable[..., Any], ...] = (
    asm_evidence, code_evidence, budget_evidence, guard_evidence, counter_evidence, baseline_counters,
    layer_evidence, suite_evidence, program_evidence,
)  # fmt: skip
