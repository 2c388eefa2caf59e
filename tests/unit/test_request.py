"""`request`: the command line, checked, and the cells that it means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from layermatrix.build import request, toolchain
from layermatrix.build.request import RequestError
from layermatrix.build.toolchain import Missing, Toolchain
from layermatrix.core.errors import SelectionError
from layermatrix.model.project import Project
from layermatrix.spec.loader import load_project

GCC = Toolchain("gcc", ("gcc",), "gcc 12", "x86_64-linux-gnu")
STATS = "stats: {mode: stats, of: release, env: TOY_COUNTS}"
COMPILERS: request.Compilers = {"gcc": GCC, "clang": Missing("clang", "clang is not installed")}


@pytest.fixture
def toy(project: Callable[..., Path]) -> Project:
    return load_project(project(lean="doc: Lean.\nlayers: [list, refill]\n"))


def ids(selection: request.Selection) -> list[str]:
    return [cell.id for cell in selection.cells]


def test_nothing_asked_for_is_the_main_job() -> None:
    asked = request.parse([], [])
    assert asked.targets == ("phases",)
    assert asked.named("job") == ("phases",)
    assert asked.axes == {}


def test_variables_are_told_apart() -> None:
    given = [("variant", "base"), ("PREFIX", "/opt"), ("soak", "60"), ("rounds", "9"), ("verbose", "1")]
    asked = request.parse(given, ["libs"])
    assert asked.axes == {"variant": "base"}
    assert (asked.prefix, asked.soak, asked.rounds, asked.verbose) == ("/opt", 60, 9, True)
    assert asked.arguments() == ["verbose=1", "soak=60"]


def test_the_last_of_two_values_counts() -> None:
    assert request.parse([("mode", "debug"), ("mode", "release")], ["libs"]).axes == {"mode": "release"}


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "1e3", "86401", "६"])
def test_a_number_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="expected a whole number from 1 to 86400"):
        request.parse([("soak", text)], ["libs"])


def test_jobs_can_follow_each_other_but_not_mix_with_builds() -> None:
    assert request.parse([], ["phases", "report"]).named("job") == ("phases", "report")
    with pytest.raises(RequestError, match="'report' and 'libs' do not go together"):
        request.parse([], ["report", "libs"])


def test_a_path_is_left_to_the_build() -> None:
    assert request.parse([], ["build/x/y.o"]).cell_names() == {"x"}
    assert request.parse([], ["build/baseline/bin/bench"]).cell_names() == set()


def test_defaults_select_the_first_of_each_axis_that_is_there(toy: Project) -> None:
    assert ids(request.select(toy, request.parse([], []), COMPILERS)) == ["base-release-gcc"]


def test_a_cell_that_cannot_be_built_is_left_out_with_the_reason(toy: Project) -> None:
    chosen = request.select(toy, request.parse([("compiler", "all")], []), COMPILERS)
    assert ids(chosen) == ["base-release-gcc"]
    assert chosen.left_out == (("base-release-clang", "clang is not installed"),)


def test_a_sanitizer_that_cannot_be_linked_is_left_out(toy: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "sanitizer_missing", lambda compiler, name: f"no lib{name}")
    asked = request.parse([("mode", "debug"), ("sanitizer", "asan")], [])
    with pytest.raises(RequestError, match="no cell is left: no libasan"):
        request.select(toy, asked, COMPILERS)


def test_no_cell_left_is_an_error_with_the_reasons(toy: Project) -> None:
    with pytest.raises(RequestError, match="no cell is left: only in debug mode"):
        request.select(toy, request.parse([("sanitizer", "asan")], []), COMPILERS)


def test_an_unknown_value_is_an_error_with_a_suggestion(toy: Project) -> None:
    with pytest.raises(SelectionError, match="did you mean 'base'"):
        request.select(toy, request.parse([("variant", "bsae")], []), COMPILERS)


def test_a_file_says_which_cell_is_meant(toy: Project) -> None:
    asked = request.parse([], ["build/lean-debug-gcc/libtoy.so"])
    assert ids(request.select(toy, asked, COMPILERS)) == ["lean-debug-gcc"]
    with pytest.raises(RequestError, match="no cell is left: there is no lean-debug-tcc"):
        request.select(toy, request.parse([], ["build/lean-debug-tcc/libtoy.so"]), COMPILERS)


def test_the_whole_matrix_has_its_own_variants(toy: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "sanitizer_missing", lambda compiler, name: None)
    every = request.every_cell(toy, request.parse([], ["matrix"]), COMPILERS)
    assert ids(every) == ["base-release-gcc", "base-debug-gcc", "base-debug-gcc-asan"]
    some = request.every_cell(toy, request.parse([("variant", "lean"), ("mode", "release")], []), COMPILERS)
    assert ids(some) == ["lean-release-gcc"]


def test_a_mode_in_which_layers_count_has_to_be_asked_for(
    project: Callable[..., Path],
    layers: Callable[[str, str], str],
    matrix: Callable[[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(toolchain, "sanitizer_missing", lambda compiler, name: None)
    catalogue = layers("sentinel: 'toy:'", f"sentinel: 'toy:'\n  {STATS}")
    modes = matrix("mode: [release, debug]", "mode: [release, debug, stats]")
    counting = load_project(project(layers=catalogue, matrix=modes))
    assert request.shipped(counting) == {"variant": "base", "mode": "release,debug"}
    every = request.every_cell(counting, request.parse([], ["matrix"]), COMPILERS)
    assert {cell.mode for cell in every.cells} == {"release", "debug"}
    asked = request.parse([("mode", "stats"), ("sanitizer", "none")], ["matrix"])
    assert ids(request.every_cell(counting, asked, COMPILERS)) == ["base-stats-gcc"]


def test_layers_are_counted_in_the_mode_that_the_catalogue_says(
    project: Callable[..., Path],
    layers: Callable[[str, str], str],
    matrix: Callable[[str, str], str],
    toy: Project,
) -> None:
    asked = request.parse([], ["layers"])
    with pytest.raises(RequestError, match="no mode in which layers count"):
        request.select(toy, asked, COMPILERS)
    catalogue = layers("sentinel: 'toy:'", f"sentinel: 'toy:'\n  {STATS}")
    modes = matrix("mode: [release, debug]", "mode: [release, debug, stats]")
    counting = load_project(project(layers=catalogue, matrix=modes))
    assert ids(request.select(counting, asked, COMPILERS)) == ["base-stats-gcc"]
    wrong = request.parse([("mode", "debug")], ["layers"])
    with pytest.raises(RequestError, match="counted in mode=stats, not in mode=debug"):
        request.select(counting, wrong, COMPILERS)


def test_help_shows_the_values_that_this_project_has(toy: Project) -> None:
    text = request.help_text(toy, COMPILERS)
    assert "values: base, lean; default: base" in text
    assert "values: gcc, clang; default: gcc" in text


def test_accept_is_for_the_counters() -> None:
    assert request.parse([], ["counters"], accept=True).accept
    assert not request.parse([], ["counters"]).accept
    said = "--accept is for the targets 'counters', 'story' and 'pages'"
    with pytest.raises(request.RequestError, match=said):
        request.parse([], ["phases"], accept=True)


def test_counters_takes_variants_that_have_a_file() -> None:
    with pytest.raises(request.RequestError, match="leave without= out"):
        request.parse([("without", "ring")], ["counters"])
