"""Run a program with a library, preloaded or linked, and prove that the program used it.

    preloaded  The program was not linked with the library; LD_PRELOAD puts it before all other libraries.
    linked     The program was linked with the library, and the loader finds it (RPATH).

The loader splits LD_PRELOAD at spaces and colons and expands `$`. If it cannot use a library, it prints one
line on stderr and runs the program with the system's own functions (see ld.so(8)). So this module preloads a
library through a symbolic link in a temporary folder whose path has none of these characters, and a result
counts only after `prove` has established that the run used the library. The proofs, strongest first:

named   The program's JSON line names the object whose functions it called, and that object is the library.
        The field is one of NAMED_AS.
listed  The program's own loader, run with `--list` in the same environment and folder, loads the library. The
        program then calls the library because preloaded objects come first in the symbol lookup.
opened  For a script, which starts other programs: the kernel reports that a process opened the library during
        the run, and a program can load the library from the path that the script got.

A static program, or a script, that names no object proves nothing. For a run without a library, the proof is
that nothing was preloaded, neither for this program nor for all programs.
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

from layermatrix.core import elfloader, file_watch, process
from layermatrix.core.emulator import NATIVE, Emulator

VARIABLE = process.LOADING[0]
NAMED_AS = ("library", "allocator")  # fields of a program's JSON line
FOR_EVERY_PROGRAM = Path("/etc/ld.so.preload")
FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")  # tried when the path of the usual temporary folder is unsuitable
_PREFIX = "layermatrix-"
_HARMLESS = re.compile(r"[\w./+,@%~=-]+")
_LISTED = re.compile(r"^\t(?:([^\n]*?) => )?(.*?) \(0x[0-9a-f]+\)$", re.MULTILINE | re.DOTALL)
_SECONDS = 60.0  # time limit of the loader's `--list`


class NotLoadedError(ValueError):
    """A run did not use the intended library, or there is no proof that it did."""


@dataclass(frozen=True)
class Ran:
    """A finished run. program: the program itself, not a tool that ran it, such as valgrind. emulator: what
    runs programs of its machine."""

    program: Path
    environment: Mapping[str, str]
    folder: Path | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    emulator: Emulator = NATIVE


@contextlib.contextmanager
def link_to(library: Path | None) -> Iterator[Path | None]:
    """Yield a path of this library that is safe in LD_PRELOAD; it is valid inside the context. None gives
    None."""
    if library is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=_harmless_folder()) as folder:
        link = Path(folder, _harmless_name(library))
        link.symlink_to(library.absolute())
        yield link


@dataclass(frozen=True)
class Copy:
    """A copy of a library for one run of a script. was_opened: returns whether a process has opened it; None
    if inotify is not available."""

    path: Path
    was_opened: Callable[[], bool | None]


@contextlib.contextmanager
def copy_of(library: Path) -> Iterator[Copy]:
    """Yield a copy of this library at a fresh path that is safe in LD_PRELOAD. No other program knows the
    path, so an open of it comes from the run."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=_harmless_folder(os.ST_NOEXEC)) as folder:
        copy = Path(shutil.copy(library, Path(folder, _harmless_name(library))))
        with file_watch.watch(copy) as was_opened:
            yield Copy(copy, was_opened)


def _harmless_name(library: Path) -> str:
    return library.name if _HARMLESS.fullmatch(library.name) else "library.so"


def _harmless_folder(without: int = 0) -> str:
    """A folder for temporary files with a path that is safe in LD_PRELOAD, on a file system that is mounted
    without these flags."""
    for folder in (tempfile.gettempdir(), *FOLDERS):
        usable = _HARMLESS.fullmatch(folder) and os.access(folder, os.W_OK | os.X_OK)
        if usable and not os.statvfs(folder).f_flag & without:
            return folder
    raise NotLoadedError(
        f"no folder for temporary files has a path that LD_PRELOAD can hold ({tempfile.gettempdir()}, "
        f"{', '.join(FOLDERS)}); set TMPDIR to a writable folder whose path has no space and no colon"
    )


def environment(link: Path | None, **extra: str) -> dict[str, str]:
    """The environment of a program that runs with only this library preloaded."""
    given = process.environment(**extra)
    return {**given, VARIABLE: os.fspath(link)} if link is not None else given


