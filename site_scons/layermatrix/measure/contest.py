"""Time contenders in turn, in one run, with the same programs.

Reads their libraries and the benchmark programs; returns records; writes nothing but remarks on the machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.core.records import NotMeasured
from layermatrix.evidence.bench import Bench
from layermatrix.measure import one_run, remarks, timing
from layermatrix.measure.contenders import Contender, Programs
from layermatrix.measure.method import Method
from layermatrix.measure.runner import Timed
from layermatrix.model.measuring import Load

if TYPE_CHECKING:
    from layermatrix.model.project import Project

Timings = dict[str, "Bench | NotMeasured"]  # by name of the contender


def take(
    project: Project,
    programs: Programs,
    contenders: Sequence[Contender],
    loads: Sequence[Load],
    rounds: int,
    into: Timings,
    method: Method,
    timer: timing.Timer = timing.here,
) -> None:
    """Time the contenders against the first of them. `into` receives the records after every round, so that
    an interrupt keeps the finished rounds. Loads without arguments for timing, and contenders that failed,
    are left out. timer: times them."""
    timed = [load for load in loads if load.args]
    able = [one for one in contenders if not one.failure]
    for one in contenders:
        reason = one.failure or ("" if timed else "no selected load has 'args', so that none is timed")
        if reason:
            into[one.name] = NotMeasured(reason)
    if not timed or len(able) < 2:
        into.update({one.name: NotMeasured("the other side has failed") for one in able if timed})
        return
    first, *others = [_subject(programs, one, timed) for one in able]
    names = {subject.store: subject.name for subject in (first, *others)}

    def keep(path: Path, record: Bench | NotMeasured) -> None:
        into[names[path]] = record

    found = timer(Timed(timing.loads_of(project, timed), others, rounds, first, method), keep)
    for line in remarks.lines(found):
        print(line, flush=True)


def _subject(programs: Programs, contender: Contender, loads: Sequence[Load]) -> one_run.Subject:
    found = {load.name: programs.of(load, contender) for load in loads}
    able = {name: path for name, path in found.items() if isinstance(path, Path)}
    # no file is written at this path; it identifies the subject's record
    return one_run.Subject(contender.name, able, contender.library, Path(contender.name))
