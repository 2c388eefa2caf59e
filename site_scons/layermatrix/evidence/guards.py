"""Evidence `guards`: a release has no debug code, and the search for it works.

Reads a cell's library, its objects, and the C files they were compiled from. Counts debug statements,
messages and forbidden references for each file and layer, and checks:

    statements   every debug statement has a sentinel of its own
    same code    the objects are identical to objects compiled from sources without debug code
    nothing left no object refers to a forbidden function, and the library contains no sentinel
    control      in a debug build, the search finds each sentinel that is compiled in

A check that does not apply to a cell has the status `not claimed`, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build.step import Task
from layermatrix.core.records import Measured
from layermatrix.evidence import bare_objects
from layermatrix.evidence.builder import Builder, Node, in_cell
from layermatrix.evidence.columns import Column, Figure, FigureKind, Heading, View, figure, not_measured
from layermatrix.evidence.kind import Check, Inputs, Kind, Status
from layermatrix.evidence.source import statements
from layermatrix.evidence.source.line_origins import LineOrigins
from layermatrix.evidence.source.statements import Gathered, Statement

if TYPE_CHECKING:
    from layermatrix.evidence.binary import elf, object_diff
    from layermatrix.evidence.references import Compiled, Rule

EXAMPLES = 5
_EXAMPLE_BYTES = 120
NO_SENTINEL = r"(?!)"  # matches nothing; for a system without sentinels

STATEMENTS, SAME_CODE, NOTHING_LEFT, CONTROL = "statements", "same code", "nothing left", "control"
NO_MACRO = "the spec does not define what debug code is; set `debug` in `system`"
ONLY_PLAIN = "only release and debug cells without a sanitizer are checked"
ALWAYS = "debug_output: always, so the release contains debug code"


class Claim(Enum):
    """The result of one of these checks."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CLAIMED = "not claimed"


class Verdict(Enum):
    """The result about debug code. ABSENT: proved for a release. FOUND: as required for a debug build. KEPT:
    the variant sets debug output in a release."""

    ABSENT = "absent"
    FOUND = "found"
    KEPT = "kept"
    NOT_CLAIMED = "not claimed"
    FAILED = "failed"


@dataclass(frozen=True)
class GuardCheck:
    """mistakes: lines of the form `path:line:column: error: ...`. facts: the numbers of examined items.
    rules: the rules that were checked."""

    name: str
    status: Claim
    reason: str | None = None
    mistakes: tuple[str, ...] = ()
    facts: Mapping[str, int] = field(default_factory=dict)
    rules: tuple[str, ...] = ()


@dataclass(frozen=True)
class Messages:
    """Debug messages in the library."""

    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Statements:
    count: int


@dataclass(frozen=True)
class ForbiddenCalls:
    count: int
    symbols: tuple[str, ...]


@dataclass(frozen=True)
class OfSource:
    """Counts of a file or a layer: debug statements, messages in the library, forbidden references."""

    statements: int
    strings: int
    forbidden: int


@dataclass(frozen=True)
class Guards(Measured):
    verdict: Verdict
    sentinel: str
    debug_strings: Messages
    statements: Statements
    forbidden: ForbiddenCalls
    sources: Mapping[str, OfSource]
    checks: tuple[GuardCheck, ...]


# --- build nodes


def _declare(build: Builder) -> Inputs:
    objects = list(dict.fromkeys(one for library in build.libraries for one in library.sources))
    system, texts = build.cell.variant.system, _texts(build, objects)
    return Inputs(
        [build.libraries[0], *objects, *_more(build, objects, texts), *texts],
        needs=build.templates,
        values=[f"{system.debug}, {build.cell.variant.forbidden}"],
    )


def _more(build: Builder, objects: Sequence[Node], texts: Sequence[Node]) -> list[Node]:
    """The files that only some cells need: preprocessed files, objects with line tables."""
    cell, debug = build.cell, build.cell.variant.system.debug
    if cell.mode == "debug":
        return [_preprocessed(build, one) for one in objects]
    if cell.mode != "release" or cell.has_sanitizer:
        return []
    if cell.variant.debug_output == "always" or debug is None:
        return [build.compiled(f"traced/{in_cell(build, one)}", one.sources[0]) for one in objects]
    return bare_objects.declare(build, objects, texts)


