"""`request`: the checked command line, and the cells that it selects."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from layermatrix.build import request, targets, toolchain
from layermatrix.build.request import Request, RequestError
from layermatrix.build.targets import Kind
from layermatrix.build.toolchain import Missing, Toolchain
from layermatrix.core.errors import SelectionError
from layermatrix.jobs import base, registry
from layermatrix.jobs.base import Job, Plan
from layermatrix.model.cells import select
from layermatrix.model.project import Project
from layermatrix.spec.loader import load_project

GCC = Toolchain("gcc", ("gcc",), "gcc 12", "x86_64-linux-gnu")
STATS = "stats: {mode: stats, of: release, env: TOY_COUNTS}"
COMPILERS: request.Compilers = {"gcc": GCC, "clang": Missing("clang", "clang is not installed")}


@pytest.fixture
def toy(project: Callable[..., Path]) -> Project:
    return load_project(project(lean="doc: Lean.\nlayers: [list, refill]\n"))


def parse(arguments: Sequence[tuple[str, str]], names: Sequence[str], *, accept: bool = False) -> Request:
    return request.parse(arguments, names, registry.TARGETS, accept=accept)


def job(name: str) -> Job:
    found = next(target for target in registry.JOBS if target.name == name)
    assert isinstance(found, Job)
    return found


def ids(selection: request.Selection) -> list[str]:
    return [cell.id for cell in selection.cells]


def test_nothing_requested_is_the_main_job() -> None:
    command_line = parse([], [])
    assert command_line.names == ("phases",)
    assert command_line.of_kind(Kind.JOB) == (job("phases"),)
    assert command_line.axes == {}


def test_variables_are_distinguished() -> None:
    given = [("variant", "base"), ("PREFIX", "/opt"), ("soak", "60"), ("rounds", "9"), ("verbose", "1")]
    command_line = parse(given, ["bench"])
    assert command_line.axes == {"variant": "base"}
    rounds = command_line.number(targets.ROUNDS)
    assert (command_line.prefix, command_line.soak, rounds, command_line.verbose) == ("/opt", 60, 9, True)
    assert command_line.arguments() == ["verbose=1", "soak=60"]


def test_a_duration_and_a_share_may_have_units() -> None:
    for text, seconds in (("90", 90), ("90s", 90), ("2.5m", 150), ("1h", 3600)):
        assert parse([("budget", text)], ["bench"]).quantity(targets.BUDGET) == seconds
    for text in ("1%", "0.01"):
        assert parse([("precision", text)], ["bench"]).quantity(targets.PRECISION) == 0.01
    assert parse([], ["bench"]).quantity(targets.PRECISION) is None
    for name, text in (
        ("budget", "0"),
        ("budget", "3 m"),
        ("budget", "-1s"),
        ("precision", "100%"),
        ("precision", "x"),
    ):
        with pytest.raises(
            request.RequestError, match=rf"{name}={text}: expected a (duration|share) .* such as"
        ):
            parse([(name, text)], ["bench"])


def test_the_selection_of_cells_is_given_to_the_build_of_another_commit() -> None:
    given = [("mode", "all"), ("sample", "pairwise"), ("shard", "1/2"), ("rounds", "3")]
    assert parse(given, ["phases"]).selection() == ["mode=all", "sample=pairwise", "shard=1/2"]


def test_the_last_of_two_values_counts() -> None:
    assert parse([("mode", "debug"), ("mode", "release")], ["libs"]).axes == {"mode": "release"}


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "1e3", "86401", "६"])
def test_a_number_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="expected a whole number from 1 to 86400"):
        parse([("soak", text)], ["libs"])


@pytest.mark.parametrize(
    ("target", "given", "hint"),
    [
        ("test", "python=al", "did you mean 'all'?"),
        ("libs", "tests=shrot", "did you mean 'short'?"),
        ("libs", "verbose=yes", "known: 0, 1"),
        ("list", "why=al", "did you mean 'all'?"),
        ("matrix", "quarantine=chek", "did you mean 'check'?"),
        ("completion", "shell=bsh", "did you mean 'bash'?"),
        ("new", "ci=github2", "did you mean 'github'?"),
    ],
)
def test_a_value_that_is_not_listed_is_refused(target: str, given: str, hint: str) -> None:
    name, _, value = given.partition("=")
    with pytest.raises(RequestError, match=re.escape(f"{given}: unknown value; {hint}")):
        parse([(name, value)], [target])


def test_a_variable_that_no_target_takes_is_refused() -> None:
    with pytest.raises(RequestError, match="seconds= works only with the target 'fuzz'"):
        parse([("seconds", "5")], ["libs"])
    with pytest.raises(RequestError, match="experiment= works only with the target 'ab'"):
        parse([("experiment", "all")], ["ablate"])


def test_jobs_can_follow_each_other_but_not_mix_with_builds() -> None:
    assert parse([], ["phases", "report"]).names == ("phases", "report")
    with pytest.raises(RequestError, match="'report' and 'libs' cannot run together"):
        parse([], ["report", "libs"])


def test_a_path_is_left_to_the_build() -> None:
    assert parse([], ["build/x/y.o"]).cell_names() == {"x"}
    assert parse([], ["build/baseline/bin/bench"]).cell_names() == set()


def test_defaults_select_the_first_of_each_axis_that_is_there(toy: Project) -> None:
    assert ids(request.select(toy, parse([], []), COMPILERS)) == ["base-release-gcc"]


def test_a_cell_that_cannot_be_built_is_left_out_with_the_reason(toy: Project) -> None:
    chosen = request.select(toy, parse([("compiler", "all")], []), COMPILERS)
    assert ids(chosen) == ["base-release-gcc"]
    assert chosen.left_out == (("base-release-clang", "clang is not installed"),)


def test_a_sanitizer_that_cannot_be_linked_is_left_out(toy: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "sanitizer_missing", lambda compiler, name: f"no lib{name}")
    command_line = parse([("mode", "debug"), ("sanitizer", "asan")], [])
    with pytest.raises(RequestError, match="no cell is left: no libasan"):
        request.select(toy, command_line, COMPILERS)


def test_a_sanitizer_is_tried_once_for_all_cells_of_a_compiler(
    toy: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    monkeypatch.setattr(toolchain, "sanitizer_missing", lambda compiler, name: tried.append(name))
    command_line = parse([("variant", "all"), ("mode", "debug"), ("sanitizer", "all")], [])
    assert len(request.select(toy, command_line, COMPILERS).cells) == 4
    assert tried == ["none", "asan"]


def test_a_report_tries_no_compiler_for_cells_that_were_not_built(
    toy: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    monkeypatch.setattr(toolchain, "sanitizer_missing", lambda compiler, name: tried.append(name))
    (tmp_path / "build/base-debug-gcc").mkdir(parents=True)
    job("report").prepare(Plan(tmp_path, toy, parse([], ["report"]), COMPILERS, []))
    assert tried == ["none"]


def test_no_cell_left_is_an_error_with_the_reasons(toy: Project) -> None:
    with pytest.raises(RequestError, match="no cell is left: only in debug mode"):
        request.select(toy, parse([("sanitizer", "asan")], []), COMPILERS)


def test_an_unknown_value_is_an_error_with_a_suggestion(toy: Project) -> None:
    with pytest.raises(SelectionError, match="did you mean 'base'"):
        request.select(toy, parse([("variant", "bsae")], []), COMPILERS)


def test_a_file_selects_its_cell(toy: Project) -> None:
    command_line = parse([], ["build/lean-debug-gcc/libtoy.so"])
    assert ids(request.select(toy, command_line, COMPILERS)) == ["lean-debug-gcc"]
    with pytest.raises(RequestError, match="no cell is left: there is no lean-debug-tcc"):
        request.select(toy, parse([], ["build/lean-debug-tcc/libtoy.so"]), COMPILERS)


def test_the_whole_matrix_has_its_own_variants(toy: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "sanitizer_missing", lambda compiler, name: None)
    every = request.select(toy, parse([], ["matrix"]), COMPILERS)
    assert ids(every) == ["base-release-gcc", "base-debug-gcc", "base-debug-gcc-asan"]
    narrow = parse([("variant", "lean"), ("mode", "release")], ["matrix"])
    some = request.select(toy, narrow, COMPILERS)
    assert ids(some) == ["lean-release-gcc"]


def test_a_mode_in_which_layers_count_has_to_be_requested(
    project: Callable[..., Path],
    layers: Callable[[str, str], str],
    matrix: Callable[[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(toolchain, "sanitizer_missing", lambda compiler, name: None)
    catalogue = layers("sentinel: 'toy:'", f"sentinel: 'toy:'\n  {STATS}")
    modes = matrix("mode: [release, debug]", "mode: [release, debug, stats]")
    counting = load_project(project(layers=catalogue, matrix=modes))
    assert targets.shipped(counting) == {"variant": "base", "mode": "release,debug"}
    every = request.select(counting, parse([], ["matrix"]), COMPILERS)
    assert {cell.mode for cell in every.cells} == {"release", "debug"}
    command_line = parse([("mode", "stats"), ("sanitizer", "none")], ["matrix"])
    assert ids(request.select(counting, command_line, COMPILERS)) == ["base-stats-gcc"]


def test_layers_are_counted_in_the_mode_that_the_catalogue_declares(
    project: Callable[..., Path],
    layers: Callable[[str, str], str],
    matrix: Callable[[str, str], str],
    toy: Project,
) -> None:
    command_line = parse([], ["layers"])
    assert "no mode in which layers count" in (job("layers").why_missing(toy) or "")
    catalogue = layers("sentinel: 'toy:'", f"sentinel: 'toy:'\n  {STATS}")
    modes = matrix("mode: [release, debug]", "mode: [release, debug, stats]")
    counting = load_project(project(layers=catalogue, matrix=modes))
    assert ids(request.select(counting, command_line, COMPILERS)) == ["base-stats-gcc"]
    wrong = parse([("mode", "debug")], ["layers"])
    with pytest.raises(RequestError, match="counted in mode=stats, not in mode=debug"):
        job("layers").prepare(Plan(Path(), counting, wrong, COMPILERS, []))


def test_help_shows_the_values_that_this_project_has(toy: Project) -> None:
    text = targets.help_text(toy, COMPILERS, registry.TARGETS)
    assert "values: base, lean; default: base" in text
    assert "values: gcc, clang; default: gcc" in text


def test_help_shows_only_the_targets_that_this_project_has(
    toy: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a folder docs/reference/ decides on the target `reference`
    text = targets.help_text(toy, COMPILERS, registry.TARGETS, declared=["libs", "install"])
    shown = [line.split()[0] for line in text.partition("Targets")[2].splitlines() if line.startswith("  ")]
    assert {"phases", "libs", "install", "list"} <= set(shown)
    assert not {"compiledb", "lint", "fuzz", "peers", "pages", "layers", "tune"} & set(shown)
    assert "seconds=" not in text
    accepted = text.partition("--accept")[2]
    assert "docs/" not in accepted.replace("docs/story.md", "").replace("docs/study.md", "")


def test_a_child_build_gets_the_cells_if_its_axes_would_select_more(toy: Project, tmp_path: Path) -> None:
    """Cells that are left out elsewhere do not stand for a missing one."""
    plan = Plan(tmp_path, toy, parse([], ["phases"]), COMPILERS, [])
    every = select(toy, {"variant": "all", "mode": "all", "compiler": "gcc"}).cells
    some = request.Selection(every[1:], (("base-debug-zig", "zig is not installed"),))
    named = [word for word in base._axes(plan, some) if word.startswith("cells=")]
    assert named == [f"cells={','.join(cell.id for cell in some.cells)}"]
    assert not [word for word in base._axes(plan, request.Selection(every, ())) if word.startswith("cells=")]


def test_accept_is_for_the_counters() -> None:
    assert parse([], ["counters"], accept=True).accept
    assert not parse([], ["counters"]).accept
    accepting = (
        "'matrix', 'peers', 'counters', 'study', 'history', 'story', 'pages', 'reference' and 'report'"
    )
    message = f"--accept works only with the targets {accepting}"
    with pytest.raises(request.RequestError, match=message):
        parse([], ["phases"], accept=True)


def test_counters_takes_variants_that_have_a_file(toy: Project, tmp_path: Path) -> None:
    command_line = parse([("without", "ring")], ["counters"])
    with pytest.raises(RequestError, match="leave without= out"):
        job("counters").prepare(Plan(tmp_path, toy, command_line, COMPILERS, []))
