"""The library works without an allocator: a symbol lookup with its own terms, and what a profile adds."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_specs import changed, marked

from layermatrix.core.errors import SpecErrors
from layermatrix.emit.printer import render_header
from layermatrix.model.catalogue import Better, Unit
from layermatrix.model.measuring import Link
from layermatrix.model.project import Project
from layermatrix.spec.loader import load_project

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "site_scons/layermatrix"
DOMAIN = LIBRARY / "profiles/malloc"  # the only folder with terms of allocators
REGISTRY = LIBRARY / "profiles/registry.py"  # imports every profile by its name
ALLOCATORS = re.compile(r"malloc|hakmem|superslab|size class|mops|preload|interpos", re.IGNORECASE)
# A library is preloaded by one module. The others offer it to a spec that requests it, and require nothing.
MAY_PRELOAD = {
    "core/library_use.py": "preloads a library, and proves its use",
    "core/process.py": "removes the user's own preloaded libraries",
    "model/measuring.py": "a load can declare `link: preloaded`; `programs:` is optional",
    "evidence/programs.py": "describes what evidence/taking/programs.py does",
    "evidence/taking/programs.py": "an existing program cannot get the library in another way",
    "jobs/page_libraries.py": "a page may show how libraries that were not built here answer",
}

LOOKUP = """
doc: A symbol lookup in three layers.
unit: {work: lookup, figure: ns/lookup, better: lower}
reported: {ns: {title: time, unit: ns, better: lower}, found: {title: found, type: text}}
system:
  name: lookup
  skeleton: lookup.h.j2
  header: lookup_gen.h
  library: lookup
  modules: [table.c]
  entries: {find: {function: lookup_find, probe: probe_find, role: table}}
roles: [inline, table, scan]
keys: {functions: {words: 1}, labels: {words: 2}}
settings:
  hash: {doc: How names are hashed., values: [fnv, siphash], default: fnv, macro: LOOKUP_HASH}
  slots: {doc: Slots a bucket., values: [4, 8], default: 8}
storages: {pairs: {doc: Names and values., shape: power_of_two, needs: {words: 2}}}
layers:
  inline_cache: {title: Inline cache, doc: The last answer., role: inline}
  hash_table: {title: Hash table, doc: All answers., role: table, keys: labels, storage: pairs, capacity: 64}
  scan: {title: Scan, doc: Looks through the names., role: scan}
