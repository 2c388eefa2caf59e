"""Preload a library into a program, and prove that the program used it.

    preloaded  the library is put in front of all others of a program that was not linked with it: LD_PRELOAD.
    linked     the program names the library itself, and the loader finds it (RPATH).

LD_PRELOAD separates names at spaces and colons and expands `$`, and a library that the loader cannot use is
left out with no more than a line on stderr: the program then runs with the system's own functions. So a
library is preloaded through a link in a temporary folder whose path is harmless, and no result of a run
counts before `prove` has found that the library was in use. What is proved, from the strongest on:

named   The program's JSON line names, as `library` or `allocator`, the object whose functions it called: that
        is the library.
listed  The loader that the program asks for, run with `--list` in the environment and the folder of the run,
        loads the library with it. That the program calls the library is then left to the order in which
        symbols are found: preloaded objects come first.
opened  Of a script, which starts programs of its own: one of them has opened the library during the run, as
        the kernel reports, and the library can be loaded under the path that the script was given.

A program that no loader loads (it is static, or a script) and that names nothing proves nothing. Of a run
without a library it is proved that nothing was preloaded, neither for it nor for every program.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from layermatrix.core import elfloader, opened, process

VARIABLE = "LD_PRELOAD"
NAMED_AS = ("library", "allocator")  # fields of a program's JSON line
FOR_EVERY_PROGRAM = Path("/etc/ld.so.preload")
FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")  # where links go if the usual temporary folder has an odd path
_PREFIX = "layermatrix-"
_HARMLESS = re.compile(r"[\w./+,@%~=-]+")
_LISTED = re.compile(r"^\t(?:([^\n]*?) => )?(.*?) \(0x[0-9a-f]+\)$", re.MULTILINE | re.DOTALL)
_SECONDS = 60.0  # for the loader's answer


class NotLoadedError(ValueError):
    """A run that did not use the library it was meant to use, or does not show that it did."""


@dataclass(frozen=True)
class Ran:
    """A run that is over: the program (not what ran it, such as valgrind), its environment and folder."""

    program: Path
    environment: Mapping[str, str]
    folder: Path | None = None
    stdout: bytes = b""
    stderr: bytes = b""


@contextlib.contextmanager
def link_to(library: Path | None) -> Iterator[Path | None]:
    """A path of this library that LD_PRELOAD can hold, as long as the context lasts; None for none."""
    if library is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=_harmless_folder()) as folder:
        link = Path(folder, _harmless_name(library))
        link.symlink_to(library.absolute())
        yield link


@dataclass(frozen=True)
class Copy:
    """A library for one run of a script. was_opened: whether a process has opened it; None where the kernel
    does not tell."""

    path: Path
    was_opened: Callable[[], bool | None]


@contextlib.contextmanager
def copy_of(library: Path) -> Iterator[Copy]:
    """A copy of this library under a path that LD_PRELOAD can hold, which nothing else knows of."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=_harmless_folder(os.ST_NOEXEC)) as folder:
        copy = Path(shutil.copy(library, Path(folder, _harmless_name(library))))
        with opened.watch(copy) as was_opened:
            yield Copy(copy, was_opened)


def _harmless_name(library: Path) -> str:
    return library.name if _HARMLESS.fullmatch(library.name) else "library.so"


def _harmless_folder(without: int = 0) -> str:
    """A folder for temporary files, on a file system that is mounted without these flags."""
    for folder in (tempfile.gettempdir(), *FOLDERS):
        usable = _HARMLESS.fullmatch(folder) and os.access(folder, os.W_OK | os.X_OK)
        if usable and not os.statvfs(folder).f_flag & without:
            return folder
    raise NotLoadedError(
        f"LD_PRELOAD splits paths at spaces and colons, and no folder for temporary files is without "
        f"({tempfile.gettempdir()}, {', '.join(FOLDERS)}); TMPDIR can name one"
    )


def environment(link: Path | None, **extra: str) -> dict[str, str]:
    """The environment of a program that is run with this library preloaded and no other."""
    given = process.environment(**extra)
    return {**given, VARIABLE: os.fspath(link)} if link is not None else given


