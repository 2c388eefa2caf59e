"""`tune`: a search that is interrupted, goes on, leaves out what cannot be, and writes its best variant."""

from __future__ import annotations

import importlib.util
import re
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.scons.conftest import Project

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("optuna") is None, reason="optuna is not installed"),
    pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed"),
]

OPTION = """
options:
  laps: {doc: Turns of a loop that only costs., type: int, default: 6, min: 0, max: 8}

layers:
"""
TUNE = """
tune:
  small:
    doc: How long it waits, and how much it keeps.
    loads: {churn: 1}
    memory_percent: 50
    options:
      laps: {min: 0, max: 24, step: 2}
    capacity:
      shelf: {choices: [8, 16, 32]}
"""


def words(text: str) -> str:
    return " ".join(text.split())


def test_a_search_goes_on_after_an_interrupt_and_writes_the_best_variant(foreign: Project) -> None:
    foreign.edit("variants/layers.yaml", "\nlayers:\n", OPTION)
    loop = "    for (volatile int i = 0; i < {{ variant.options.laps.default }}; i++) {}\n"
    foreign.edit("templates/pool.h.j2", "    void *buffer = NULL;\n", f"    void *buffer = NULL;\n{loop}")
    foreign.append("variants/matrix.yaml", TUNE)

    first = words(foreign.interrupted(r"trial 2/", "tune", "trials=8"))
    assert "trial 1/8: options.laps=6 capacity.shelf=16: 1.0000x instructions; best 1.0000x" in first
    assert "interrupted: the same command goes on after the last finished trial" in first
    run = foreign.build("tune", "trials=8", "write=quick")
    text = words(run.stdout)
    assert re.search(r"[2-9] trials known from an earlier run", text), text
    assert "trial 8/8: " in text
    assert "trial 1/8" not in text
    both = first + text
    assert "left out: option 'laps' must be a whole number from 0 to 8, not " in both
    best = re.search(r"best of 8 trials: options.laps=(\d) capacity.shelf=(\d+): 0\.\d+x instructions", text)
    assert best, text
    assert "importance: " in text
    assert "Verdict: small tuned takes fewer instructions than small on churn: 0." in text
    made = foreign.read("variants/quick.yaml")
    assert f"set: {{options: {{laps: {best[1]}}}, capacity: {{shelf: {best[2]}}}}}" in made
    assert "x instructions on churn (weight 1)." in made
    (header,) = foreign.root.glob("build/try/tune-small/build/small-release-*/gen/pool_gen.h")
    assert "i < 6" in header.read_text(encoding="utf-8")
    assert f"i < {best[1]}" in foreign.read(_header(foreign))
    again = foreign.build("tune", "trials=8")
    assert "8 trials known from an earlier run" in again.stdout
    assert "counting" not in again.stdout


def _header(project: Project) -> str:
    """The header of the written variant, which is built now."""
    project.build("variant=quick", "headers")
    (found,) = project.root.glob("build/quick-release-*/gen/pool_gen.h")
    return str(found.relative_to(project.root))
