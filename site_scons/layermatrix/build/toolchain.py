"""Find the C compilers of this machine, with the version and target of each.

Reads PATH and the user's CC=, and runs each compiler once to get its version and its target. The answers are
cached in build/.toolchain.json until a compiler's file changes, because a null build needs them, too.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from layermatrix.build import launchers
from layermatrix.build.compiler_variables import CompilerVariables
from layermatrix.build.launchers import Parts
from layermatrix.core import process, records
from layermatrix.core.command import WRAPPER, scons
from layermatrix.core.errors import SelectionError
from layermatrix.model.matching import COMPILER_COMMAND, family_of

CACHE = Path("build/.toolchain.json")
ZIG = (sys.executable, "-m", "ziglang", "cc")
LINE_TABLES = ("-g", "-gdwarf-4")  # add no code; every compiler writes DWARF 4 in the same form
HOW_TO_GET = {
    "gcc": "gcc is not installed: apt install gcc",
    "clang": "clang is not installed: apt install clang",
}
SANITIZER_FLAGS = {
    "asan": ("-fsanitize=address",),
    "ubsan": ("-fsanitize=undefined",),
    "tsan": ("-fsanitize=thread",),
}

# A fuzzer tries inputs without end, so this one exits before the first input.
ENDLESS_FUZZER = """
#include <stddef.h>
#include <unistd.h>
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size) { return size > 0 && bytes[0] > 0; }
__attribute__((constructor)) static void end(void) { _exit(0); }
"""

QUESTION_SECONDS = 60.0
FIRST_LINK_SECONDS = 300.0  # zig builds a C library before the first link for a target


@dataclass(frozen=True)
class Toolchain:
    """A compiler that runs.

    name: its part of a cell's id. command: its words, before any flag. triple: the target it compiles for.
    cxx_command: the C++ compiler that the user sets. flags: the user's flags, in one line. target: the target
    of the matrix that it was found for; empty for this machine. environment: the variables that it runs with.
    """

    name: str
    command: tuple[str, ...]
    version: str
    triple: str
    cxx_command: tuple[str, ...] = ()
    flags: str = ""
    target: str = ""
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, compare=False, repr=False)

    @property
    def family(self) -> str:
        """gcc, clang or zig: decides which options it accepts, and is its name in the matrix."""
        return family_of(self.name)

    @property
    def identity(self) -> str:
        """The text that objects depend on: equal for the same compiler and flags on every machine."""
        return ", ".join(filter(None, (self.version, self.triple, self.flags)))

    @property
    def cxx(self) -> tuple[str, ...]:
        """The words of its C++ compiler, which may not be installed: see `cxx_missing`."""
        return self.cxx_command or launchers.split(self.command).cxx


@dataclass(frozen=True)
class Missing:
    """A compiler that cannot be used, and why."""

    name: str
    reason: str


def of_cell(compiler: str, compilers: Mapping[str, Toolchain | Missing]) -> Toolchain:
    """The compiler of a selected cell. Only cells whose compiler was found are selected."""
    found = compilers[compiler]
    assert isinstance(found, Toolchain)
    return found


def find_compilers(
    requested: Iterable[str],
    cache: Path = CACHE,
    given: CompilerVariables | None = None,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Toolchain | Missing]:
    """Each requested compiler, in the order of the request. The compiler of CC= comes first and replaces the
    one of its family. environment: the variables that compilers are found and run with.

    Raises SelectionError if CC= is not a gcc, clang or zig that runs.
    """
    given, variables = given or CompilerVariables(), environment or os.environ
    known = _load(cache)
    found = {name: _find(name, _command(name), known, variables) for name in requested}
    if "CC" in given.texts:
        own = _given_compiler(given, known, variables)
        found = {own.name: own, **{name: other for name, other in found.items() if name != own.name}}
    _save(cache, known)
    own_name = next(iter(found), None)
    return {
        name: replace(
            one,
            flags=given.flags,
            cxx_command=tuple(given.words("CXX")) if name == own_name else (),
        )
        if isinstance(one, Toolchain)
        else one
        for name, one in found.items()
    }


def find_command(
    name: str, command: Sequence[str], cache: Path, environment: Mapping[str, str]
) -> Toolchain | Missing:
    """The compiler that this command starts. name: its part of a cell's id."""
    known = _load(cache)
    found = _find(name, command, known, environment)
    _save(cache, known)
    return found


