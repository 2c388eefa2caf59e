"""Run a cell's libFuzzer programs, and record their findings and coverage.

Reads build/<cell>/fuzz/bin/ and the corpus. Writes the record `fuzz` to build/<cell>/evidence/fuzz.json,
inputs that reach new code to build/<cell>/fuzz/corpus/, and inputs that cause a failure to
build/<cell>/fuzz/findings/.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from layermatrix.core import process
from layermatrix.core.records import Format, Measured, NotMeasured

PATIENCE = 120.0  # seconds added to the requested time, for the start and the last input


class Outcome(Enum):
    FOUND = "found"
    CLEAN = "clean"


@dataclass(frozen=True)
class Search:
    """The result of one program. executions: the number of inputs tried. reached: the number of code places
    covered. findings: new inputs that cause a failure. command: reproduces the first finding."""

    name: str
    status: Outcome
    reason: str | None
    executions: int | None
    reached: int | None
    findings: tuple[str, ...]
    command: str


@dataclass(frozen=True)
class Fuzz(Measured):
    programs: tuple[Search, ...]
    seconds: int


FORMAT = Format("fuzz", Fuzz)


def run(cell: Path, seeds: Path, seconds: int, *, run: process.Run = process.run) -> Fuzz | NotMeasured:
    """Run each fuzzer of the cell for this many seconds, and write the record. seeds: the initial inputs."""
    programs = sorted((cell / "fuzz/bin").glob("*"))
    record: Fuzz | NotMeasured = NotMeasured("this cell has no fuzzer")
    if programs:
        searches = (_search(program, cell / "fuzz", seeds, seconds, run) for program in programs)
        record = Fuzz(tuple(searches), seconds)
    FORMAT.write(cell / "evidence/fuzz.json", record)
    return record


def _search(program: Path, work: Path, seeds: Path, seconds: int, run: process.Run) -> Search:
    corpus, findings = work / "corpus" / program.name, work / "findings" / program.name
    for folder in (corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    known = set(findings.iterdir())
    limits = ["-timeout=20", "-report_slow_units=20", "-rss_limit_mb=2048", "-detect_leaks=0"]
    command = [
        str(program), f"-max_total_time={seconds}", f"-artifact_prefix={findings}{os.sep}",
        "-print_final_stats=1", *limits, str(corpus), str(seeds),
    ]  # fmt: skip
    finished = run(command, environment=process.environment(), timeout=seconds + PATIENCE)
    output = process.text(finished.stderr)
    new = sorted(str(path) for path in set(findings.iterdir()) - known)
    return Search(
        name=program.name,
        status=Outcome.FOUND if finished.failure else Outcome.CLEAN,
        reason=_cause(output) or finished.failure if finished.failure else None,
        executions=_last_number(r"stat::number_of_executed_units:\s*(\d+)", output),
        reached=_last_number(r" cov: (\d+)", output),
        findings=tuple(new),
        command=shlex.join([str(program), *new[:1]]),
    )


def _last_number(pattern: str, output: str) -> int | None:
    found = re.findall(pattern, output)
    return int(found[-1]) if found else None


def _cause(output: str) -> str | None:
    """The failure in one line: the program's own message, otherwise the sanitizer's summary."""
    lines = output.splitlines()
    summary = next((line for line in lines if line.startswith("SUMMARY: ")), None)
    own = next((line for line in lines if re.match(r"\w+:\d+: |\w+: .*: 0x", line)), None)
    return own or summary


def has_findings(record: Fuzz | NotMeasured) -> bool:
    """Whether a fuzzer found a failure, or no fuzzer ran."""
    return isinstance(record, NotMeasured) or any(one.status is Outcome.FOUND for one in record.programs)


def lines(cell: str, record: Fuzz | NotMeasured) -> list[str]:
    """One line per program; for a finding, also the failure and the command that reproduces it."""
    if isinstance(record, NotMeasured):
        return [f"{cell}: not run: {record.reason}"]
    text = []
    for program in record.programs:
        tried = "?" if program.executions is None else f"{program.executions:,}"
        text.append(f"{cell}: {program.name}: {program.status.value}, {tried} inputs in {record.seconds} s")
        if program.status is Outcome.FOUND:
            text += [f"  {program.reason}", f"  {program.command}"]
    return text
