"""Find the C compilers of this machine and say what each one is.

Reads PATH, and asks each compiler once for its version and its target; the answers are kept in
build/.toolchain.json until a compiler's file changes, since a null build comes through here too.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layermatrix.core import process, records

CACHE = Path("build/.toolchain.json")
CXX = {"gcc": "g++", "clang": "clang++", "cc": "c++"}  # the C compiler's last word, and its C++ companion's
ZIG = (sys.executable, "-m", "ziglang", "cc")
LINE_TABLES = ("-g", "-gdwarf-4")  # they add no code; a version that every compiler writes alike
HOW_TO_GET = {
    "gcc": "gcc is not installed: apt install gcc",
    "clang": "clang is not installed: apt install clang",
    "zig": "the PyPI package ziglang is not installed: ./sconsw compiler=zig installs it",
}
SANITIZER_FLAGS = {
    "asan": ("-fsanitize=address",),
    "ubsan": ("-fsanitize=undefined",),
    "tsan": ("-fsanitize=thread",),
}

# It would try inputs for ever; so it ends before the first.
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
    """A compiler that runs. command: its words, in front of any flag; triple: the target it compiles for."""

    name: str
    command: tuple[str, ...]
    version: str
    triple: str

    @property
    def identity(self) -> str:
        """What objects depend on beside their flags: the same text for the same compiler on any machine."""
        return f"{self.version}, {self.triple}"

    @property
    def cxx(self) -> tuple[str, ...]:
        """The words of its C++ compiler, which may not be there: see `cxx_missing`."""
        return (*self.command[:-1], CXX.get(self.command[-1], self.command[-1]))


@dataclass(frozen=True)
class Missing:
    """A compiler that cannot be used, and why."""

    name: str
    reason: str


def find_compilers(requested: Iterable[str], cache: Path = CACHE) -> dict[str, Toolchain | Missing]:
    """Each requested compiler, in the order of the request."""
    known = _load(cache)
    found = {name: _find(name, known) for name in requested}
    _save(cache, known)
    return found


def libc() -> str:
    """The C library that programs run with here, such as "glibc 2.36"."""
    return " ".join(platform.libc_ver()).strip() or "unknown"


def sanitizer_missing(toolchain: Toolchain, sanitizer: str, cache: Path = CACHE) -> str | None:
    """None when a program with this sanitizer ('asan', 'ubsan', 'tsan') links and runs; else why not.

    Only a success is kept: the runtime that is missing may be installed without a change of the compiler.
    """
    if sanitizer == "none":
        return None
    known = _load(cache)
    key, files = f"{toolchain.name}-{sanitizer}", _states(toolchain.name)
    if _current(known, key, files):
        return None
    reason = _try_sanitizer(toolchain, sanitizer)
    if reason is None:
        known[key] = {"files": files}
        _save(cache, known)
    return reason


def cxx_missing(toolchain: Toolchain, cache: Path = CACHE) -> str | None:
    """None when a C++ program links; else why not. As for sanitizers, only a success is kept."""
    known = _load(cache)
    key, files = f"{toolchain.name}-c++", _states(toolchain.cxx[-1] if toolchain.name != "zig" else "zig")
    if files and _current(known, key, files):
        return None
    if not files:
        return f"no C++ compiler: {toolchain.cxx[-1]} is not installed"
    failed = _try_program(toolchain.cxx, (), "empty.cc", "#include <new>\nint main() {}\n")
    for what, finished in failed.items():
        return f"no C++ compiler: {toolchain.cxx[-1]} cannot {what} a program: {_cause(toolchain, finished)}"
    known[key] = {"files": files}
    _save(cache, known)
    return None


def fuzzer_missing(toolchain: Toolchain) -> str | None:
    """None when a program with libFuzzer links and runs; else why not."""
    if toolchain.name != "clang":
        return f"libFuzzer comes with clang, not with {toolchain.name}"
    flags = ("-fsanitize=fuzzer,address",)
    failed = _try_program(toolchain.command, flags, "empty.c", ENDLESS_FUZZER)
    for what, finished in failed.items():
        return f"clang cannot {what} a program with {flags[0]}: {_cause(toolchain, finished)}"
    return None


# --- one compiler


class _DoesNotRunError(Exception):
    """A compiler's file is there, but running it fails: a broken link, or a program for another machine."""