def commands(text: str) -> list[str]:
    """The words of `compiler=` that are commands, such as gcc-12; names of families are left out."""
    words = [word.strip() for word in text.split(",")]
    return [word for word in words if COMPILER_COMMAND.fullmatch(word) and family_of(word) != word]


def sanitizer_missing(toolchain: Toolchain, sanitizer: str, cache: Path = CACHE) -> str | None:
    """None if a program with this sanitizer ('asan', 'ubsan', 'tsan') links and runs, otherwise the reason.

    Only a success is cached: a missing runtime may be installed without a change of the compiler.
    """
    return None if sanitizer == "none" else _cannot_build(toolchain, SANITIZER_FLAGS[sanitizer], cache)


def target_missing(toolchain: Toolchain, cache: Path = CACHE) -> str | None:
    """None if a program for the compiler's target links, otherwise the reason. Only a success is cached."""
    return _cannot_build(toolchain, (), cache)


def _cannot_build(toolchain: Toolchain, flags: Sequence[str], cache: Path) -> str | None:
    """None if a program links with these flags; and runs, unless it is for another target."""
    known = _load(cache)
    key = " ".join((*toolchain.command, *flags))
    files = _states(_own_words(toolchain.command, toolchain), toolchain.environment)
    if _current(known, key, files):
        return None
    failed = _try_program(toolchain, toolchain.command, flags, "empty.c", "int main(void) { return 0; }\n")
    for what, finished in failed.items():
        words = flags[0] if flags else f"target {toolchain.target}"
        return f"{toolchain.name} cannot {what} a program with {words}: {_cause(toolchain, finished)}"
    known[key] = {"files": files}
    _save(cache, known)
    return None


def _own_words(command: Sequence[str], toolchain: Toolchain) -> list[str]:
    """The words of a compiler's command without the option for its target."""
    return [word for word in command if word not in ("-target", toolchain.target)]


def cxx_missing(toolchain: Toolchain, cache: Path = CACHE) -> str | None:
    """None if a C++ program links and runs, otherwise the reason. Only a success is cached."""
    known = _load(cache)
    files = _states(_own_words(toolchain.cxx, toolchain), toolchain.environment)
    key = " ".join(toolchain.cxx)
    if files and _current(known, key, files):
        return None
    if not files:
        return f"no C++ compiler: {toolchain.cxx[-1]} is not installed"
    failed = _try_program(toolchain, toolchain.cxx, (), "empty.cc", "#include <new>\nint main() {}\n")
    for what, finished in failed.items():
        return f"no C++ compiler: {toolchain.cxx[-1]} cannot {what} a program: {_cause(toolchain, finished)}"
    known[key] = {"files": files}
    _save(cache, known)
    return None


def fuzzer_missing(toolchain: Toolchain) -> str | None:
    """None if a program with libFuzzer links and runs, otherwise the reason."""
    if toolchain.family != "clang":
        return f"libFuzzer comes with clang, not with {toolchain.name}"
    flags = ("-fsanitize=fuzzer,address",)
    failed = _try_program(toolchain, toolchain.command, flags, "empty.c", ENDLESS_FUZZER)
    for what, finished in failed.items():
        return f"clang cannot {what} a program with {flags[0]}: {_cause(toolchain, finished)}"
    return None


def links(toolchain: Toolchain, option: str, folder: Path, cache: Path = CACHE) -> bool:
    """Whether a shared library links with this option. The option may name a file relative to the folder."""
    known = _load(cache)
    files = _states(_own_words(toolchain.command, toolchain), toolchain.environment)
    key = f"{' '.join(toolchain.command)} {option}"
    entry = _current(known, key, files)
    if entry is None or "links" not in entry:
        with tempfile.TemporaryDirectory() as scratch:
            source = Path(scratch, "empty.c")
            source.write_text("", encoding="ascii")
            flags = ("-shared", "-fPIC", option, "-o", str(Path(scratch, "empty.so")), str(source))
            command = (*toolchain.command, *flags)
            finished = _run(command, FIRST_LINK_SECONDS, toolchain.environment, folder)
        entry = known[key] = {"files": files, "links": finished.failure is None}
        _save(cache, known)
    return bool(entry["links"])


