"""`new`: what it writes is valid, it overwrites nothing, and its errors name what helps."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from layermatrix.build import request
from layermatrix.jobs import outside, registry, starting_points
from layermatrix.jobs.starting_points import StartError
from layermatrix.spec.loader import load_project

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/symbol_lookup"


@pytest.fixture
def example(tmp_path: Path) -> Path:
    for name in ("variants", "templates", "src", "tests"):
        shutil.copytree(EXAMPLE / name, tmp_path / name)
    return tmp_path


def test_a_new_project_is_valid_and_named_like_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["layermatrix", "new", f"project={tmp_path / 'hot-path'}"])
    assert outside.main() == 0
    project = load_project(tmp_path / "hot-path", "src")
    assert (project.catalogue.system.name, [*project.variants]) == (
        "hot_path",
        ["plain", "remembering", "tabled"],
    )
    texts = [
        path.read_text(encoding="utf-8") for path in (tmp_path / "hot-path").rglob("*") if path.is_file()
    ]
    assert not [text for text in texts if "@name@" in text or "@NAME@" in text]
    assert (tmp_path / "hot-path/.gitignore").is_file()


def test_nothing_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine/src").mkdir(parents=True)
    (tmp_path / "mine/src/probe.c").write_text("mine\n", encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["layermatrix", "new", f"project={tmp_path / 'mine'}"])
    assert outside.main() == 2
    assert "probe.c exists, and nothing is overwritten" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "mine").rglob("*")] == ["src", "probe.c"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "usage:\n  layermatrix new project=FOLDER "),
        (["new"], "usage: layermatrix new project=FOLDER\n"),
        (["new", "layer=x"], "usage: layermatrix new project=FOLDER\n"),
        (["bundel"], "unknown command 'bundel'; did you mean 'bundle'?\n\nusage:"),
        (
            ["bundle", "cells"],
            "usage: layermatrix bundle [variable=value ...]\n'cells' is no variable=value;",
        ),
        (["run-bundle"], "usage: layermatrix run-bundle FILE [OUT.json]\n"),
    ],
)
def test_the_command_names_what_it_takes(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["layermatrix", *words])
    assert outside.main() == 2
    assert capsys.readouterr().err.startswith(message)


@pytest.mark.parametrize("words", [["-h"], ["new", "--help"], ["run-bundle", "-h"]])
def test_the_command_has_help(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["layermatrix", *words])
    assert outside.main() == 0
    assert capsys.readouterr().out.startswith("usage:")


@pytest.mark.parametrize("like", ["inline_cache", "hash_table", "linear_scan"])
def test_a_copy_of_each_layer_is_valid_and_can_be_used(like: str, example: Path) -> None:
    paths = starting_points.write_layer(example, load_project(example), "second", like)
    assert paths == [
        "variants/layers.yaml",
        *(["templates/layers/second.h.j2"] if like != "hash_table" else []),
    ]
    project = load_project(example)
    assert project.catalogue.layers["second"].title == "Second"
    assert project.catalogue.layers["second"].role == project.catalogue.layers[like].role
    (example / "variants/more.yaml").write_text(
        "doc: x\nextends: scan\nadd: [{layer: second}]\n", encoding="utf-8"
    )
    load_project(example)
    for path in paths[1:]:
        assert "second_find(" in (example / path).read_text(encoding="utf-8")


def test_a_copied_layer_keeps_the_comments_and_gets_a_variable_of_its_own(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "variants", tmp_path / "variants")
    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    before = (tmp_path / "variants/layers.yaml").read_text(encoding="utf-8")
    project = load_project(tmp_path)
    for like in project.catalogue.layers:
        starting_points.write_layer(tmp_path, load_project(tmp_path), f"my_{like}", like)
    after = (tmp_path / "variants/layers.yaml").read_text(encoding="utf-8")
    assert [line for line in before.splitlines() if line not in after.splitlines()] == []
    toggles = [layer.toggle.env for layer in load_project(tmp_path).catalogue.layers.values() if layer.toggle]
    assert len(toggles) == len(set(toggles))


@pytest.mark.parametrize("like", ["phase0", "phase2", "hakmem", "late", "unchecked"])
def test_a_new_variant_is_like_its_model_also_with_every_key_set(like: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "variants", tmp_path / "variants")
    project = load_project(tmp_path)
    texts = starting_points.of_variant(tmp_path, project, "mine", like)
    starting_points.write(tmp_path, texts)
    made = load_project(tmp_path).variants
    assert made["mine"].layers == made[like].layers
    lines = (tmp_path / "variants/mine.yaml").read_text(encoding="utf-8").splitlines()
    keys = ("# set:", "#   ", "# budget:")
    (tmp_path / "variants/mine.yaml").write_text(
        "\n".join(line[2:] if line.startswith(keys) else line for line in lines), encoding="utf-8"
    )
    assert load_project(tmp_path).variants["mine"].settings == made[like].settings


@pytest.mark.parametrize(
    ("kind", "name", "like", "message"),
    [
        ("variant", "9x", "scan", "variant=9x: the name must be a C identifier, not '9x'"),
        ("variant", "int", "scan", "variant=int: the name must be a C identifier, not the keyword 'int'"),
        ("variant", "all", "scan", "variant=all: the name cannot be 'all': that is the word for all of them"),
        ("variant", "scan", "cached", "variant=scan: there is a variant of this name already"),
        ("variant", "mine", "scn", "like=scn: unknown variant; did you mean 'scan'?"),
        ("variant", "mine", "", "variant= needs like=, the variant to start from; known: cached, "),
        (
            "variant",
            "quarantine",
            "scan",
            "variant=quarantine: variants/quarantine.yaml is a",
        ),
        ("layer", "a b", "hash_table", "layer=a b: the name must be a C identifier"),
        ("layer", "hash_table", "inline_cache", "layer=hash_table: there is a layer of this name already"),
        ("layer", "mine", "hash_tabel", "like=hash_tabel: unknown layer; did you mean 'hash_table'?"),
    ],
)
def test_a_mistake_is_named(kind: str, name: str, like: str, message: str, example: Path) -> None:
    project = load_project(example)
    start = {"variant": starting_points.of_variant, "layer": starting_points.of_layer}[kind]
    with pytest.raises(StartError) as raised:
        start(example, project, name, like)
    assert str(raised.value).startswith(message)


def test_a_layer_within_a_line_is_not_copied(example: Path) -> None:
    catalogue = example / "variants/layers.yaml"
    text = catalogue.read_text(encoding="utf-8")
    start = text.index("layers:\n")
    flow = (
        "layers: {scan_all: {title: Scan, doc: Scans., role: scan}, other: {title: O, doc: O., role: scan}}\n"
    )
    catalogue.write_text(text[:start] + flow, encoding="utf-8")
    for path in (example / "variants").glob("*.yaml"):
        if path.name != "layers.yaml":
            path.unlink()
    (example / "variants/scan.yaml").write_text("doc: x\nlayers: [scan_all]\n", encoding="utf-8")
    (example / "variants/matrix.yaml").write_text("doc: x\n", encoding="utf-8")
    project = load_project(example)
    with pytest.raises(StartError, match="has this layer within a line; add the new one by hand"):
        starting_points.write_layer(example, project, "mine", "other")


@pytest.mark.parametrize("service", starting_points.CI)
@pytest.mark.parametrize("wrapped", [False, True])
def test_the_commands_of_a_workflow_are_commands_of_the_project(
    service: str, wrapped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if wrapped:
        (tmp_path / "sconsw").write_text("", encoding="utf-8")
    ((path, text),) = starting_points.of_ci(service).items()
    assert path == starting_points.CI[service]
    start = "./sconsw" if wrapped else "scons"
    assert ("pip install layermatrix" in text) is not wrapped
    commands = re.findall(rf"{start} ((?:matrix|compare) .*?)(?: \|\| .*)?$", text, re.MULTILINE)
    assert len(commands) == 2
    for words in (
        shlex.split(line.strip("\"'") if line.count('"') % 2 else line.strip("'")) for line in commands
    ):
        parts = [word.partition("=") for word in words if "=" in word]
        pairs = [(name, value) for name, _, value in parts]
        names = [
            word
            for word in words
            if "=" not in word and word not in ("{{", "}}/4") and "matrix.shard" not in word
        ]
        found = request.parse(pairs, names, registry.TARGETS, others=("shard",))
        assert [target for target in found.targets if isinstance(target, str)] == []