def run_with(
    library: Path | None,
    command: Sequence[str],
    *,
    run: process.Run,
    timeout: float,
    linked: bool = False,
    under: Sequence[str] = (),
    extra: Mapping[str, str] | None = None,
) -> process.Finished:
    """Run a program with this library; None runs it without one.

    timeout: seconds. linked: the program was linked with the library; otherwise the library is preloaded.
    under: the words of a tool that runs the program, such as valgrind. extra: further environment variables.
    Raises NotLoadedError if the run succeeds without proof that it used the library. The caller has to check
    `failure` of the result.
    """
    with link_to(None if linked else library) as link:
        variables = environment(link, **(extra or {}))
        finished = run([*under, *command], environment=variables, timeout=timeout)
        if finished.failure is None:
            ran = Ran(Path(command[0]), variables, None, finished.stdout, finished.stderr)
            prove(ran, library if linked else link, run=run)
    return finished


def prove(ran: Ran, library: Path | None, *, run: process.Run) -> None:
    """Raise NotLoadedError unless this run used the library. If `library` is None, raise it unless nothing
    was preloaded."""
    if library is None:
        _prove_none(ran)
        return
    wanted, named = _in(ran.folder, library), _named(ran.stdout)
    if named is not None:
        if not _is(_in(ran.folder, named), wanted):
            raise NotLoadedError(
                f"{ran.program.name} used {named} instead of {_shown(wanted)}{_refusal(ran)}"
            )
        return
    objects = loaded(ran, run=run)
    if any(_is(path, wanted) for path in objects.values()):
        return
    names = (path for path in objects.values() if path.name.startswith(library.name))
    other = next(names, None)
    instead = f"; it loaded {other}" if other else _refusal(ran)
    raise NotLoadedError(f"{ran.program.name} was run without {_shown(wanted)}{instead}")


def prove_opened(copy: Copy, environment: Mapping[str, str], *, run: process.Run) -> None:
    """Raise NotLoadedError unless the script started a program that opened this copy, and a program can be
    loaded with the copy."""
    if copy.was_opened() is False:
        raise NotLoadedError(f"no program that the script started loaded {copy.path.name}")
    shell = shutil.which("sh", path=environment.get("PATH"))
    if shell is None:
        raise NotLoadedError("PATH has no sh, which is needed to test that the library loads")
    prove(Ran(Path(shell), {**environment, VARIABLE: os.fspath(copy.path)}), copy.path, run=run)


def _prove_none(ran: Ran) -> None:
    if ran.environment.get(VARIABLE):
        raise NotLoadedError(f"{ran.program.name} was run with {VARIABLE}={ran.environment[VARIABLE]}")
    with contextlib.suppress(OSError):
        names = FOR_EVERY_PROGRAM.read_text(encoding="utf-8", errors="replace").split()
        if names:
            raise NotLoadedError(f"{FOR_EVERY_PROGRAM} preloads {', '.join(names)} into every program")


def _named(stdout: bytes) -> str | None:
    """The object that the program reports to have used; None if it reports none."""
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
    """The library's own path if this is the link that preloads it."""
    return library.readlink() if library.is_symlink() else library


def _refusal(ran: Ran) -> str:
    """The loader's reason for refusing a library, as the end of a message; empty if it refused none."""
    lines = process.text(ran.stderr).splitlines()
    refusal = next(
        (line for line in lines if "ld.so: object" in line and "cannot be preloaded" in line), None
    )
    reason = re.search(r"cannot be preloaded \((.*)\)", refusal) if refusal else None
    return f": the loader reports: {reason[1]}" if reason else ""


# --- the libraries that the loader loads


def loaded(ran: Ran, *, run: process.Run) -> dict[str, Path]:
    """The objects that the loader loads for a program in this environment: requested name -> file. Raises
    NotLoadedError if the loader cannot list them."""
    name, program = ran.program.name, _in(ran.folder, ran.program).resolve()  # its folder is $ORIGIN
    try:
        loader = elfloader.of_program(program)
    except elfloader.NoLoaderError as error:
        raise NotLoadedError(f"{error}, and does not name the object it used as {NAMED_AS[0]!r}") from error
    words = [*ran.emulator.words, ran.emulator.loader(loader), "--list", os.fspath(program)]
    finished = run(words, environment=ran.environment, timeout=_SECONDS, folder=ran.folder)
    if finished.failure:
        raise NotLoadedError(f"the loader cannot list the objects of {name}: {finished.failure}")
    found = _LISTED.findall(process.text(finished.stdout))
    return {named or path: _in(ran.folder, path) for named, path in found}