# --- one compiler


class _DoesNotRunError(Exception):
    """A compiler's file exists but does not run: a broken link, or a program for another machine."""


def _how_to_get(name: str) -> str:
    """The reason why a compiler is missing, with the command that installs it."""
    if name != "zig":
        return HOW_TO_GET.get(name, f"{name} is not installed")
    missing = "the PyPI package ziglang is not installed"
    if Path(WRAPPER).is_file():
        return f"{missing}: {scons('compiler=zig')} installs it"
    return f"{missing}: {shlex.quote(sys.executable)} -m pip install ziglang"


def _command(name: str) -> tuple[str, ...]:
    return ZIG if name == "zig" else (name,)


def _find(
    name: str, command: Sequence[str], known: dict[str, Any], environment: Mapping[str, str]
) -> Toolchain | Missing:
    files, parts = _states(command, environment), launchers.split(command)
    if not files:
        return Missing(name, _why_no_files(name, parts, environment))
    key = " ".join(command)
    entry = _current(known, key, files)
    if entry is None or not entry.keys() >= {"version", "triple"}:
        try:
            entry = known[key] = {"files": files, **_ask(command, environment)}
        except _DoesNotRunError as error:
            return Missing(name, _why_it_does_not_run(name, parts, error))
    return Toolchain(name, tuple(command), entry["version"], entry["triple"], environment=environment)


def _why_no_files(name: str, parts: Parts, environment: Mapping[str, str]) -> str:
    """The reason why a command cannot be started: which of its programs is missing."""
    if not parts.compiler:
        return launchers.alone(parts.launcher[-1])
    if not parts.launcher:
        return _how_to_get(name)
    missing = next(word for word in parts.names_of_programs if not _on_path(word, environment))
    return _how_to_get(missing) if missing == parts.compiler else launchers.missing(missing)


def _why_it_does_not_run(name: str, parts: Parts, error: Exception) -> str:
    if parts.launcher:
        return f"the launcher {parts.launcher[0]} does not start {parts.compiler}: {error}"
    return f"{name} is installed but does not run: {error}"


def _given_compiler(
    given: CompilerVariables, known: dict[str, Any], environment: Mapping[str, str]
) -> Toolchain:
    """The compiler of CC=, named after its family."""
    text, command = given.texts["CC"], given.words("CC")
    found = _find(text, command, known, environment)
    if isinstance(found, Missing):
        raise SelectionError(f"CC={text}: {found.reason}")
    entry = known[" ".join(command)]
    if "family" not in entry:
        entry["family"] = "zig" if _is_zig(command) else _family(command, environment)
    if entry["family"] is None:
        parts = launchers.split(command)
        answer = f"its version is {found.version!r}"
        if parts.launcher:
            raise SelectionError(
                f"CC={text}: the launcher {parts.launcher[0]} does not start {parts.compiler}: {answer}"
            )
        raise SelectionError(f"CC={text}: neither gcc nor clang; {answer}")
    return replace(found, name=entry["family"])


def _is_zig(command: Sequence[str]) -> bool:
    return "ziglang" in command or any(Path(word).name == "zig" for word in command)


