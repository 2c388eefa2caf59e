"""Read a project's spec files into the frozen records of `model`, or report every mistake in them at once.

Reads `variants/` under the project's root: layers.yaml, matrix.yaml, experiments.yaml, and one file per
variant. If the folder of the C sources is known, the loader also checks that the named files exist (`disk`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from layermatrix.core.errors import Place, Report, hint_for, quote
from layermatrix.core.kinds import NAME, Misfit, Text
from layermatrix.model.catalogue import Catalogue
from layermatrix.model.layers import ALL, Option
from layermatrix.model.measuring import Experiment
from layermatrix.model.plan import Matrix
from layermatrix.model.project import Project
from layermatrix.model.variants import Variant
from layermatrix.profiles import registry
from layermatrix.spec import catalogue as catalogues
from layermatrix.spec import disk, matrix, reading
from layermatrix.spec.catalogue import Vocabulary
from layermatrix.spec.judgement import Judgement, own_keys
from layermatrix.spec.lineage import FROM_ENVIRONMENT, Draft, File, Lineage
from layermatrix.spec.reading import Document
from layermatrix.spec.shapes import CatalogueSpec, ExperimentsSpec, VariantSpec
from layermatrix.spec.yamlnodes import Mapping as MappingNode
from layermatrix.spec.yamlnodes import Scalar

FOLDER = "variants"
CATALOGUE = "layers.yaml"
MATRIX = "matrix.yaml"
EXPERIMENTS = "experiments.yaml"
NO_VARIANTS = (CATALOGUE, MATRIX, EXPERIMENTS)
FIGURE = r"[0-9]+(\.[0-9]+)?"
NUMBER = Text("a figure or a range of two, such as '23.6' or '40-50'", f"{FIGURE}(-{FIGURE})?", longest=40)
TEXT = Text("text", longest=40)


def load_project(root: Path | str, sources: str | None = None) -> Project:
    """Read `variants/`; raises SpecErrors with every mistake in every file.

    sources: the folder of the C files, relative to the root. With None, the loader does not look for files.
    """
    report, folder = Report(), Path(root) / FOLDER
    names = variant_names(folder, report)
    layers = _open_catalogue(folder, report)
    spec = reading.read(CatalogueSpec, layers)
    words = catalogues.vocabulary(spec) if spec else None
    if spec and words:
        catalogues.check(spec, words, layers)
    files = {name: _read_variant(folder, name, layers.words, report) for name in names}
    drafts = Lineage(spec, words, layers, files).draft_all()
    if spec and words:
        _judge(spec, words, layers, files, drafts)
    for file in files.values():
        _check_reported(file, spec, layers)
    plan, document = _read_matrix(folder, names, spec, layers, report)
    experiments = _read_experiments(folder, names, plan, document, report)
    if sources is not None:
        if spec and layers.sound("system"):
            _report_absent(disk.of_system(Path(root), sources, spec.system), layers)
        if plan:
            _report_absent(disk.of_matrix(Path(root), plan), document)
    report.raise_if_any()
    assert spec
    assert words
    assert plan
    catalogue = catalogues.resolve(spec, words, layers)
    variants = {
        name: _resolve(name, file.spec, drafts[name], catalogue, spec, words)
        for name, file in files.items()
        if file.spec
    }
    return Project(catalogue, variants, matrix.resolve(plan, names, words.profile.link), experiments)


def _report_absent(absent: Iterable[disk.Absent], document: Document) -> None:
    """Report the named files that are missing. Skips invalid values, and skips tests if the existing tests
    cannot be read."""
    unread = () if document.sound("tests") else ("tests", "pages")
    for one in [one for one in absent if one.path[0] not in unread and document.sound(*one.path)]:
        document.error(one.path, one.what, one.hint, at_key=one.at_key)


# --- the files


def spec_files(root: Path | str) -> list[Path]:
    """The files that `load_project` reads, sorted by name. The build declares them as dependencies."""
    folder = Path(root) / FOLDER
    return sorted(path for path in folder.glob("*.yaml") if not path.name.startswith("."))


def variant_names(folder: Path, report: Report) -> list[str]:
    """The variants that have a file."""
    if not folder.is_dir():
        report.error(Place(FOLDER, 1, 1), "cannot be read: no such folder")
        report.raise_if_any()
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in (".yml", ".yaml") and path.suffix != ".yaml" and path.name[0] != ".":
            place = Place(f"{FOLDER}/{_printable(path.name)}", 1, 1)
            what = "is not read: the name of a spec file ends in .yaml"
            report.error(place, what, f"rename it to {_printable(path.stem)}.yaml")
    names = [path.stem for path in spec_files(folder.parent) if path.name not in NO_VARIANTS]
    if not names:
        hint = "a variant is a file such as variants/mine.yaml"
        report.error(Place(FOLDER, 1, 1), "there is no variant", hint)
    return names


def _printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def _open_catalogue(folder: Path, report: Report) -> Document:
    """Read layers.yaml; the profile that it names defines the terms. If the file cannot be read, the terms of
    every profile are accepted, so that other files get no errors about them."""
    document = reading.open_document(folder / CATALOGUE, f"{FOLDER}/{CATALOGUE}", {}, report)
    named = next(document.walk(("profile",)), None)
    if named and isinstance(named.node, Scalar):
        document.words = registry.of(named.node.text).words
    elif not isinstance(document.node, MappingNode):
        document.words = {own: word for one in registry.PROFILES.values() for own, word in one.words.items()}
    return document


def _read_variant(folder: Path, name: str, words: Mapping[str, str], report: Report) -> File:
    """Read a variant's file. The variant's name must be valid in paths, patterns and C comments."""
    shown = _printable(name)
    place = Place(f"{FOLDER}/{shown}.yaml", 1, 1)
    try:
        NAME.read(shown)
        if name == ALL:
            report.error(place, "a variant cannot be called 'all': that is the word for every variant")
    except Misfit as wrong:
        report.error(place, f"the file's name without .yaml {wrong.what}", wrong.hint)
    document = reading.open_document(folder / f"{name}.yaml", place.path, words, report)
    return File(document, reading.read(VariantSpec, document))


def _read_matrix(
    folder: Path, names: list[str], spec: CatalogueSpec | None, layers: Document, report: Report
) -> tuple[Matrix | None, Document]:
    document = reading.open_document(folder / MATRIX, f"{FOLDER}/{MATRIX}", {}, report)
    plan = reading.read(Matrix, document)
    if plan:
        matrix.check(plan, names, document)
        _check_figures(plan.baseline.reported, ("baseline", "reported"), spec, layers, document)
    return plan, document


def _read_experiments(
    folder: Path, names: list[str], plan: Matrix | None, file: Document, report: Report
) -> dict[str, Experiment]:
    """The experiments, if the project has any."""
    if not (folder / EXPERIMENTS).is_file():
        return {}
    document = reading.open_document(folder / EXPERIMENTS, f"{FOLDER}/{EXPERIMENTS}", {}, report)
    spec = reading.read(ExperimentsSpec, document)
    if spec is None:
        return {}
    matrix.check_experiments(spec, names, plan, file, document)
    return dict(spec.experiments)


def _judge(
    spec: CatalogueSpec,
    words: Vocabulary,
    layers: Document,
    files: Mapping[str, File],
    drafts: Mapping[str, Draft],
) -> None:
    """Check that the layers of each otherwise valid variant fit together. If they do not, the variant's
    children are not checked."""
    if not layers.sound("keys") or not layers.sound("roles") or not layers.sound("settings"):
        return
    for name, draft in sorted(drafts.items(), key=lambda one: len(one[1].lineage)):
        sound = all(layers.sound("layers", layer.value) for layer in draft.layers)
        if draft.known and sound and all(files[one].document.sound() for one in draft.lineage):
            own, document = files[name].spec, files[name].document
            assert own is not None
            has_unit = not layers.sound("system") or spec.system.unity is not None
            Judgement(own, document, draft, spec.layers, words, has_unit).judge()


def _check_reported(file: File, spec: CatalogueSpec | None, layers: Document) -> None:
    if file.spec:
        _check_figures(file.spec.reported, ("reported",), spec, layers, file.document)


def _check_figures(
    given: Mapping[str, object],
    path: tuple[str, ...],
    spec: CatalogueSpec | None,
    layers: Document,
    document: Document,
) -> None:
    """Check that the catalogue declares each reported figure, and that the figure has the declared type."""
    for name, node in given.items() if spec and layers.sound("reported") else ():
        assert spec is not None
        known = spec.reported.get(name)
        if known is None:
            hint = hint_for(name, spec.reported) or "the catalogue declares them under 'reported'"
            document.error((*path, name), f"unknown reported figure {quote(name)}", hint, at_key=True)
            continue
        try:
            (NUMBER if known.type == "number" else TEXT).read(node)
        except Misfit as wrong:
            reading.report_misfit(wrong, (*path, name), document)


# --- records, once there are no mistakes


def _resolve(
    name: str, spec: VariantSpec, draft: Draft, catalogue: Catalogue, layers: CatalogueSpec, words: Vocabulary
) -> Variant:
    keys = draft.keys or catalogue.keys
    chosen = []
    for position, layer in enumerate(draft.layers, start=1):
        own = layers.layers[layer.value]
        own = replace(own, capacity=draft.capacities.get(own.name, own.capacity))
        resolved = catalogues.resolve_layer(own, words, keys, own_keys(own, draft, words))
        chosen.append(replace(resolved, position=position))
    numbers = {key: words.settings[key].number(value) for key, value in draft.settings.items()}
    macros = {one.macro: numbers[key] for key, one in words.settings.items() if one.macro}
    return Variant(
        name=name,
        doc=spec.doc,
        source=f"{FOLDER}/{name}.yaml",
        lineage=draft.lineage,
        keys=keys,
        layers=tuple(chosen),
        settings=draft.settings,
        numbers=numbers,
        macros=macros,
        options={key: _chosen_option(one, draft.options) for key, one in catalogue.options.items()},
        extra=words.profile.extra(keys, draft.settings),
        system=catalogue.system,
        roles=catalogue.roles,
        reported={key: str(getattr(value, "value", value)) for key, value in spec.reported.items()},
        budget=draft.budget,
    )


def _chosen_option(option: Option, chosen: Mapping[str, str | bool | int]) -> Option:
    """The option's value in a variant: read from the environment, or fixed."""
    value = chosen.get(option.name, option.default)
    return option if value == FROM_ENVIRONMENT else replace(option, default=value, env=None)
