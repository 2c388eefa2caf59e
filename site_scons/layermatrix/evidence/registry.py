"""The kinds of evidence, in the order of reports. A new kind needs one module and one line here."""

from __future__ import annotations

from layermatrix.evidence import asm, bench, budget, code, counters, guards, layers, programs, runs, tests
from layermatrix.evidence.kind import AnyKind

KINDS: tuple[AnyKind, ...] = (
    asm.KIND,
    budget.KIND,
    code.KIND,
    guards.KIND,
    counters.KIND,
    tests.KIND,
    runs.KIND,
    programs.KIND,
    layers.KIND,
    bench.KIND,
)
