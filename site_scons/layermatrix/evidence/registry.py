"""The kinds of evidence, in the order in which reports show them. A new kind is a module and a line."""

from __future__ import annotations

from typing import Any

from layermatrix.evidence import asm, bench, budget, code, counters, guards, layers, programs, tests
from layermatrix.evidence.kind import Kind

# `Any`: each kind has records of a type of its own
KINDS: tuple[Kind[Any], ...] = (
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