def _texts(build: Builder, objects: Sequence[Node]) -> list[Node]:
    """The C files of the library, and every header that they may include."""
    modules = build.cell.variant.system.modules
    compiled = [*(one.sources[0] for one in objects), *(build.source(name) for name in modules)]
    folders = dict.fromkeys([build.sources, *(str(Path(one.path).parent) for one in compiled)])
    headers = [file for name in folders for file in build.glob(f"#{name}/*.h")]
    return [*dict.fromkeys([*compiled, *headers, build.header])]


def _preprocessed(build: Builder, compiled: Node) -> Node:
    """An object's C file after the preprocessor."""
    name = in_cell(build, compiled).relative_to("obj").with_suffix(".i")
    return build.compiler_text(f"cpp/{name}", compiled.sources[0], "-E", "CPP")


# --- taking the evidence


def _take(task: Task) -> Guards:
    """Check a cell. sources: the shared library; its objects in obj/; the same objects with line tables in
    bare/obj/ or traced/obj/, unless the objects have line tables; preprocessed C files; C files and
    headers."""
    cell = task.cell
    if cell.mode == "debug":
        return present(_subject(task))
    if cell.mode != "release" or cell.has_sanitizer:
        return counted(_subject(task), ONLY_PLAIN)
    if cell.variant.debug_output == "always":
        return counted(_subject(task), ALWAYS)
    return absent(_subject(task, bare=cell.variant.system.debug is not None))


def _subject(task: Task, *, bare: bool = False) -> Subject:
    """The files to examine. bare: the objects with line tables were compiled without debug code."""
    from layermatrix.emit import linemap

    variant, templates = task.variant, task.root / "templates"
    library, *others = task.sources
    texts = [path for path in others if path.suffix not in (".o", ".i")]
    traced = variant.without_debug() if bare else variant
    header = next(path for path in texts if path.name == variant.system.header).read_text(encoding="utf-8")
    return Subject(
        binary=library,
        objects=_compiled(task, others, texts),
        texts={path.relative_to(task.root).as_posix(): path.read_text(encoding="utf-8") for path in texts},
        written=LineOrigins(variant.system.header, lambda: linemap.of_header(variant, templates, header)),
        traced=LineOrigins(variant.system.header, lambda: linemap.of_header(traced, templates)),
        sentinel=variant.system.sentinel or NO_SENTINEL,
        prints=variant.system.debug.prints if variant.system.debug else (),
        rules=variant.forbidden,
        preprocessed=tuple(path.read_text(errors="replace") for path in others if path.suffix == ".i"),
    )


def _compiled(task: Task, files: Sequence[Path], texts: Sequence[Path]) -> tuple[Compiled, ...]:
    """The cell's objects, each with its source and its counterpart with line tables."""
    from layermatrix.evidence.references import Compiled

    folder = task.folder
    own = [path for path in files if path.suffix == ".o" and path.is_relative_to(folder / "obj")]
    made = []
    for path in own:
        name = path.relative_to(folder / "obj")
        alike = [other for other in files if other.parts[-len(name.parts) - 1 :] == ("obj", *name.parts)]
        ends = f"/{name.with_suffix('').as_posix()}."
        source = next(text for text in texts if f"{text.with_suffix('').as_posix()}.".endswith(ends))
        shown = source.relative_to(task.root).as_posix()
        made.append(Compiled(shown, path, next((other for other in alike if other != path), path)))
    return tuple(made)


@dataclass(frozen=True)
class Subject:
    """The files to examine. texts: path -> C text, with the generated header. written: finds the origin of a
    line of these texts. traced: finds the origin of a line of the objects with line tables."""

    binary: Path
    objects: tuple[Compiled, ...]
    texts: Mapping[str, str]
    written: LineOrigins
    traced: LineOrigins
    sentinel: str
    prints: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    preprocessed: tuple[str, ...] = field(default=(), repr=False)


def absent(subject: Subject) -> Guards:
    """The record of a release, which must contain no debug code."""
    findings = _Findings(subject)
    control = _not_claimed(CONTROL, "checked in debug cells, which must contain the messages")
    checks = [_same_code(subject), _nothing_left(findings), control]
    if not subject.prints:
        checks[0] = _not_claimed(SAME_CODE, NO_MACRO)
    return _record(findings, checks, Verdict.ABSENT)


def present(subject: Subject) -> Guards:
    """The record of a debug build, in which every message must be found."""
    why = "a debug build contains debug code"
    findings = _Findings(subject)
    absence = [_not_claimed(name, why) for name in (SAME_CODE, NOTHING_LEFT)]
    control = _control(findings)
    passed = control.status is Claim.PASSED
    return _record(findings, [*absence, control], Verdict.FOUND if passed else Verdict.NOT_CLAIMED)