"""
FILES = {
    "layers": LOOKUP,
    "matrix": "doc: Two modes.",
    "all": "doc: All layers.\nlayers: [inline_cache, hash_table, scan]\nset: {hash: siphash}",
}
Write = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path) -> Write:
    """Writes the symbol lookup, some of its files replaced."""

    def write(**files: str) -> Path:
        (tmp_path / "variants").mkdir(exist_ok=True)
        named = {**{"every" if name == "all" else name: text for name, text in FILES.items()}, **files}
        for name, text in named.items():
            path = tmp_path / "variants" / f"{name}.yaml"
            path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return tmp_path

    return write


def mistakes(root: Path) -> list[str]:
    with pytest.raises(SpecErrors) as caught:
        load_project(root)
    return str(caught.value).splitlines()


@pytest.fixture
def lookup(project: Write) -> Project:
    return load_project(project())


# --- a catalogue with its own terms


def test_a_first_catalogue_of_another_domain_is_short(lookup: Project) -> None:
    assert len(LOOKUP.strip().splitlines()) <= 40
    assert lookup.catalogue.profile == ""
    assert lookup.catalogue.unit == Unit("lookup", "ns/lookup", Better.LOWER)
    assert lookup.catalogue.reported["ns"].better is Better.LOWER


def test_what_is_not_given_has_a_neutral_value(lookup: Project, project: Write) -> None:
    system, matrix = lookup.catalogue.system, lookup.matrix
    assert (system.unity, system.sentinel, system.stats, system.debug, system.probe) == (None,) * 5
    assert matrix.axes.variant == ("every",)
    assert (matrix.loads, matrix.tests.sources, matrix.programs.scripts) == ({}, (), "")
    text = LOOKUP.replace("unit: {work: lookup, figure: ns/lookup, better: lower}\n", "")
    assert load_project(project(layers=text)).catalogue.unit == Unit("op", "M/s", Better.HIGHER)


def test_settings_are_seen_by_templates_and_as_numbers_in_c(lookup: Project) -> None:
    variant = lookup.variants["every"]
    assert (variant.settings["hash"], variant.settings["slots"]) == ("siphash", 8)
    assert (variant.numbers["hash"], variant.numbers["slots"]) == (1, 8)
    assert variant.macros == {"LOOKUP_HASH": 1}


def test_templates_see_values_of_keys_settings_and_macros(project: Write) -> None:
    root = project(every="doc: One layer.\nlayers: [scan]")
    folder = root / "templates" / "layers"
    folder.mkdir(parents=True)
    (folder / "scan.h.j2").write_text("{% macro find() %}scan();{% endmacro %}", encoding="utf-8")
    skeleton = """\
    {% for macro, number in variant.macros.items() %}
    #define {{ macro }} {{ number }}
    {% endfor %}
    {{ variant.keys | map(attribute='words') | join(', ') }} {{ variant.settings.hash }}
    {{ layers[0].t.find() }}
    """
    (root / "templates" / "lookup.h.j2").write_text(textwrap.dedent(skeleton), encoding="utf-8")
    variant = load_project(root).variants["every"]
    assert render_header(variant, root / "templates") == "#define LOOKUP_HASH 0\n1, 2 fnv\nscan();\n"


def test_keys_can_be_names_alone_or_left_out(project: Write) -> None:
    keys = "keys: {functions: {words: 1}, labels: {words: 2}}\n"
    text = changed(LOOKUP, keys, "keys: [a, b]\n").replace(
        "keys: labels, storage: pairs, capacity: 64", "keys: b"
    )
    variant = load_project(project(layers=text)).variants["every"]
    assert [key.name for key in variant.keys] == ["a", "b"]
    assert [layer.mask for layer in variant.layers] == [0b11, 0b10, 0b11]
    text = text.replace("keys: [a, b]\n", "").replace(", keys: b", "")
    assert [layer.serves_all for layer in load_project(project(layers=text)).variants["every"].layers] == [
        True
    ] * 3


WRONG = [
    (
        "keys: labels, storage",
        "keys: «all, storage",
        "storage pairs needs a 'words' of 2 or more, but 'functions' has 1",
    ),
    ("capacity: 64", "capacity: «48", "a pairs's capacity is a power of two, not 48"),
    ("role: scan}", "role: «scna}", "unknown role 'scna'; did you mean 'scan'?"),
    ("role: table}}", "role: «tabel}}", "unknown role 'tabel'; did you mean 'table'?"),
    ("storage: pairs", "storage: «piars", "unknown storage 'piars'; did you mean 'pairs'?"),
    ("roles: [inline", "«classes: {a: 8}\nroles: [inline", "unknown key 'classes' in the file"),
    ("doc: A symbol", "profile: «mallok\ndoc: A symbol", "'profile' must be one of malloc, not 'mallok'"),
]


@pytest.mark.parametrize(("old", "new", "what"), WRONG)
def test_a_mistake_in_a_catalogue_without_a_profile_is_reported_in_its_terms(
    old: str, new: str, what: str, project: Write
) -> None:
    text, line, column = marked(changed(LOOKUP, old, new))
    (message, *others) = mistakes(project(layers=text))
    assert message.startswith(f"variants/layers.yaml:{line}:{column}: error: {what}")
    assert others == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "doc: X.\nlayers: [scan, «inline_cache]",
            "layer 'inline_cache' (inline) stands after 'scan' (scan)",
        ),
        ("doc: X.\nlayers: [«inline_cache]", "no layer has the role scan; the last one must have it"),
        ("doc: X.\nextends: every\nset: {hash: «md5}", "'hash' must be one of fnv, siphash, not 'md5'"),
        ("doc: X.\nextends: every\nset: {«checks: none}", "unknown setting 'checks'"),
        ("doc: X.\nextends: every\nset: {layout: «unity}", "'layout: unity' needs the system's 'unity'"),
        (
            "doc: X.\nextends: every\nreported: {ns: «fast}",
            "reported figure 'ns' must be a figure or a range",
        ),
        (
            "doc: X.\nextends: every\nreported: {«mops: '4'}",
            "unknown reported figure 'mops'; known: ns, found",
        ),
    ],
)
def test_a_mistake_in_a_variant_without_a_profile_is_reported_in_its_terms(
    text: str, what: str, project: Write
) -> None:
    text, line, column = marked(text)
    (message,) = mistakes(project(mine=text))
    assert message.startswith(f"variants/mine.yaml:{line}:{column}: error: {what}")


def test_a_reported_figure_is_of_its_type(project: Write) -> None:
    mine = "doc: X.\nextends: every\nreported: {ns: '40-50', found: nearly all}"
    assert load_project(project(mine=mine)).variants["mine"].reported == {
        "ns": "40-50",
        "found": "nearly all",
    }


def test_a_load_is_linked_with_the_library_unless_it_declares_otherwise(project: Write) -> None:
    load = "loads: {loop: {doc: A loop., program: bench_loop, args: [a]}}\n"
    given = load.replace("args", "link: preloaded, args")
    for text, link in ((load, Link.INLINED), (given, Link.PRELOADED)):
        matrix = load_project(project(matrix=f"doc: One.\n{text}")).matrix
        assert matrix.loads["loop"].link is link


def test_files_are_left_out_of_a_build_with_a_sanitizer_under_a_neutral_key(project: Write) -> None:
    text = changed(LOOKUP, "modules: [table.c]", "modules: [table.c]\n  without_sanitizer: [names.c]")
    system = load_project(project(layers=text)).catalogue.system
    assert system.without_sanitizer == ("names.c",)
    assert system.own_sources == ("table.c", "names.c")
    (error,) = mistakes(project(layers=text.replace("without_sanitizer", "interpose")))
    assert "unknown key 'interpose' in 'system'" in error


# --- a profile


def test_the_profile_of_allocators_preloads_and_interposes() -> None:
    project = load_project(ROOT)
    assert {load.link for load in project.matrix.loads.values()} == {Link.PRELOADED}
    names = [Path(file).name for file in project.catalogue.system.without_sanitizer]
    assert "hakmem_interpose.c" in names


def test_64_keys_have_masks_of_64_bits(tmp_path: Path) -> None:
    """Uses the templates of this project, with a layer for the first and the last of 64 classes."""
    (tmp_path / "variants").mkdir()
    catalogue = (ROOT / "tests/golden/catalogue.yaml").read_text(encoding="utf-8")
    table = ", ".join(f"C{index}: {16 * (index + 1)}" for index in range(64))
    catalogue = changed(catalogue, "{C0: 16, C1: 32, C2: 64}", f"{{{table}}}")
    catalogue = catalogue.replace("classes: [C0, C2]", "classes: [C0, C63]")
    files = {
        "layers": catalogue,
        "matrix": "doc: One.",
        "one": "doc: A ring.\nlayers: [ring_cache, tls_sll, legacy_refill]",
    }
    for name, text in files.items():
        (tmp_path / "variants" / f"{name}.yaml").write_text(text, encoding="utf-8")
    wide = render_header(load_project(tmp_path).variants["one"], ROOT / "templates")
    assert "uint64_t classes;" in wide
    assert "0x8000000000000001ull" in wide
    assert "((0x8000000000000001ull >> class) & 1u)" in wide
    assert "0xffffffffffffffffull" in wide


def test_more_than_64_keys_are_too_many(project: Write) -> None:
    table = ", ".join(f"k{index}" for index in range(65))
    text = changed(LOOKUP, "keys: {functions: {words: 1}, labels: {words: 2}}", f"keys: [{table}]")
    assert "'keys' must have 1 to 64 entries, not 65" in mistakes(project(layers=text))[0]


@pytest.mark.parametrize("package", sorted(path.parent.name for path in LIBRARY.glob("*/__init__.py")))
def test_only_the_profile_of_allocators_has_terms_of_allocators(package: str) -> None:
    files = [path for end in ("py", "j2", "css") for path in (LIBRARY / package).rglob(f"*.{end}")]
    for path in sorted(files):
        if path == REGISTRY or path.is_relative_to(DOMAIN):
            continue
        found = ALLOCATORS.findall(path.read_text(encoding="utf-8"))
        if str(path.relative_to(LIBRARY)) in MAY_PRELOAD:
            found = [word for word in found if word.lower() != "preload"]
        assert not found, f"{path.relative_to(ROOT)} contains {', '.join(found)}"
