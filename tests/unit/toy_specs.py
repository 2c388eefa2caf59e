"""A small project of layer specs, and helpers to change its text."""

from __future__ import annotations

LAYERS = """
doc: A small catalogue.
profile: malloc
reported: {mops: {title: speed, unit: Mops/s}}
system:
  name: toy
  doc: A toy.
  skeleton: toy.h.j2
  header: toy_gen.h
  unity_skeleton: unity.c.j2
  unity: unity_gen.c
  library: toy
  modules: [a.c, b.c]
  probe: probe.c
  entries: {alloc: {function: take, probe: probe_take}}
  sentinel: 'toy:'
classes: {C0: 8, C1: 16, C2: 32, C3: 64}
options:
  eager: {doc: Be eager., type: bool, default: off, env: TOY_EAGER}
  batch: {doc: Blocks a batch., type: int, default: 8, min: 1, max: 64}
layers:
  stack:
    title: Stack
    doc: An array stack.
    role: cache
    classes: C1-C2
    storage: array_stack
    capacity: 32
    toggle: {env: TOY_STACK, default: on}
  ring:
    title: Ring
    doc: A ring.
    role: cache
    classes: [C0, C2]
    storage: ring
    capacity: 64
  list:
    title: List
    doc: A list for all.
    role: overflow
    classes: all
    storage: linked_list
    bytes: 4096
  refill:
    title: Refill
    doc: From the slabs.
    role: refill
    classes: all
    storage: none
    needs: [list]
"""

MATRIX = """
doc: A small matrix.
axes:
  variant: [base]
  mode: [release, debug]
  compiler: [gcc, clang]
  sanitizer: [none, asan]
rules:
  - exclude: {mode: release, sanitizer: asan}
    reason: only in debug mode
tests: {sources: tests/test_*.c, timeout: 10, soak: {test_soak: [--for, "{seconds}"]}}
programs: {scripts: tests/*.sh, timeout: 10}
baseline: {name: system malloc}
loads:
  mixed: {doc: Some., program: bench, args: [--ops, 10], counted: [--ops, 1]}
timing: {rounds: 3, headline: mixed}
counters: {loads: [mixed], I1: [32768, 8, 64], D1: [32768, 8, 64], LL: [8388608, 16, 64]}
"""

BASE = """
doc: The base.
layers: [stack, list, refill]
"""

FILES = {"layers": LAYERS, "matrix": MATRIX, "base": BASE}


def changed(text: str, old: str, new: str) -> str:
    """The text with its only `old` replaced."""
    assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
    return text.replace(old, new)


def marked(text: str) -> tuple[str, int, int]:
    """The text without its «, and the line and column of the «, both from 1."""
    text = text.lstrip("\n")
    before = text[: text.index("«")]
    return text.replace("«", ""), before.count("\n") + 1, len(before) - before.rfind("\n")
