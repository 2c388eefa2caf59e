"""The job `watch`: files that change, and the figures that move with them."""

from __future__ import annotations

from pathlib import Path

from report_samples import phases

from layermatrix.core import polling
from layermatrix.jobs import watch


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
