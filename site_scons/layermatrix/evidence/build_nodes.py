"""Declare the build nodes of every registered kind of evidence for a cell.

A gate has a second file, `<kind>.passed`, which is written only when all checks pass. So the next build
repeats a gate that failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from layermatrix.evidence import registry
from layermatrix.evidence.builder import Builder, Node
from layermatrix.evidence.kind import AnyKind


@dataclass(frozen=True)
class Declared:
    """Build nodes. figures: evidence that runs no tests. every: all evidence."""

    figures: tuple[Node, ...]
    every: tuple[Node, ...]


def declare(build: Builder) -> Declared:
    """Declare the evidence of a cell, or of the baseline."""
    kinds = [kind for kind in registry.KINDS if kind.declare and (kind.of_baseline or not build.of_baseline)]
    made = [(kind, _node(build, kind)) for kind in kinds]
    return Declared(
        tuple(node for kind, nodes in made if kind.is_figure for node in nodes),
        tuple(node for _, nodes in made for node in nodes),
    )


def _node(build: Builder, kind: AnyKind) -> Sequence[Node]:
    reason = kind.why_left_out(build.cell, build.project)
    if reason or kind.declare is None:
        return build.made(
            "EVIDENCE", [kind.file], [], kind.leave_out, module=kind.module, values=[reason or ""]
        )
    inputs = kind.declare(build)
    targets = [kind.file, kind.stamp] if kind.is_gate else [kind.file]
    return build.made(
        "EVIDENCE",
        targets,
        inputs.sources,
        kind.establish,
        module=kind.module,
        needs=inputs.needs,
        values=inputs.values,
        after=(*inputs.after, *build.libraries),  # a record names the library that it is of
        hosted=kind.hosted,
    )
