"""The kinds of evidence, in the order in which reports show them. A new kind is a module and a line."""

from __future__ import annotations

from layermatrix.evidence import asm, bench, budget, code, counters, guards, layers, programs, tests
from layermatrix.evidence.kind import AnyKind

KINDS: tuple[AnyKind, ...] = (
    asm.KIND,
    budget.KIND,
    code.KIND,
    guards.KIND,
    counters.KIND,
    tests.KIND,
    programs.KIND,
    layers.KIND,
    bench.KIND,
)
