"""Count loads with any library in the simulated processor, and keep each count until its inputs change.

`evidence.counters` counts the cells of a build. This module counts what is not a cell: the library of another
commit, of a peer, or of a trial of a search. Reads the programs and libraries; writes build/counted/.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from layermatrix.core import c_library, library_use, process
from layermatrix.core.records import Format, NotMeasured
from layermatrix.evidence import counters
from layermatrix.evidence.counters import CountedLoad, Counters
from layermatrix.evidence.taking import counters as taking
from layermatrix.evidence.tools.cachegrind import Cachegrind, CacheModel, CountersError, steady
from layermatrix.measure.contenders import Contender, Programs
from layermatrix.model.measuring import Counters as Wanted
from layermatrix.model.measuring import Load

FOLDER = Path("build/counted")
FORMAT = Format("counted load", CountedLoad)
HARDWARE = NotMeasured("only the simulated processor counts here")
Say = Callable[[str], None]


def _silent(_line: str) -> None:
    return


@dataclass(frozen=True)
class Counter:
    """Counts loads. root: the project's folder. say: called with a line before each count that is taken."""

    root: Path
    wanted: Wanted
    programs: Programs
    say: Say = _silent
    run: process.Run = process.run

    def count(self, contender: Contender, loads: Sequence[Load]) -> Counters | NotMeasured:
        """The counts of these loads with a contender. Not measured if none could be counted."""
        if self._valgrind is None:
            return NotMeasured(taking.NO_VALGRIND)
        found = {load.name: self._load(contender, load) for load in loads}
        reasons = [one.reason for one in found.values() if isinstance(one, NotMeasured)]
        if len(reasons) == len(found):
            return NotMeasured(reasons[0] if reasons else "no load is counted")
        version, conditions = self._version, self._bench[1]
        shapes = {name: getattr(self.wanted, name) for name in ("I1", "D1", "LL")}
        return Counters(
            f"{version} cachegrind", version, c_library.version(), shapes, tuple(conditions), found, HARDWARE
        )

    @functools.cached_property
    def _valgrind(self) -> str | None:
        return shutil.which("valgrind")

    @functools.cached_property
    def _bench(self) -> tuple[Cachegrind, list[str]]:
        assert self._valgrind is not None
        before, conditions = steady(self.run)
        cache = CacheModel(I1=self.wanted.I1, D1=self.wanted.D1, LL=self.wanted.LL)
        return Cachegrind(self._valgrind, cache, self.run, before=before), conditions

    def _load(self, contender: Contender, load: Load) -> CountedLoad | NotMeasured:
        if not load.counted:
            return NotMeasured(f"{load.name} has no 'counted' arguments in variants/matrix.yaml")
        program = self.programs.of(load, contender)
        if isinstance(program, NotMeasured):
            return program
        one = counters.load_of(load.name, (str(program), *load.counted), load.is_inlined)
        empty = None if load.is_inlined else self.programs.empty
        if empty is None and not load.is_inlined:
            return NotMeasured("the project has no empty library to measure the benchmark's own cost with")
        try:
            whole = self._kept(one, contender.library, f"counting {load.name} with {contender.name}")
            return whole if empty is None else taking.net(whole, self._own_share(one, empty))
        except (CountersError, library_use.NotLoadedError, ValueError) as error:
            return NotMeasured(f"{load.name}: {error}")

    def _own_share(self, load: taking.Load, empty: Path) -> CountedLoad:
        return self._kept(load, empty, f"counting {load.name} without a library's work", own=True)

    def _kept(self, load: taking.Load, library: Path | None, what: str, *, own: bool = False) -> CountedLoad:
        """A count from the file of an earlier run, or a new one."""
        file = self.root / FOLDER / f"{self._key(load, library, own)}.json"
        known = FORMAT.read(file)
        if isinstance(known, CountedLoad):
            return known
        self.say(what)
        bench = self._bench[0]
        if own:
            assert library is not None
            made = taking.count_own_share(bench, load, library)
        else:
            made = taking.count_whole(bench, load, library)
        FORMAT.write(file, made)
        return made

    def _key(self, load: taking.Load, library: Path | None, own: bool) -> str:
        """Everything that a count depends on."""
        files = [Path(load.command[0]), *([library] if library else [])]
        digest = hashlib.sha256()
        for file in files:
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        shapes = (self.wanted.I1, self.wanted.D1, self.wanted.LL)
        conditions = (self._version, c_library.version(), *self._bench[1])
        digest.update(repr((load.command[1:], load.linked, own, shapes, conditions)).encode())
        return digest.hexdigest()[:32]

    @functools.cached_property
    def _version(self) -> str:
        return self._bench[0].version()