def _family(command: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """The family according to the predefined macros. clang defines those of gcc, too."""
    finished = _run((*command, "-dM", "-E", "-x", "c", os.devnull), QUESTION_SECONDS, environment)
    macros = process.text(finished.stdout)
    return "clang" if "__clang__" in macros else "gcc" if "__GNUC__" in macros else None


def _ask(command: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Version text and target triple, by running the compiler."""
    output = _answer((*command, "--version"), environment)
    if _is_zig(command):
        version = "zig " + _answer((*command[:-1], "version"), environment)
        # zig's -dumpmachine prints a target that it does not compile for
        return {"version": version, "triple": _triple(output)}
    target = _answer((*command, "-dumpmachine"), environment)
    line, parts = output.splitlines()[0].strip(), launchers.split(command)
    return {
        "version": launchers.version(line, parts.compiler) if parts.launcher else line,
        "triple": _triple(target),
    }


def _answer(question: Sequence[str], environment: Mapping[str, str]) -> str:
    finished = _run(question, QUESTION_SECONDS, environment)
    answer = process.text(finished.stdout).strip()
    if finished.failure is not None or not answer:
        raise _DoesNotRunError(finished.failure or "it prints nothing")
    return answer


def _triple(answer: str) -> str:
    """The target triple. zig adds the version of the running kernel, which is removed."""
    line = re.search(r"^Target: (\S+)", answer, re.MULTILINE)
    return re.sub(r"linux[\d.]+", "linux", line.group(1) if line else answer)


def _run(
    command: Sequence[str], seconds: float, environment: Mapping[str, str], folder: Path | None = None
) -> process.Finished:
    """Run a compiler with English messages and without other libraries in it."""
    plain = process.without_loading(environment)
    return process.run(command, environment={**plain, "LC_ALL": "C"}, timeout=seconds, folder=folder)


def _files(command: Sequence[str], environment: Mapping[str, str]) -> list[Path]:
    """The files whose change means another compiler; none if a program of the command is missing."""
    if "ziglang" in command:
        package = importlib.util.find_spec("ziglang")
        places = package.submodule_search_locations if package else None
        return [Path(place, "zig") for place in places or ()]
    parts = launchers.split(command)
    if any(not _on_path(word, environment) for word in parts.names_of_programs):
        return []
    words = [*parts.before, parts.compiler]
    return [file for word in words for file in _on_path(word, environment)]


def _on_path(word: str, environment: Mapping[str, str]) -> list[Path]:
    """Every file of this name on PATH, not only the first. The first may be a launcher such as ccache under a
    compiler's name, whose file does not change when the compiler does."""
    if not word or word.startswith("-"):
        return []
    found: list[str | None] = []
    if os.sep in word:
        found.append(shutil.which(word))
        word = Path(word).name if launchers.is_launcher(os.path.realpath(word)) else ""
    if word:
        found += [shutil.which(word, path=folder) for folder in os.get_exec_path(environment)]
    return [Path(file) for file in found if file is not None]


def _states(command: Sequence[str], environment: Mapping[str, str]) -> list[list[Any]]:
    """The path, modification time (ns) and size (bytes) of each of these files, in a form that JSON holds."""
    states: list[list[Any]] = []
    for file in _files(command, environment):
        with contextlib.suppress(FileNotFoundError):
            facts = file.stat()
            states.append([str(file.resolve()), facts.st_mtime_ns, facts.st_size])
    return states


# --- what a compiler can build


def _try_program(
    toolchain: Toolchain, command: Sequence[str], flags: Sequence[str], name: str, text: str
) -> dict[str, process.Finished]:
    """The failed steps, `link` or `run`, of a program from this source text. A program for another target is
    not run. command: the compiler of its language."""
    variables = toolchain.environment
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, name), Path(folder, "program")
        source.write_text(text, encoding="ascii")
        steps = {
            "link": _run((*command, *flags, "-o", str(program), str(source)), FIRST_LINK_SECONDS, variables),
        }
        if not toolchain.target:
            steps["run"] = _run((str(program),), QUESTION_SECONDS, variables)
    return {what: finished for what, finished in steps.items() if finished.failure is not None}


def _cause(toolchain: Toolchain, finished: process.Finished) -> str:
    """The line that names the missing runtime, with its Debian package if that is known."""
    lines = process.text(finished.stderr).splitlines()
    output = next((line for line in lines if re.search("cannot find|No such file|error:", line)), None)
    if output is None:
        return finished.failure or ""
    library = re.search(r"lib(\w*san|clang_rt)[\w.-]*", output)
    if library is None:
        return output.strip()
    what = f"{library.group()} is missing"
    major = re.search(r"clang version (\d+)", toolchain.version)
    return f"{what}: apt install libclang-rt-{major.group(1)}-dev" if major else what


# --- cached answers


def _load(cache: Path) -> dict[str, Any]:
    """The cached answers; empty if the file is missing or damaged, because getting them again is cheap."""
    try:
        known = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _current(known: Mapping[str, Any], key: str, files: list[list[Any]]) -> dict[str, Any] | None:
    entry = known.get(key)
    return entry if isinstance(entry, dict) and entry.get("files") == files else None


def _save(cache: Path, known: dict[str, Any]) -> None:
    if known == _load(cache):
        return
    with contextlib.suppress(OSError):  # in a read-only tree, each call runs the compilers again
        records.write(cache, known)