def counted(subject: Subject, why: str) -> Guards:
    """The record of a cell in which no check applies: only its counts. why: the reason."""
    findings = _Findings(subject)
    checks = [_not_claimed(name, why) for name in (SAME_CODE, NOTHING_LEFT, CONTROL)]
    return _record(findings, checks, Verdict.KEPT if findings.messages else Verdict.NOT_CLAIMED)


# --- findings


class _Findings:
    """The debug code in the library and its sources."""

    def __init__(self, subject: Subject) -> None:
        from layermatrix.evidence import references
        from layermatrix.evidence.binary import elf

        self.subject = subject
        pattern = re.compile(subject.sentinel)
        self.messages = messages(elf.read(subject.binary), re.compile(subject.sentinel.encode()))
        self.gathered = (
            statements.gather(subject.texts, subject.prints, pattern, subject.written)
            if subject.prints
            else Gathered((), ())
        )
        self.references = references.forbidden(subject.objects, subject.rules, subject.traced)

    def is_in_library(self, statement: Statement) -> bool:
        return statement.sentinel in self.messages

    def unknown_messages(self) -> list[str]:
        """Messages in the library whose sentinel belongs to no debug statement."""
        known = {statement.sentinel for statement in self.gathered.statements}
        return [self.messages[name] for name in sorted(self.messages) if name not in known]


def messages(file: elf.ObjectFile, pattern: re.Pattern[bytes]) -> dict[str, str]:
    """Sentinel -> a message with it, for each sentinel in the data of the library.

    A compiler may turn a very short string into instructions, which this search cannot find. So a sentinel
    should be longer than a register (8 bytes).
    """
    found: dict[str, str] = {}
    for message in _strings(file):
        for match in pattern.finditer(message):
            if match.group():  # a pattern that matches the empty string matches everywhere
                text = message[:_EXAMPLE_BYTES].decode("utf-8", "replace").strip()
                found.setdefault(match.group().decode("utf-8", "replace"), text)
    return found


def _strings(file: elf.ObjectFile) -> Iterator[bytes]:
    for section in file.sections:
        if section.loaded and not section.executable and section.name != ".dynstr":
            yield from section.data.split(b"\0")  # .dynstr holds names of functions


# --- the checks


def _statements(gathered: Gathered, prints: Sequence[str]) -> GuardCheck:
    if not prints:
        return _not_claimed(STATEMENTS, NO_MACRO)
    return _check(STATEMENTS, gathered.mistakes, {"statements": len(gathered.statements)})


def _same_code(subject: Subject) -> GuardCheck:
    """Compare each object with its counterpart that was compiled without debug code."""
    from layermatrix.evidence.binary import object_diff

    sections = size = 0
    wrong = []
    for compiled in subject.objects:
        wrong += [_error(compiled, one, subject.traced) for one in _differences(compiled)]
        count, length = object_diff.compared(compiled.file)
        sections, size = sections + count, size + length
    facts = {"objects": len(subject.objects), "sections": sections, "bytes": size}
    return _check(SAME_CODE, wrong, facts)


def _differences(compiled: Compiled) -> list[object_diff.Difference]:
    from layermatrix.evidence.binary import object_diff

    return object_diff.compare(compiled.file, compiled.traced_file)


def _error(compiled: Compiled, difference: object_diff.Difference, origins: LineOrigins) -> str:
    """The error message of a difference, at the last line that both objects have in common."""
    within = f" in {difference.function}" if difference.function else ""
    what = f"the code of {compiled.source}{within} changes without debug code: {difference.what}"
    line = None
    if difference.section is not None and difference.function:
        line = compiled.line(difference.section, difference.offset)
    return origins.origin(*line).error(what) if line else f"{compiled.source}: error: {what}"


def _nothing_left(findings: _Findings) -> GuardCheck:
    wrong = [reference.error() for reference in findings.references]
    for statement in findings.gathered.statements:
        if findings.is_in_library(statement):
            wrong.append(statement.origin.error(f"the release contains the message {statement.sentinel}"))
    library = findings.subject.binary.name
    if findings.subject.prints and not findings.gathered.statements:
        wrong.append(f"{library}: error: its sources have no debug statement, so the search proves nothing")
    for message in findings.unknown_messages():
        wrong.append(f"{library}: error: the library has a message of no known debug statement: {message}")
    rules = [f"{' '.join(rule.symbols)}: {rule.reason}" for rule in findings.subject.rules]
    return _check(NOTHING_LEFT, wrong, {"sentinels": len(findings.gathered.statements)}, rules)


