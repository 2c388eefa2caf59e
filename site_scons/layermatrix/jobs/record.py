"""The job `record`: record the calls of a real program, for a load that replays them."""

from __future__ import annotations

import re
import shlex
import shutil
from typing import TYPE_CHECKING

from layermatrix.build import paths
from layermatrix.build.request import RequestError
from layermatrix.build.targets import Variable
from layermatrix.build.unpacking import SUFFIX
from layermatrix.jobs.base import FAILED, Build, Job, Outcome, Plan, Work

if TYPE_CHECKING:
    from layermatrix.measure.tracing import Recording, Trace
    from layermatrix.model.measuring import Recorder
    from layermatrix.model.project import Project

PROGRAM = Variable(name="program", doc="the program that is recorded, with its arguments", values="a command")
TRACE = Variable(name="trace", doc="the name of the trace", values="a name")
PROCESS = Variable(
    name="process", doc="the file name of the process to record, if it is not the first one: cc1 of gcc",
    values="a file name", default="the first process",
)  # fmt: skip
EVENTS = Variable(
    name="events", doc="the number of events after which the recording stops", values="a count",
    default="1000000", number=range(1, 10_000_001),
)  # fmt: skip
FOLDER = "build/traces"


def why_missing(project: Project) -> str | None:
    return (
        None if project.matrix.recorder else "nothing to record with: variants/matrix.yaml has no 'recorder'"
    )


def prepare(plan: Plan) -> Work:
    recorder = _recorder(plan)
    words, name = _words(plan), _name(plan)
    files = (paths.lone_library(recorder.source), paths.program(recorder.program))
    build = Build(plan.select(JOB), tuple(f"{paths.BASELINE}/{file}" for file in files))
    file = f"{recorder.traces}/{name}{SUFFIX}"
    then = f"run {shlex.join(words)}, and write {file}"
    return Work((build,), then, lambda: _run(plan, build, words, name, file))


def _recorder(plan: Plan) -> Recorder:
    found = plan.project.matrix.recorder
    assert found is not None
    return found


def _words(plan: Plan) -> tuple[str, ...]:
    text = plan.request.text(PROGRAM)
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise RequestError(f"program={text}: {error}") from None
    if not words:
        raise RequestError("record needs program=, the command to record: program='sqlite3 :memory: .help'")
    if shutil.which(words[0]) is None:
        raise RequestError(f"program={text}: there is no program {words[0]}")
    return words


def _name(plan: Plan) -> str:
    name = plan.request.text(TRACE)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise RequestError(
            f"trace={name}: expected a name of lower-case letters, digits and _, such as trace=sqlite"
        )
    return name


def _run(plan: Plan, build: Build, words: tuple[str, ...], name: str, file: str) -> int:
    outcome = Outcome()
    with outcome.step():
        outcome.failed(plan.build(build))
        if outcome.status == 0:
            _record(plan, build, words, name, file, outcome)
    return outcome.end()


def _record(plan: Plan, build: Build, words: tuple[str, ...], name: str, file: str, outcome: Outcome) -> None:
    from layermatrix.measure import tracing

    given = plan.request.given.get(PROCESS.name, "")
    library, replayer = (plan.root / path for path in build.targets)
    wanted = tracing.Recording(library, replayer, words, int(plan.request.text(EVENTS)), given)
    try:
        trace = tracing.take(wanted, plan.root / FOLDER)
    except tracing.RecordingError as error:
        outcome.notes.append(f"record: {error}")
        outcome.failed(FAILED)
        return
    tracing.write(trace, plan.root / file)
    print("\n".join(lines(trace, wanted, name, file)), flush=True)


def lines(trace: Trace, wanted: Recording, name: str, file: str) -> list[str]:
    """What was recorded, in words."""
    counts = trace.counts
    shown = ", ".join(f"{key} {trace.text(key)}" for key in counts if key not in ("version", "sizes", "end"))
    found = [f"{file}: {len(trace.content) / 1024:.0f} KiB compressed", f"  {shown}"]
    ends = {"limit": f"events={wanted.events} was reached", "no space": "the disk or the memory was full"}
    if counts.get("end") in ends:
        found.append(f"  it ends before the program did: {ends[str(counts['end'])]}")
    if counts.get("threads") != 1:
        found.append(f"  it has {trace.text('threads')} threads; the benchmark replays traces of one thread")
    return [*found, f"  a load replays it with args: [--trace, {name}]"]


JOB = Job(
    name="record",
    doc="record the calls of a real program, for a load that replays them",
    variables=(PROGRAM, TRACE, PROCESS, EVENTS),
    why_missing=why_missing,
    prepare=prepare,
)
