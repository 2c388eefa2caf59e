"""Leave out the graph of libraries that are as an earlier build left them.

SCons takes time for each object, also to find that it need not be made. With a hundred cells, that is nearly
all of a build with nothing to do. A build of libraries therefore records for each cell what SCons decided by:
a digest of the commands and values in the graph, and time and size of each file. If all of that is the same
in a later build, the libraries are declared as files that exist, without the graph behind them.

The record must be exact. A graph is recorded only if it contains nothing but files and the values that this
package declares; with a value that a build script adds, SCons always decides. A file that was changed less
than a second before the run, or during it, may change again without a new time, so it is not recorded either.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import json
import os
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import SCons
import SCons.Node
import SCons.Node.FS
import SCons.Script

from layermatrix.build import dependencies
from layermatrix.core import records
from layermatrix.scons import builders, run

if TYPE_CHECKING:
    from layermatrix.build.buildstate import BuildState

Env = Any
Node = Any
State = tuple[int, int]  # the time of the last change in ns, and the size; of a folder, the size is 0

RECORD = ".settled.json"
COMMANDS = "$CCCOM $CXXCOM $SHLINKCOM $SHARED_LINKFLAGS $ARCOM $RANLIBCOM"
SCONS = Path(SCons.__file__).parent
DONE = (SCons.Node.executed, SCons.Node.up_to_date)
STARTED_NS = time.time_ns()
SURE_NS = 1_000_000_000  # the clock of a file system is more exact than that


class Settled:
    """The record of a cell's libraries. values: everything that the graph depends on besides commands and
    files."""

    def __init__(self, env: Env, values: Sequence[str]) -> None:
        build: BuildState = env["LAYERED"]
        self.env, self.top, self.folder = env, env.Dir("#").abspath, env.Dir("$BUILD_DIR").abspath
        self.is_used = build.builds_libraries_only and _is_decided_by_scons(env)
        if self.is_used:
            code = dependencies.library(build.root).digest(f"{__package__}.tool")
            texts = (SCons.__version__, code, str(env.subst(COMMANDS)), *values)
            self.key = hashlib.sha256("\0".join(texts).encode(errors="surrogateescape")).hexdigest()

    def found(self, names: Sequence[str]) -> list[Node] | None:
        """The libraries with these names as plain files, if they are as recorded."""
        try:
            known = json.loads(Path(self.folder, RECORD).read_text(encoding="utf-8")) if self.is_used else {}
            same = known["key"] == self.key and all(
                _known_state(str(Path(self.top, path))) == tuple(state)
                for path, state in known["files"].items()
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return [self.env.File(f"#$BUILD_DIR/{name}") for name in names] if same else None

    def record(self, made: Sequence[Node], beside: Sequence[str]) -> None:
        """At the end of the run, record these libraries if it has made them or found them up to date. beside:
        names of other files in the folder that go with them."""
        self.env.Clean(made, f"#$BUILD_DIR/{RECORD}")
        if self.is_used and not run.is_dry():
            roots = [self.env.Dir(path).abspath for path in self.env["CPPPATH"]]
            links = [f"{self.folder}{os.sep}{name}" for name in beside]
            atexit.register(self._record, list(made), links, roots)

    def _record(self, made: Sequence[Node], beside: Sequence[str], roots: Sequence[str]) -> None:
        nodes = list(_graph(made))
        is_known = all(_is_file(node) or builders.is_own(node) for node in nodes)
        if not is_known or any(node.get_state() not in DONE for node in made):
            return
        files = [node.rfile() for node in nodes if _is_file(node)]
        inputs = {node.abspath: _seen(node) for node in files if not node.is_derived()}
        # a new header may hide another one
        folders = {*roots, *(path.rpartition(os.sep)[0] for path in inputs)}
        others = (path for path in (*_scripts(), *folders) if not path.startswith(f"{self.folder}{os.sep}"))
        inputs |= {path: _known_state(path) for path in others}
        outputs = [*(node.abspath for node in files if node.is_derived()), *beside]
        states = {**inputs, **{path: _state(path) for path in outputs}}
        is_sure = all(state and state[0] < STARTED_NS - SURE_NS for state in inputs.values())
        if is_sure and all(states.values()):
            # a copy of the project has a record of its own files
            named = {path.removeprefix(f"{self.top}{os.sep}"): states[path] for path in sorted(states)}
            with contextlib.suppress(OSError):  # without the record, the next build takes longer
                text = json.dumps({"key": self.key, "files": named}, indent=0)
                records.write_text(Path(self.folder, RECORD), text)


def _is_decided_by_scons(env: Env) -> bool:
    """Whether SCons decides what is up to date, by all that it knows. With -c, it needs every node."""
    deciders = (env.decide_target, env.decide_source)
    options = ("clean", "implicit_deps_unchanged")
    codes = [getattr(decider, "__code__", None) for decider in deciders]
    is_usual = all(code and Path(code.co_filename).is_relative_to(SCONS) for code in codes)
    return is_usual and not any(SCons.Script.GetOption(option) for option in options)


def _graph(made: Sequence[Node]) -> Iterator[Node]:
    """These nodes and everything that SCons knows to be behind them, each once."""
    waiting, seen = list(made), set(made)
    while waiting:
        yield (node := waiting.pop())
        behind = (*(node.sources or ()), *(node.depends or ()), *(node.implicit or ()))
        new = [child for child in dict.fromkeys(behind) if child not in seen]
        seen.update(new)
        waiting += new


def _is_file(node: Node) -> bool:
    return isinstance(node, SCons.Node.FS.File)


def _seen(node: Node) -> State | None:
    """The state of a source when SCons decided."""
    found = node.stat()
    return (found.st_mtime_ns, found.st_size) if found else None


def _state(path: str) -> State | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_mtime_ns, 0 if stat.S_ISDIR(found.st_mode) else found.st_size


_known_state = functools.cache(_state)  # of a source or a folder that many cells share


@functools.cache
def _scripts() -> list[str]:
    """The project's own Python files that this run has read: what declares the graph besides this package."""
    scripts = [node.rfile().abspath for node in SCons.Node.SConscriptNodes]
    files = [Path(getattr(module, "__file__", None) or "/") for module in list(sys.modules.values())]
    top, package = Path.cwd(), dependencies.LIBRARY
    own = (path for path in files if path.is_relative_to(top) and "site-packages" not in path.parts)
    return [*scripts, *(str(path) for path in own if not path.is_relative_to(package))]
