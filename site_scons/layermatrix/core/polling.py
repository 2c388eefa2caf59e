"""Notice that files change, by looking at their times and sizes again and again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

Stamps = Mapping[str, tuple[int, int]]  # path -> time of the last change (ns), and size (bytes)
PAUSE = 0.3  # seconds between two looks
STEADY = 0.2  # seconds without a further change: an editor writes several files


def stamps(places: Iterable[Path]) -> dict[str, tuple[int, int]]:
    """The stamps of these files, and of all files in these folders except hidden ones."""
    found: dict[str, tuple[int, int]] = {}
    for place in places:
        names = [os.fspath(place)] if not place.is_dir() else _files(place)
        for name in names:
            try:
                facts = Path(name).stat()
            except OSError:  # it vanished, which is a change, too
                continue
            found[name] = (facts.st_mtime_ns, facts.st_size)
    return found


def _files(folder: Path) -> Iterable[str]:
    for top, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__pycache__"))]
        yield from (os.path.join(top, name) for name in names if not name.startswith("."))  # noqa: PTH118


def changed(before: Stamps, after: Stamps) -> list[str]:
    """The files that are new, gone or different."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def wait_for_change(
    look: Callable[[], Stamps], before: Stamps, sleep: Callable[[float], None] = time.sleep
) -> list[str]:
    """Wait until files differ from `before` and have then been steady for a moment; the changed files."""
    while not changed(before, now := look()):
        sleep(PAUSE)
    while True:
        sleep(STEADY)
        later = look()
        if not changed(now, later):
            return changed(before, later)
        now = later