def run_with(
    library: Path | None,
    command: Sequence[str],
    *,
    run: process.Run,
    timeout: float,
    linked: bool = False,
    extra: Mapping[str, str] | None = None,
) -> process.Finished:
    """Run a program with this library, None for none. linked: the program was linked with it; else it is
    preloaded. NotLoadedError where the run succeeds without proof that it used the library; a failure is the
    caller's to judge."""
    with link_to(None if linked else library) as link:
        variables = environment(link, **(extra or {}))
        finished = run(command, environment=variables, timeout=timeout)
        if finished.failure is None:
            ran = Ran(Path(command[0]), variables, None, finished.stdout, finished.stderr)
            prove(ran, library if linked else link, run=run)
    return finished


def prove(ran: Ran, library: Path | None, *, run: process.Run) -> None:
    """NotLoadedError unless this run used the library, preloaded or linked; with None, unless nothing was
    preloaded."""
    if library is None:
        _prove_none(ran)
        return
    wanted, named = _in(ran.folder, library), _named(ran.stdout)
    if named is not None:
        if not _is(_in(ran.folder, named), wanted):
            raise NotLoadedError(f"{ran.program.name} used {named}, not {_shown(wanted)}{_refusal(ran)}")
        return
    objects = loaded(ran, run=run)
    if any(_is(path, wanted) for path in objects.values()):
        return
    names = (path for path in objects.values() if path.name.startswith(library.name))
    other = next(names, None)
    instead = f"; it loaded {other}" if other else _refusal(ran)
    raise NotLoadedError(f"{ran.program.name} was run without {_shown(wanted)}{instead}")


def prove_opened(copy: Copy, environment: Mapping[str, str], *, run: process.Run) -> None:
    """NotLoadedError unless a script that was run with this copy to preload has started a program with it,
    and a program is loaded with it."""
    if copy.was_opened() is False:
        raise NotLoadedError(f"no program that the script started has loaded {copy.path.name}")
    shell = shutil.which("sh", path=environment.get("PATH"))
    if shell is None:
        raise NotLoadedError("there is no sh to try the library with")
    prove(Ran(Path(shell), {**environment, VARIABLE: os.fspath(copy.path)}), copy.path, run=run)


def _prove_none(ran: Ran) -> None:
    if ran.environment.get(VARIABLE):
        raise NotLoadedError(f"{ran.program.name} was run with {VARIABLE}={ran.environment[VARIABLE]}")
    with contextlib.suppress(OSError):
        names = FOR_EVERY_PROGRAM.read_text(encoding="utf-8", errors="replace").split()
        if names:
            raise NotLoadedError(f"{FOR_EVERY_PROGRAM} preloads {', '.join(names)} into every program")


def _named(stdout: bytes) -> str | None:
    """The object that the program says it has used."""
    try:
        line = process.reported(stdout)
    except ValueError:
        return None
    names = (line.get(field) for field in NAMED_AS)
    return next((name for name in names if isinstance(name, str)), None)


def _in(folder: Path | None, path: str | Path) -> Path:
    return (folder or Path()) / path


def _is(path: Path, library: Path) -> bool:
    try:
        return path == library or path.samefile(library)
    except OSError:
        return False


def _shown(library: Path) -> Path:
    """The library itself where it is preloaded through a link."""
    return library.readlink() if library.is_symlink() else library


def _refusal(ran: Ran) -> str:
    """The loader's own words, where it says that it refused a library."""
    lines = process.text(ran.stderr).splitlines()
    said = next((line for line in lines if "ld.so: object" in line and "cannot be preloaded" in line), None)
    reason = re.search(r"cannot be preloaded \((.*)\)", said) if said else None
    return f": the loader says: {reason[1]}" if reason else ""


# --- what the loader loads


def loaded(ran: Ran, *, run: process.Run) -> dict[str, Path]:
    """The objects that the loader loads for a program in this environment: the name that was asked for ->
    the file. NotLoadedError where no loader can tell."""
    name, program = ran.program.name, _in(ran.folder, ran.program).resolve()  # $ORIGIN is where that lies
    try:
        loader = elfloader.of_program(program)
    except elfloader.NoLoaderError as error:
        raise NotLoadedError(f"{error}, and does not name the object it used as {NAMED_AS[0]!r}") from error
    words = [loader, "--list", os.fspath(program)]
    finished = run(words, environment=ran.environment, timeout=_SECONDS, folder=ran.folder)
    if finished.failure:
        raise NotLoadedError(f"the loader does not say what it loads for {name}: {finished.failure}")
    found = _LISTED.findall(process.text(finished.stdout))
    return {asked or path: _in(ran.folder, path) for asked, path in found}
