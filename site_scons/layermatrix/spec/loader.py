"""Read a project's spec files into the frozen records of `model`, or report every mistake in them at once.

Reads `variants/` under the project's root: layers.yaml, matrix.yaml, experiments.yaml, quarantine.yaml, and
one file per variant. If the folder of the C sources is known, the loader also checks that the named files
exist (`disk`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from layermatrix.core.errors import Place, Report
from layermatrix.core.kinds import NAME, NOT_ALL, Misfit, Text, node_of
from layermatrix.model.catalogue import Catalogue
from layermatrix.model.matrix import Matrix
from layermatrix.model.project import Project
from layermatrix.model.quarantine import Quarantine
from layermatrix.profiles import registry
from layermatrix.spec import catalogue as catalogues
from layermatrix.spec import disk, matrix
from layermatrix.spec.judgement import Judgement
from layermatrix.spec.lineage import Draft, File, Lineage, finished
from layermatrix.spec.reading import Document, printable, read
from layermatrix.spec.shapes import CatalogueSpec, ExperimentsSpec, VariantSpec

FOLDER = "variants"
CATALOGUE = "layers.yaml"
MATRIX = "matrix.yaml"
EXPERIMENTS = "experiments.yaml"
QUARANTINE = "quarantine.yaml"
NO_VARIANTS = (CATALOGUE, MATRIX, EXPERIMENTS, QUARANTINE)
FIGURE = r"[0-9]+(\.[0-9]+)?"
NUMBER = Text("a figure or a range of two, such as '23.6' or '40-50'", f"{FIGURE}(-{FIGURE})?", longest=40)
TEXT = Text("text", longest=40)


def load_project(root: Path | str, sources: str | None = None) -> Project:
    """Read `variants/`; raises SpecErrors with every mistake in every file.

    sources: the folder of the C files, relative to the root. With None, the loader does not look for files.
    """
    report, root = Report(), Path(root)
    names = variant_names(root / FOLDER, report)
    layers = _open_catalogue(root, report)
    spec = read(CatalogueSpec, layers)
    catalogue = catalogues.terms(spec, layers)
    files = {name: _read_variant(root, name, layers.words, report) for name in names}
    cells = Document(root, f"{FOLDER}/{MATRIX}", report)
    plan = read(Matrix, cells)
    questions = Document(root, f"{FOLDER}/{EXPERIMENTS}", report, optional=True)
    experiments = read(ExperimentsSpec, questions)
    failing = Document(root, f"{FOLDER}/{QUARANTINE}", report, optional=True)
    quarantine = read(Quarantine, failing)

    known = {**catalogues.known(catalogue, layers), **matrix.known(plan, cells)}
    known |= {"variant": names} if names else {}
    for document in (layers, cells, questions, failing, *(file.document for file in files.values())):
        document.check_references(known)
    catalogue = catalogues.checked(spec, catalogue, layers)
    drafts = Lineage(catalogue, layers, files).draft_all()
    _judge(catalogue, layers, files, drafts)
    for file in files.values():
        _check_figures(file.spec.reported, ("reported",), catalogue, file.document)
    matrix.check(plan, names, cells)
    _check_figures(plan.baseline.reported, ("baseline", "reported"), catalogue, cells)
    matrix.check_experiments(experiments, plan, questions)
    matrix.check_quarantine(quarantine, plan, failing)
    if sources is not None:
        absent = disk.of_system(root, sources, spec.system) if layers.sound("system") else ()
        _report_absent(absent, layers)
        _report_absent(disk.of_matrix(root, plan), cells)
        if cells.sound("tests"):
            _report_absent(disk.of_quarantine(root, plan, quarantine), failing)
    report.raise_if_any()
    variants = {name: finished(drafts[name].variant, catalogue) for name in names}
    plan = matrix.resolve(plan, names, registry.of(catalogue.profile).link)
    return Project(catalogue, variants, plan, experiments.experiments, quarantine)


def _report_absent(absent: Iterable[Misfit], document: Document) -> None:
    """Report the named files that are missing. Skips invalid values, and skips tests if the existing tests
    cannot be read."""
    unread = () if document.sound("tests") else ("tests", "pages")
    for wrong in [one for one in absent if one.at[0] not in unread and document.sound(*one.at)]:
        document.misfit(wrong)


# --- the files


def variant_names(folder: Path, report: Report) -> list[str]:
    """The variants that have a file."""
    if not folder.is_dir():
        report.error(Place(FOLDER, 1, 1), "cannot be read: no such folder")
        report.raise_if_any()
    files = sorted(path for path in folder.iterdir() if path.name[0] != ".")
    for path in files:
        if path.suffix.lower() in (".yml", ".yaml") and path.suffix != ".yaml":
            place = Place(f"{FOLDER}/{printable(path.name)}", 1, 1)
            what = "is not read: the name of a spec file ends in .yaml"
            report.error(place, what, f"rename it to {printable(path.stem)}.yaml")
    names = [path.stem for path in files if path.suffix == ".yaml" and path.name not in NO_VARIANTS]
    if not names:
        hint = "a variant is a file such as variants/mine.yaml"
        report.error(Place(FOLDER, 1, 1), "there is no variant", hint)
    return names


def _open_catalogue(root: Path, report: Report) -> Document:
    """Read layers.yaml; the profile that it names defines the terms. If the file cannot be read, the terms of
    every profile are accepted, so that other files get no errors about them."""
    document = Document(root, f"{FOLDER}/{CATALOGUE}", report)
    named = document.part(document.root, "profile")
    if named:
        document.words = registry.of(named.text or "").words
    elif not isinstance(document.root.value, dict):
        document.words = {own: word for one in registry.PROFILES.values() for own, word in one.words.items()}
    return document


def _read_variant(root: Path, name: str, words: Mapping[str, str], report: Report) -> File:
    """Read a variant's file. The variant's name must be valid in paths, patterns and C comments."""
    document = Document(root, f"{FOLDER}/{name}.yaml", report)
    document.words = words
    try:
        NAME.read(NOT_ALL.before(node_of(printable(name))))
    except Misfit as wrong:
        what = f"the file's name without .yaml {wrong.what}"
        report.error(Place(document.shown, 1, 1), what, wrong.hint)
    return File(document, read(VariantSpec, document))


def _judge(
    catalogue: Catalogue, layers: Document, files: Mapping[str, File], drafts: Mapping[str, Draft]
) -> None:
    """Check that the layers of each otherwise valid variant fit together. If they do not, the variant's
    children are not checked."""
    if not all(layers.sound(key) for key in ("profile", "keys", "roles", "settings")):
        return
    for name, draft in drafts.items():
        sound = draft.known and all(files[one].document.sound() for one in draft.variant.lineage)
        if sound and len(draft.variant.layers) == len(draft.places):
            spec, document = files[name].spec, files[name].document
            Judgement(draft.variant, spec, document, draft.places, catalogue).judge()


def _check_figures(
    given: Iterable[str], path: tuple[str, ...], catalogue: Catalogue, document: Document
) -> None:
    """Check that each reported figure has the type that the catalogue declares."""
    for name in given:
        if known := catalogue.reported.get(name):
            kind, node = NUMBER if known.type == "number" else TEXT, document.walk((*path, name))[-1]
            document.attempt((*path, name), kind.read, node)
