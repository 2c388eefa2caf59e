"""Prove that a release has no debug code in it, and that the proof is not blind.

Reads a cell's library, its objects, and the C texts that they were compiled from. Returns the record
`guards`: counts of debug statements, messages and forbidden references for each file and layer, and
`checks`, each with the mistakes that it found:

    statements   every debug statement has a sentinel that no other one has
    same code    the objects are the same when debug code was left out before they were compiled
    nothing left no object refers to a forbidden function, and no sentinel is in the library
    control      where debug code is compiled in, each of its sentinels is found: the search is not blind

A check that makes no sense in a cell claims nothing there, and says why. `verdict` says in a word what is
known of debug code: absent, found (as it has to be), kept, not claimed, or failed; `failures` and `log` are
empty but for the last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from layermatrix.core import records
from layermatrix.evidence import references
from layermatrix.evidence.binary import elf, object_diff
from layermatrix.evidence.references import Compiled, Reference, Rule
from layermatrix.evidence.source import statements
from layermatrix.evidence.source.places import Places
from layermatrix.evidence.source.statements import Gathered, Statement

EXAMPLES = 5
_EXAMPLE_BYTES = 120

STATEMENTS, SAME_CODE, NOTHING_LEFT, CONTROL = "statements", "same code", "nothing left", "control"
ABSENT, FOUND, KEPT = "absent", "found", "kept"
PASSED, FAILED, NOT_CLAIMED = "passed", "failed", "not claimed"
NO_MACRO = "the spec does not say what debug code looks like (system: debug)"


@dataclass(frozen=True)
class Subject:
    """What is examined. texts: path -> C text, the header's included; written, traced: places of the lines of
    those texts, and of the objects that have line tables."""

    binary: Path
    objects: tuple[Compiled, ...]
    texts: Mapping[str, str]
    written: Places
    traced: Places
    sentinel: str
    prints: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    preprocessed: tuple[str, ...] = field(default=(), repr=False)


def absent(subject: Subject) -> records.Record:
    """The record of a release: nothing of the debug code may be left."""
    findings = _Findings(subject)
    control = _not_claimed(CONTROL, "taken in debug cells, where the messages have to be found")
    checks = [_same_code(subject), _nothing_left(findings), control]
    if not subject.prints:
        checks[0] = _not_claimed(SAME_CODE, NO_MACRO)
    return _record(findings, checks, ABSENT)


def present(subject: Subject) -> records.Record:
    """The record of a debug build: every message has to be found."""
    why = "debug code is part of a debug build"
    findings = _Findings(subject)
    absence = [_not_claimed(name, why) for name in (SAME_CODE, NOTHING_LEFT)]
    control = _control(findings)
    return _record(findings, [*absence, control], FOUND if control["status"] == PASSED else NOT_CLAIMED)


def counted(subject: Subject, why: str) -> records.Record:
    """The record of a cell in which nothing is claimed: its counts."""
    findings = _Findings(subject)
    checks = [_not_claimed(name, why) for name in (SAME_CODE, NOTHING_LEFT, CONTROL)]
    return _record(findings, checks, KEPT if findings.messages else NOT_CLAIMED)


# --- what is there


class _Findings:
    """What the library has of debug code."""

    def __init__(self, subject: Subject) -> None:
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
        """Sentinels in the library that no statement has."""
        known = {statement.sentinel for statement in self.gathered.statements}
        return [self.messages[name] for name in sorted(self.messages) if name not in known]


def messages(file: elf.ObjectFile, pattern: re.Pattern[bytes]) -> dict[str, str]:
    """Sentinel -> a message that has it, for each that is in the data which the library loads.

    A compiler may turn a very short string into instructions; a sentinel should be longer than a
    register, or it can be missed.
    """
    found: dict[str, str] = {}
    for message in _strings(file):
        for match in pattern.finditer(message):
            if match.group():  # a pattern that matches nothing matches everywhere
                text = message[:_EXAMPLE_BYTES].decode("utf-8", "replace").strip()
                found.setdefault(match.group().decode("utf-8", "replace"), text)
    return found


def _strings(file: elf.ObjectFile) -> Iterator[bytes]:
    for section in file.sections:
        if section.loaded and not section.executable and section.name != ".dynstr":
            yield from section.data.split(b"\0")  # .dynstr has names of functions, which are no messages


# --- the checks


def _statements(gathered: Gathered, prints: Sequence[str]) -> records.Record:
    if not prints:
        return _not_claimed(STATEMENTS, NO_MACRO)
    return _check(STATEMENTS, list(gathered.mistakes), statements=len(gathered.statements))


def _same_code(subject: Subject) -> records.Record:
    """Each object beside the one that was compiled without debug code."""
    sections = size = 0
    wrong = []
    for compiled in subject.objects:
        wrong += [_tell(compiled, one, subject.traced) for one in _differences(compiled)]
        count, length = object_diff.compared(compiled.file)
        sections, size = sections + count, size + length
    facts = {"objects": len(subject.objects), "sections": sections, "bytes": size}
    return _check(SAME_CODE, wrong, **facts)


def _differences(compiled: Compiled) -> list[object_diff.Difference]:
    return object_diff.compare(compiled.file, compiled.traced_file)


def _tell(compiled: Compiled, difference: object_diff.Difference, places: Places) -> str:
    """A difference, at the last line that both have in common."""
    within = f" in {difference.function}" if difference.function else ""
    what = f"the code of {compiled.source}{within} is not the same without debug code: {difference.what}"
    line = None
    if difference.section is not None and difference.function:
        line = compiled.line(difference.section, difference.offset)
    return places.spot(*line).error(what) if line else f"{compiled.source}: error: {what}"


def _nothing_left(findings: _Findings) -> records.Record:
    wrong = [reference.error() for reference in findings.references]
    for statement in findings.gathered.statements:
        if findings.is_in_library(statement):
            wrong.append(statement.spot.error(f"the release still has the message {statement.sentinel}"))
    library = findings.subject.binary.name
    if findings.subject.prints and not findings.gathered.statements:
        wrong.append(
            f"{library}: error: its sources have no debug statement, so there is nothing to look for"
        )
    for message in findings.unknown_messages():
        wrong.append(f"{library}: error: no debug statement has this message, but the library: {message}")
    rules = [f"{' '.join(rule.symbols)}: {rule.reason}" for rule in findings.subject.rules]
    return _check(NOTHING_LEFT, wrong, sentinels=len(findings.gathered.statements), rules=rules)


def _control(findings: _Findings) -> records.Record:
    subject, gathered = findings.subject, findings.gathered
    if not subject.prints:
        return _not_claimed(CONTROL, NO_MACRO)
    wanted = statements.compiled_in(gathered.statements, subject.preprocessed)
    wrong = [
        one.spot.error(f"the message {one.sentinel} is compiled in, but not found in {subject.binary.name}")
        for one in wanted
        if not findings.is_in_library(one)
    ]
    if not wanted:
        wrong.append(f"{subject.binary.name}: error: no debug statement is compiled in, so none can be found")
    return _check(CONTROL, wrong, sentinels=len(wanted), left_out=len(gathered.statements) - len(wanted))


def _check(name: str, wrong: list[str], **facts: object) -> records.Record:
    return {"name": name, "status": FAILED if wrong else PASSED, "reason": None, "mistakes": wrong, **facts}


def _not_claimed(name: str, why: str) -> records.Record:
    return {"name": name, "status": NOT_CLAIMED, "reason": why, "mistakes": []}


# --- the record


def _record(findings: _Findings, checks: list[records.Record], verdict: str) -> records.Record:
    found = findings.messages
    checks = [_statements(findings.gathered, findings.subject.prints), *checks]
    failures = [f"{check['name']}: {mistake}" for check in checks for mistake in check["mistakes"]]
    return records.measured(
        "guards",
        verdict=FAILED if failures else verdict,
        failures=failures,
        log="\n".join(mistake for check in checks for mistake in check["mistakes"]),
        sentinel=findings.subject.sentinel,
        debug_strings={"count": len(found), "examples": [found[name] for name in sorted(found)[:EXAMPLES]]},
        statements={"count": len(findings.gathered.statements)},
        forbidden={"count": len(findings.references), "symbols": _symbols(findings.references)},
        sources=_sources(findings),
        checks=checks,
    )


def _symbols(found: Sequence[Reference]) -> list[str]:
    return sorted({reference.symbol for reference in found})


def _sources(findings: _Findings) -> dict[str, dict[str, int]]:
    """Of each file and layer: statements, messages left in the library, forbidden references."""
    sources: dict[str, dict[str, int]] = {}

    def count(owner: str, what: str) -> None:
        sources.setdefault(owner, {"statements": 0, "strings": 0, "forbidden": 0})[what] += 1

    for statement in findings.gathered.statements:
        count(statement.spot.owner, "statements")
        if findings.is_in_library(statement):
            count(statement.spot.owner, "strings")
    for reference in findings.references:
        count(reference.spot.owner, "forbidden")
    return {name: sources[name] for name in sorted(sources)}
