"""Read a project's spec files into the frozen records of `model`, or report every mistake in them at once.

Reads `variants/` under the project's root: layers.yaml, matrix.yaml, experiments.yaml, quarantine.yaml, and
one file per variant. If the folder of the C sources is known, the loader also checks that the named files
exist (`disk`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from layermatrix.core.errors import Place, Report
from layermatrix.core.kinds import NAME, NOT_ALL, Misfit, node_of
from layermatrix.model.matrix import Matrix
from layermatrix.model.project import Project
from layermatrix.model.quarantine import Quarantine
from layermatrix.profiles import registry
from layermatrix.spec import catalogue as catalogues
from layermatrix.spec import disk, matrix
from layermatrix.spec.lineage import File, Lineage, finished
from layermatrix.spec.reading import Document, printable, read
from layermatrix.spec.shapes import CatalogueSpec, ExperimentsSpec, VariantSpec

FOLDER = "variants"
OPTIONAL = ("experiments", "quarantine")
FILES = ("layers", "matrix", *OPTIONAL)  # the others are variants


def load_project(root: Path | str, sources: str | None = None, files: disk.Files | None = None) -> Project:
    """Read `variants/`; raises SpecErrors with every mistake in every file.

    sources: the folder of the C files, relative to the root. With None, the loader does not look for files.
    files: receives what the loader asked about them.
    """
    report, root = Report(), Path(root)
    names = variant_names(root / FOLDER, report)
    layers, cells, questions, failing = (
        Document(root, f"{FOLDER}/{name}.yaml", report, optional=name in OPTIONAL) for name in FILES
    )
    layers.words = _words(layers)
    spec, plan = read(CatalogueSpec, layers), read(Matrix, cells)
    experiments, quarantine = read(ExperimentsSpec, questions), read(Quarantine, failing)
    variants = {name: _read_variant(root, name, layers.words, report) for name in names}
    catalogue = catalogues.terms(spec, layers)

    known = {**catalogues.known(catalogue, layers), **matrix.known(plan, names, cells)}
    known |= {"variant": names} if names else {}
    if sources is not None:
        probe = catalogue.system.probe if layers.sound("system") else None
        known |= (files or disk.Files(root, sources)).known(plan, probe, tests=cells.sound("tests"))
    for document in (layers, cells, questions, failing, *(document for document, _ in variants.values())):
        document.check_references(known)
    catalogue = catalogues.checked(spec, catalogue, layers)
    sound = all(layers.sound(key) for key in ("profile", "keys", "roles", "settings"))
    drafts = Lineage(catalogue, variants, sound=sound).draft_all()
    matrix.check(plan, names, cells)
    reported = {name: cells.walk(("baseline", "reported", name))[-1] for name in plan.baseline.reported}
    cells.made(("baseline", "reported"), reported, catalogue.reported, catalogues.figure)
    matrix.check_experiments(experiments, plan, cells, questions)
    report.raise_if_any()
    found = {name: finished(drafts[name], catalogue) for name in names}
    plan = matrix.resolve(plan, names, registry.of(catalogue.profile).link)
    return Project(catalogue, found, plan, experiments.experiments, quarantine)


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
    names = [path.stem for path in files if path.suffix == ".yaml" and path.stem not in FILES]
    if not names:
        hint = "a variant is a file such as variants/mine.yaml"
        report.error(Place(FOLDER, 1, 1), "there is no variant", hint)
    return names


def _words(layers: Document) -> Mapping[str, str]:
    """The words of the profile that layers.yaml names. If the file cannot be read, those of every profile, so
    that other files get no errors about them."""
    if named := layers.walk(("profile",))[1:]:
        return registry.of(named[0].text or "").words
    unread = () if isinstance(layers.root.value, dict) else registry.PROFILES.values()
    return {own: word for profile in unread for own, word in profile.words.items()}


def _read_variant(root: Path, name: str, words: Mapping[str, str], report: Report) -> File:
    """Read a variant's file. The variant's name must be valid in paths, patterns and C comments."""
    document = Document(root, f"{FOLDER}/{name}.yaml", report)
    document.words = words
    try:
        NAME.read(NOT_ALL.before(node_of(printable(name))))
    except Misfit as wrong:
        report.error(Place(document.shown, 1, 1), f"the file's name without .yaml {wrong.what}", wrong.hint)
    return document, read(VariantSpec, document)
