"""`scons new`: the new layer and variant can be built; a mistake stops with status 2."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.scons.conftest import Project


def test_a_new_layer_is_built_in_a_new_variant(foreign: Project, cc: str) -> None:
    made = foreign.build("new", "layer=drawer", "like=shelf").stdout
    assert made.startswith("variants/layers.yaml\ntemplates/layers/drawer.h.j2\nNext: ")
    made = foreign.build("new", "variant=mine", "like=small").stdout
    assert made == "variants/mine.yaml\nNext: scons variant=mine checks\n"
    foreign.append("variants/mine.yaml", "add: [{layer: drawer}]\n")
    foreign.build("variant=mine", "checks")
    (program,) = foreign.record(f"mine-release-{cc}", "tests")["programs"]
    assert program["status"] == "passed"
    assert "drawer" in foreign.read(f"build/mine-release-{cc}/gen/pool_gen.h")


def test_a_mistake_stops_before_anything_is_written(foreign: Project) -> None:
    for words, message in (
        ((), "new needs one of layer=NAME, variant=NAME, project=FOLDER and ci=SERVICE"),
        (
            ("layer=a", "variant=b"),
            "new needs one of layer=NAME, variant=NAME, project=FOLDER and ci=SERVICE",
        ),
        (("variant=small", "like=small"), "variant=small: there is a variant of this name already"),
        (("layer=a", "like=shelf", "mode=debug"), "new does not take mode="),
    ):
        run = foreign.scons("new", *words)
        assert (run.status, run.stderr) == (2, message + "\n"), words
