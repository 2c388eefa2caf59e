"""Run a bundle on this host: check the host, unpack the files, take each step's record, write the result.

`python3 BUNDLE OUT.json` starts this module from inside the bundle; `python3 BUNDLE --manifest` prints the
manifest. Reads the bundle, writes OUT.json, and works in a temporary folder. The exit status is 0 if a result
was written, also one with failed tests. Uses only the standard library.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Protocol

from layermatrix.core import process, records
from layermatrix.core.decoding import decode
from layermatrix.hosts import host, leftovers, results
from layermatrix.hosts.manifest import FILE, FILES, Manifest, ManifestError, StepEntry, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DONE, FAILED, USAGE, UNSUITABLE = 0, 1, 2, 3  # exit statuses
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # if the environment has none
PREFIX = "layermatrix-"  # of the temporary folder
FOLDERS = ("/var/tmp", "/dev/shm", "/tmp")  # tried if programs cannot be run from the usual temporary folder
HELP = """usage: python3 {name} OUT.json      run the steps, and write the result to OUT.json
       python3 {name} --manifest    print the steps with their commands, environment and time limits

It needs Linux and Python 3.10 or newer, and unpacks itself into a temporary folder (TMPDIR)."""


class HostError(Exception):
    """The bundle cannot be run here; str() is the reason. status: the exit status."""

    def __init__(self, what: str, status: int = FAILED) -> None:
        super().__init__(what)
        self.status = status


class Archive(Protocol):
    """The open bundle: gives the content of one of its files. Raises OSError if it has no such file."""

    def get_data(self, pathname: str) -> bytes: ...


def main(bundle: str, archive: Archive, words: Sequence[str]) -> int:
    """Do what these words of the command line ask for. bundle: the path of the file."""
    name = Path(bundle).name
    if list(words) in (["-h"], ["--help"]):
        print(HELP.format(name=name))
        return DONE
    if len(words) != 1 or (words[0].startswith("-") and words[0] != "--manifest"):
        print(HELP.format(name=name), file=sys.stderr)
        return USAGE
    try:
        manifest_text = _member(bundle, archive, FILE).decode()
        if words[0] == "--manifest":
            sys.stdout.write(manifest_text)
            return DONE
        _run(bundle, archive, parse(manifest_text), Path(words[0]))
    except (HostError, ManifestError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return error.status if isinstance(error, HostError) else FAILED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"{name}: {where}{error.strerror or error}", file=sys.stderr)
        return FAILED
    return DONE


def _run(bundle: str, archive: Archive, manifest: Manifest, out: Path) -> None:
    here = host.this()
    reason = host.why_not(here, manifest.host)
    if reason:
        raise HostError(f"cannot be run on this host: {reason}", UNSUITABLE)
    if not out.absolute().parent.is_dir():
        raise HostError(f"{out}: its folder does not exist", USAGE)
    os.environ.setdefault("PATH", PATH)
    out = out.absolute()
    digest, started = hashlib.sha256(Path(bundle).read_bytes()).hexdigest(), _now()
    with _work_folder() as work:
        received = _end_programs_at_signals()
        root, tempfile.tempdir = work / "project", str(work / "tmp")
        _unpack(bundle, archive, manifest, root)
        os.chdir(root)  # the arguments of loads name files by their paths in the project
        steps = [_taken(step, root) for step in manifest.steps]
        if received:
            raise HostError(f"ended by {signal.Signals(received[0]).name}", 128 + received[0])
        if os.statvfs(root).f_bavail == 0:
            raise HostError(f"the disk of {work.parent} is full, and a test may have failed only for that")
        os.chdir(work.parent)
    result = results.Result(digest, here.to_json(), steps, started, _now())
    records.write_text(out, results.text(result))


@contextlib.contextmanager
def _work_folder() -> Iterator[Path]:
    """A new folder for the files, and for the temporary files of programs. It is removed in any case."""
    parent = _folder()
    with tempfile.TemporaryDirectory(dir=parent, prefix=PREFIX, ignore_cleanup_errors=True) as name:
        work = Path(name).resolve()
        for part in ("project", "tmp"):
            (work / part).mkdir()
        with leftovers.removed(work):
            yield work


def _taken(step: StepEntry, root: Path) -> dict[str, object]:
    """The entry of one step in the result."""
    hosted = importlib.import_module(step.module).HOSTED
    try:
        request = decode(hosted.request, json.loads(step.request))
        record = hosted.take(request, root)
    except ValueError as error:
        raise HostError(f"step {step.name}: {error}") from error
    content = {"kind": step.kind, "version": step.version, **records.plain(record)}
    return {"name": step.name, "kind": step.kind, "record": content, "files": {}}


def _unpack(bundle: str, archive: Archive, manifest: Manifest, root: Path) -> None:
    """Write the files, after a check of every sum: a damaged file must not be run."""
    for name, digest in manifest.modules.items():
        _content(bundle, archive, name, digest)
    for name, file in manifest.files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.link:
            path.symlink_to(file.link)
            continue
        path.write_bytes(_content(bundle, archive, FILES + name, file.sha256))
        path.chmod(0o755 if file.program else 0o644)


def _content(bundle: str, archive: Archive, name: str, digest: str) -> bytes:
    content = _member(bundle, archive, name)
    if hashlib.sha256(content).hexdigest() != digest:
        raise HostError(f"the bundle is damaged: {name} does not have the content that its manifest names")
    return content


def _member(bundle: str, archive: Archive, name: str) -> bytes:
    try:
        return archive.get_data(str(Path(bundle, name)))
    except Exception as error:  # zlib, zipimport and the system each have exceptions of their own
        raise HostError(f"the bundle is damaged: {name} cannot be read: {error}") from error


def _folder() -> str | None:
    """A folder for temporary files whose file system permits to run programs."""
    for folder in (tempfile.gettempdir(), *FOLDERS):
        writable = os.access(folder, os.W_OK | os.X_OK)
        if writable and not os.statvfs(folder).f_flag & os.ST_NOEXEC:
            return folder
    tried = ", ".join((tempfile.gettempdir(), *FOLDERS))
    raise HostError(f"no temporary folder permits to run programs ({tried}); set TMPDIR to one that does")


def _end_programs_at_signals() -> list[int]:
    """When this process is told to end, end the running program, which has a session of its own, and every
    later one, so that the steps end at once. Returns the list that then has the signal."""
    received: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        threading.Thread(target=process.stop_all).start()  # this thread may hold the lock that it takes

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    return received


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
