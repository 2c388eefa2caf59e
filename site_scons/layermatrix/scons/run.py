"""Control this run of SCons: whether it builds anything, how to start it again, and how to end it early.

SCons's own errors point to a line in SConstruct. The errors that end a run here come from other files, or
from none.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

import SCons.Node
import SCons.SConsign
import SCons.Script

SAVE_SECONDS, SAVE_PART = 1.0, 20.0  # at least this long between two writes, and this often the time of one
GARBAGE = 100_000  # new objects between two looks for unreachable ones; Python's default is 700
STORED = 1  # the files that SCons stores, in SCons.Node.store_info_map


def refuse(message: str, status: int = 2) -> NoReturn:
    """End the run with an error, because nothing can be built."""
    print(message, file=sys.stderr)
    sys.exit(status)


def answer(text: str) -> NoReturn:
    """End the run after an answer."""
    print(text)
    sys.exit(0)


def words_of(error: OSError) -> str:
    """The system's error in one line, with the file if it is known."""
    what = error.strerror or str(error)
    return f"{error.filename}: {what}" if error.filename else what


def collect_rarely() -> None:
    """Make Python look for unreachable objects less often. A run of SCons creates about a million objects
    that live until it ends, and looking at them takes a tenth of a run that builds nothing."""
    gc.set_threshold(max(GARBAGE, gc.get_threshold()[0]))


@functools.cache  # the database is shared by all environments
def guard_database() -> None:
    """Make SCons report in one line if it cannot write its database at the end of a run, as on a full
    disk."""
    write = SCons.SConsign.write
    _store_changes_only()
    _save_on_the_way(write)

    def guarded() -> None:
        try:
            if _has_changes():
                write()
        except OSError as error:
            for database in SCons.SConsign.DB_sync_list:
                database._needs_sync = False  # otherwise, the database tries again when it is deleted
            refuse(f"SCons cannot write its database: {words_of(error)}; what was built will be built again")

    SCons.SConsign.write = guarded


def _has_changes() -> bool:
    """Whether the database has an entry that is not in its file."""
    return any(entries.dirty for entries in SCons.SConsign.sig_files)


def _store_changes_only() -> None:
    """Keep the entry of a file that the database has in its present state, so that a run that builds nothing
    writes nothing. SCons would replace the entry by an equal one, and write the whole database."""
    store = SCons.Node.store_info_map[STORED]

    def changed(node: Any) -> None:
        if node.get_state() == SCons.Node.executed or not _is_stored(node):
            store(node)

    SCons.Node.store_info_map[STORED] = changed


def _is_stored(node: Any) -> bool:
    entry = node.get_stored_info().ninfo
    stored = getattr(entry, "timestamp", None), getattr(entry, "size", None)
    return stored == (node.get_timestamp(), node.get_size())


def _save_on_the_way(write: Callable[[], None]) -> None:
    """Make SCons write its database also during a run, so that a killed run keeps what it has built. SCons
    calls `executed` in its main thread, where the database changes, too. Writing takes at most a part of the
    time."""
    executed, last = SCons.Script.Main.BuildTask.executed, [time.monotonic(), 0.0]

    def executed_and_saved(task: Any) -> None:
        executed(task)
        now = time.monotonic()
        if now - last[0] > max(SAVE_SECONDS, SAVE_PART * last[1]):
            if _has_changes():
                with contextlib.suppress(OSError):  # the write at the end of the run reports it
                    write()
            last[:] = [time.monotonic(), time.monotonic() - now]

    SCons.Script.Main.BuildTask.executed = executed_and_saved


def is_help() -> bool:
    return bool(SCons.Script.GetOption("help"))


def is_dry() -> bool:
    """Whether this run builds nothing."""
    return any(SCons.Script.GetOption(option) for option in ("clean", "no_exec", "help"))


def child() -> list[str]:
    """The command that starts SCons again in the project's folder, without variables and targets.

    -u makes SCons look for SConstruct in the parent folders too.
    """
    files = [f"--file={script}" for script in SCons.Script.GetOption("file") or ()]
    jobs = SCons.Script.GetOption("num_jobs")
    return [sys.executable, "-m", "SCons", "-Q", "-u", f"-j{jobs}", *files]