def _control(findings: _Findings) -> GuardCheck:
    subject, gathered = findings.subject, findings.gathered
    if not subject.prints:
        return _not_claimed(CONTROL, NO_MACRO)
    wanted = statements.compiled_in(gathered.statements, subject.preprocessed)
    wrong = [
        one.origin.error(f"the message {one.sentinel} is compiled in, but {subject.binary.name} lacks it")
        for one in wanted
        if not findings.is_in_library(one)
    ]
    if not wanted:
        wrong.append(f"{subject.binary.name}: error: no debug statement is compiled in to search for")
    facts = {"sentinels": len(wanted), "left_out": len(gathered.statements) - len(wanted)}
    return _check(CONTROL, wrong, facts)


def _check(
    name: str, wrong: Sequence[str], facts: Mapping[str, int], rules: Sequence[str] = ()
) -> GuardCheck:
    return GuardCheck(name, Claim.FAILED if wrong else Claim.PASSED, None, tuple(wrong), facts, tuple(rules))


def _not_claimed(name: str, why: str) -> GuardCheck:
    return GuardCheck(name, Claim.NOT_CLAIMED, why)


# --- the record


def _record(findings: _Findings, checks: list[GuardCheck], verdict: Verdict) -> Guards:
    found = findings.messages
    checks = [_statements(findings.gathered, findings.subject.prints), *checks]
    failed = any(check.mistakes for check in checks)
    symbols = tuple(sorted({reference.symbol for reference in findings.references}))
    return Guards(
        verdict=Verdict.FAILED if failed else verdict,
        sentinel=findings.subject.sentinel,
        debug_strings=Messages(len(found), tuple(found[name] for name in sorted(found)[:EXAMPLES])),
        statements=Statements(len(findings.gathered.statements)),
        forbidden=ForbiddenCalls(len(findings.references), symbols),
        sources=_sources(findings),
        checks=tuple(checks),
    )


def _sources(findings: _Findings) -> dict[str, OfSource]:
    """The counts of each file and layer."""
    sources: dict[str, dict[str, int]] = {}

    def count(owner: str, what: str) -> None:
        sources.setdefault(owner, {"statements": 0, "strings": 0, "forbidden": 0})[what] += 1

    for statement in findings.gathered.statements:
        count(statement.origin.owner, "statements")
        if findings.is_in_library(statement):
            count(statement.origin.owner, "strings")
    for reference in findings.references:
        count(reference.origin.owner, "forbidden")
    return {name: OfSource(**sources[name]) for name in sorted(sources)}


# --- checks and columns


def _checks(record: Guards) -> list[Check]:
    return [_result(check) for check in record.checks if check.status is not Claim.NOT_CLAIMED]


def _result(check: GuardCheck) -> Check:
    if not check.mistakes:
        return Check(check.name, Status.PASSED)
    return Check(check.name, Status.FAILED, check.mistakes[0], log="\n".join(check.mistakes))


DEBUG_CODE = (
    "absent: identical to objects without debug code, no forbidden call, no message; found: the search finds"
    " every message of a debug build; kept: the variant keeps debug code in the release"
)


def _columns(records: Sequence[Guards], view: View) -> list[Column[Guards]]:
    strings = Heading("debug str.", "count", "debug strings left in the library", "checks")
    code = Heading("debug", "code", DEBUG_CODE, "checks")
    return [
        Column(strings, lambda record: figure(record.debug_strings.count)),
        Column(code, _verdict, brief=True),
    ]


def _verdict(record: Guards) -> Figure:
    if record.verdict is Verdict.NOT_CLAIMED:
        return not_measured(next((check.reason for check in record.checks if check.reason), None))
    good = {
        Verdict.FAILED: FigureKind.BAD,
        Verdict.ABSENT: FigureKind.GOOD,
        Verdict.FOUND: FigureKind.GOOD,
    }
    return Figure(record.verdict.value, good.get(record.verdict, FigureKind.MEASURED))


KIND = Kind(
    name="guards",
    title="Debug code",
    doc="proof that a release has no debug code, and that the search for it works",
    record=Guards,
    columns=_columns,
    declare=_declare,
    take=_take,
    checks=_checks,
    is_figure=True,
)
