"""Time one comparison on another host: all its subjects in turn, on one host.

The host returns the samples. The statistics need packages that a host does not have, so `runner.analyse`
turns the samples into records where the comparison was asked for. Everything that a host runs here needs only
the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from layermatrix.core.errors import RefusedError
from layermatrix.core.records import Format, NotMeasured
from layermatrix.evidence.hosted import Hosted, Outline
from layermatrix.measure import hardware, runner
from layermatrix.measure.method import Method, new_seed
from layermatrix.measure.one_run import Load, Subject
from layermatrix.measure.runner import TIMEOUT, Timed
from layermatrix.measure.samples import Samples

FORMAT = Format("samples", Samples)
NO_PRECISION = (
    "precision= ends a timing by its statistics, which a host without packages cannot compute; "
    "give rounds= or budget= instead"
)


@dataclass(frozen=True)
class HostSubject:
    """A subject. programs: load -> its program. library: None for the system's own functions."""

    name: str
    programs: Mapping[str, str]
    library: str | None = None


@dataclass(frozen=True)
class Request:
    """One comparison. baseline: whether the first subject is the baseline. seed: repeats the random order;
    None: the host draws one. budget, strict: see `Method`."""

    loads: tuple[Load, ...]
    subjects: tuple[HostSubject, ...]
    rounds: int
    baseline: bool
    seed: int | None = None
    budget: float | None = None
    strict: bool = False
    needs: Mapping[str, str] = field(default_factory=dict)


def take(request: Request, root: Path) -> Samples | NotMeasured:
    """Time the subjects, whose files are below this folder."""
    method = Method(request.seed or new_seed(), budget=request.budget, strict=request.strict)
    everyone = [_subject(one, root) for one in request.subjects]
    first, others = (everyone[0], everyone[1:]) if request.baseline else (None, everyone)
    plan = Timed(request.loads, others, request.rounds, first, method)
    try:
        with hardware.counting() as perf:
            return runner.sample(plan, perf=perf)
    except RefusedError as error:
        return NotMeasured(str(error))


def _subject(one: HostSubject, root: Path) -> Subject:
    programs = {load: root / program for load, program in one.programs.items()}
    return Subject(one.name, programs, root / one.library if one.library else None, Path(one.name))


def outline(request: Request) -> Outline:
    """What the request runs."""
    commands = [
        [*load.before, one.programs[load.name], *load.args]
        for load in request.loads
        for one in request.subjects
        if load.name in one.programs
    ]
    libraries = {f"library of {one.name}": one.library for one in request.subjects if one.library}
    variables = {name: word for load in request.loads for name, word in load.environment.items()}
    return Outline(commands, {**variables, **libraries}, {"each run": TIMEOUT}, request.needs)


HOSTED = Hosted("samples", Request, take, outline)


def request_of(plan: Timed, paths: Mapping[Path, str], *, fixed_seed: bool) -> Request:
    """The request for a plan. paths: file here -> its path on the host. fixed_seed: whether the plan's seed
    was given. Raises RefusedError if a host cannot time like this."""
    if plan.method.precision is not None:
        raise RefusedError(NO_PRECISION)
    return Request(
        loads=tuple(plan.loads),
        subjects=tuple(
            HostSubject(
                one.name,
                {load: paths[program] for load, program in one.programs.items()},
                paths[one.library] if one.library else None,
            )
            for one in plan.everyone
        ),
        rounds=plan.rounds,
        baseline=plan.baseline is not None,
        seed=plan.method.seed if fixed_seed else None,
        budget=plan.method.budget,
        strict=plan.method.strict,
    )


def analyse(plan: Timed, found: Samples | NotMeasured, store: runner.Store) -> runner.Records:
    """The records of the plan's subjects from what a host returned. Raises RefusedError if the host refused
    to time."""
    if isinstance(found, NotMeasured):
        raise RefusedError(found.reason)
    names = {one.name for one in plan.everyone}
    if found.series.keys() != names:
        raise RefusedError(f"the samples are of {', '.join(found.series)}, not of {', '.join(sorted(names))}")
    return runner.analyse(replace(plan, method=replace(plan.method, seed=found.seed)), found, store=store)