def _find(name: str, known: dict[str, Any]) -> Toolchain | Missing:
    files = _states(name)
    if not files:
        return Missing(name, HOW_TO_GET.get(name, f"{name} is not installed"))
    entry = _current(known, name, files)
    if entry is None or not entry.keys() >= {"version", "triple"}:
        try:
            version, triple = _ask(name)
        except _DoesNotRunError as error:
            return Missing(name, f"{name} is installed but does not run: {error}")
        entry = known[name] = {"files": files, "version": version, "triple": triple}
    return Toolchain(name, ZIG if name == "zig" else (name,), entry["version"], entry["triple"])


def _ask(name: str) -> tuple[str, str]:
    """Version text and target triple, by running the compiler."""
    if name == "zig":
        version = "zig " + _answer((*ZIG[:-1], "version"))
        target = _answer((*ZIG, "--version"))  # -dumpmachine names a target that it does not compile for
    else:
        version = _answer((name, "--version"))
        target = _answer((name, "-dumpmachine"))
    return version.splitlines()[0].strip(), _triple(target)


def _answer(question: Sequence[str]) -> str:
    finished = _run(question, QUESTION_SECONDS)
    answer = process.text(finished.stdout).strip()
    if finished.failure is not None or not answer:
        raise _DoesNotRunError(finished.failure or "it says nothing")
    return answer


def _triple(answer: str) -> str:
    """The target, of which zig names the running kernel's version too; a new kernel is no new target."""
    line = re.search(r"^Target: (\S+)", answer, re.MULTILINE)
    return re.sub(r"linux[\d.]+", "linux", line.group(1) if line else answer)


def _run(command: Sequence[str], seconds: float) -> process.Finished:
    return process.run(command, environment=process.environment(LC_ALL="C"), timeout=seconds)


def _files(name: str) -> list[Path]:
    """The files that decide what this compiler is.

    All of that name on PATH, not only the first: that may be a launcher (ccache), which stays the same
    file when the compiler behind it changes.
    """
    if name == "zig":
        package = importlib.util.find_spec("ziglang")
        places = package.submodule_search_locations if package else None
        return [Path(place, "zig") for place in places or ()]
    on_path = (shutil.which(name, path=folder) for folder in os.get_exec_path())
    return [Path(file) for file in on_path if file is not None]


def _states(name: str) -> list[list[Any]]:
    """Each of these files with what changes when it is replaced: JSON-ready, to be compared."""
    states: list[list[Any]] = []
    for file in _files(name):
        with contextlib.suppress(FileNotFoundError):
            facts = file.stat()
            states.append([str(file.resolve()), facts.st_mtime_ns, facts.st_size])
    return states


# --- sanitizers


def _try_sanitizer(toolchain: Toolchain, sanitizer: str) -> str | None:
    flags = SANITIZER_FLAGS[sanitizer]
    failed = _try_program(toolchain.command, flags, "empty.c", "int main(void) { return 0; }\n")
    for what, finished in failed.items():
        return f"{toolchain.name} cannot {what} a program with {flags[0]}: {_cause(toolchain, finished)}"
    return None


def _try_program(
    command: Sequence[str], flags: Sequence[str], name: str, text: str
) -> dict[str, process.Finished]:
    """The steps, `link` and `run`, that fail with this source file."""
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, name), Path(folder, "program")
        source.write_text(text, encoding="ascii")
        steps = {
            "link": _run((*command, *flags, "-o", str(program), str(source)), FIRST_LINK_SECONDS),
            "run": _run((str(program),), QUESTION_SECONDS),
        }
    return {what: finished for what, finished in steps.items() if finished.failure is not None}


def _cause(toolchain: Toolchain, finished: process.Finished) -> str:
    """The line that names the missing runtime, and Debian's package of it where that is known."""
    lines = process.text(finished.stderr).splitlines()
    said = next((line for line in lines if re.search("cannot find|No such file|error:", line)), None)
    if said is None:
        return finished.failure or ""
    library = re.search(r"lib(\w*san|clang_rt)[\w.-]*", said)
    if library is None:
        return said.strip()
    what = f"{library.group()} is missing"
    major = re.search(r"clang version (\d+)", toolchain.version)
    return f"{what}: apt install libclang-rt-{major.group(1)}-dev" if major else what


# --- the kept answers


def _load(cache: Path) -> dict[str, Any]:
    """What is known from before; nothing, where the file is not there or damaged: asking again is cheap."""
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
    with contextlib.suppress(OSError):  # in a tree that cannot be written, each call asks anew
        records.write(cache, known)
