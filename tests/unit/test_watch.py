"""The job `watch`: files that change, and the figures that move with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_samples import phases

from layermatrix.build.request import Request
from layermatrix.core import polling
from layermatrix.jobs import watch
from layermatrix.jobs.base import Plan


def test_changed_files_are_new_gone_or_different(tmp_path: Path) -> None:
    for name in ("kept", "edited", "gone", ".hidden"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    before = polling.stamps([tmp_path, tmp_path / "no such file"])
    (tmp_path / "edited").write_text("longer than before", encoding="utf-8")
    (tmp_path / "gone").unlink()
    (tmp_path / "new").write_text("", encoding="utf-8")
    (tmp_path / ".hidden").write_text("changed", encoding="utf-8")
    changed = polling.changed(before, polling.stamps([tmp_path]))
    assert [Path(name).name for name in changed] == ["edited", "gone", "new"]


def test_a_change_is_waited_for_until_the_files_are_steady() -> None:
    states = iter([{"a": (1, 1)}, {"a": (2, 1)}, {"a": (2, 1), "b": (1, 1)}, {"a": (2, 1), "b": (1, 1)}])
    pauses: list[float] = []
    assert polling.wait_for_change(lambda: next(states), {"a": (1, 1)}, pauses.append) == ["a", "b"]
    assert pauses == [polling.PAUSE, polling.STEADY, polling.STEADY]


def test_a_mistake_in_the_spec_does_not_end_the_watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is printed, and the next change is waited for."""
    spec, source = str(tmp_path / "variants/a.yaml"), str(tmp_path / "src/a.c")
    changes = iter([[spec], [spec], [source]])
    monkeypatch.setattr(polling, "wait_for_change", lambda look, seen: next(changes))
    readings = iter([2, 0])
    monkeypatch.setattr(watch, "run_child", lambda command, folder, silent: next(readings))
    plan = Plan(tmp_path, None, Request(targets=()), {}, ("scons",))  # type: ignore[arg-type]
    assert watch.wait_for_change(plan, {})
    assert [*readings] == [], "the first reading found a mistake"
    assert not watch.wait_for_change(plan, {})
    shown = capfd.readouterr().out.split("\n")
    assert [line for line in shown if line] == 2 * ["changed: variants/a.yaml"] + ["changed: src/a.c"]


def test_a_new_folder_or_file_beside_sconstruct_is_a_change(tmp_path: Path) -> None:
    for name in ("src/a.c", "build/a.o", "SConstruct"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("", encoding="utf-8")
    before = watch.stamps(tmp_path)
    for name in ("more/b.c", "top.c", "SConscript.more", ".hidden/c.c", "run.log", "docs/page.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("", encoding="utf-8")
    changed = polling.changed(before, watch.stamps(tmp_path))
    assert [Path(name).name for name in changed] == ["SConscript.more", "b.c", "top.c"]


def test_only_figures_that_moved_are_shown_with_their_percent() -> None:
    before = {"x: asm (instr.)": "1,000", "x: budget (within)": "3/3", "x: failed": "nothing"}
    after = {"x: asm (instr.)": "1,100", "x: budget (within)": "2/3", "x: failed": "nothing", "x: new": "1"}
    assert watch.moves(before, after) == [
        "x: asm (instr.): 1,000 -> 1,100 (+10.0%)",
        "x: budget (within): 3/3 -> 2/3",
        "x: new: none -> 1",
    ]
    assert watch.moves(after, after) == ["no figure has moved"]


def test_the_figures_are_those_of_every_kind_and_cell() -> None:
    found = watch.figures(phases())
    cells = {name.split(":")[0] for name in found}
    assert {cell.id for cell in phases().cells} == cells
    assert any("asm" in name for name in found)
