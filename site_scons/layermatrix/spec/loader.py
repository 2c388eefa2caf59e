"""A project's YAML files -> the frozen records of `parts`, or every mistake in them at once.

Reads `variants/` under the project's root. What one file may say is `spec`'s; here is asked what takes
two files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from layermatrix.core.errors import Place, Report, SpecError, SpecErrors, hint_for, quote
from layermatrix.model.matrix import AXES
from layermatrix.model.project import (
    FLOOR,
    Baseline,
    Catalogue,
    Counters,
    Debug,
    Entry,
    Experiment,
    Floor,
    Forbidden,
    Fuzz,
    Layer,
    Limit,
    Load,
    Matrix,
    Option,
    Page,
    Peer,
    Peers,
    Programs,
    Project,
    Rule,
    SizeClass,
    Stats,
    Suite,
    System,
    Timing,
    Toggle,
    Variant,
)
from layermatrix.spec.experimentspec import ExperimentSpec, load_experiments
from layermatrix.spec.judgement import Judgement
from layermatrix.spec.lineage import FROM_ENVIRONMENT, Draft, Lineage
from layermatrix.spec.matrixspec import (
    CellsSpec,
    CountersSpec,
    LimitSpec,
    LoadSpec,
    MatrixSpec,
    PageSpec,
    PeersSpec,
    SuiteSpec,
    load_matrix,
)
from layermatrix.spec.schema import Placed, Slot
from layermatrix.spec.shapes import (
    NAME,
    CatalogueSpec,
    EntrySpec,
    ForbiddenSpec,
    LayerSpec,
    OptionSpec,
    StatsSpec,
    SystemSpec,
    VariantSpec,
    load_catalogue,
    load_variant,
)
from layermatrix.spec.yamlnodes import Scalar

__all__ = [
    "Baseline",
    "Catalogue",
    "Counters",
    "Debug",
    "Entry",
    "Experiment",
    "Forbidden",
    "Layer",
    "Limit",
    "Load",
    "Matrix",
    "Option",
    "Programs",
    "Project",
    "Rule",
    "SizeClass",
    "SpecError",
    "SpecErrors",
    "Stats",
    "Suite",
    "System",
    "Timing",
    "Toggle",
    "Variant",
    "load_project",
    "spec_files",
]

FOLDER = "variants"
CATALOGUE = "layers.yaml"
MATRIX = "matrix.yaml"
EXPERIMENTS = "experiments.yaml"
NO_VARIANTS = (CATALOGUE, MATRIX, EXPERIMENTS)
NO_VERSION = "0"
ALL = "all"  # every class, every value of an axis
Loads = Mapping[str, "LoadSpec | None"]  # by name; None where one is broken
AXES_BY_DEFAULT: Mapping[str, tuple[str, ...]] = {"sanitizer": ("none",), "target": ("native",)}


def load_project(root: Path | str) -> Project:
    """Everything that `variants/` says; raises SpecErrors with every mistake of every file."""
    report = Report()
    folder = Path(root) / FOLDER
    names = variant_names(folder, report)
    catalogue = load_catalogue(folder / CATALOGUE, f"{FOLDER}/{CATALOGUE}", report)
    variants = {name: read_variant(folder, name, report) for name in names}
    matrix = load_matrix(folder / MATRIX, f"{FOLDER}/{MATRIX}", report)

    served = check_catalogue(catalogue, report) if catalogue else {}
    drafts = Lineage(catalogue, variants, report).draft_all()
    judge_all(catalogue, served, variants, drafts, report)
    axes = check_matrix(matrix, names, report) if matrix else {}
    experiments = read_experiments(folder, names, matrix, report)

    report.raise_if_any()
    assert catalogue is not None
    assert matrix is not None
    parts = resolve_catalogue(catalogue, served)
    whole = {name: spec for name, spec in variants.items() if spec}
    resolved = {name: resolve_variant(name, spec, drafts[name], parts) for name, spec in whole.items()}
    return Project(parts, resolved, resolve_matrix(matrix, axes), experiments)


# --- the files


def spec_files(root: Path | str) -> list[Path]:
    """The files that `load_project` reads, in the order of their names; the build declares them."""
    folder = Path(root) / FOLDER
    return sorted(path for path in folder.glob("*.yaml") if not path.name.startswith("."))


def variant_names(folder: Path, report: Report) -> list[str]:
    """The variants that have a file."""
    if not folder.is_dir():
        report.error(Place(FOLDER, 1, 1), "cannot be read: no such folder")
        report.raise_if_any()
    names = [path.stem for path in spec_files(folder.parent) if path.name not in NO_VARIANTS]
    if not names:
        hint = "a variant is a file such as variants/mine.yaml"
        report.error(Place(FOLDER, 1, 1), "there is no variant", hint)
    return names


def read_variant(folder: Path, name: str, report: Report) -> VariantSpec | None:
    """A variant's file; its name has to go into paths, patterns and C comments."""
    printable = "".join(letter if letter.isprintable() else "?" for letter in name)
    shown = f"{FOLDER}/{printable}.yaml"
    place = Place(shown, 1, 1)
    NAME.read(Scalar(place, printable, printable), Slot("the file's name without .yaml", place), report)
    if name == ALL:
        report.error(place, "a variant cannot be called 'all': that is the word for every variant")
    return load_variant(folder / f"{name}.yaml", shown, report)


def read_experiments(
    folder: Path, variants: list[str], matrix: MatrixSpec | None, report: Report
) -> dict[str, Experiment]:
    """The experiments, where the project has any. What is wrong with one is reported, and it is left out."""
    file = folder / EXPERIMENTS
    spec = load_experiments(file, f"{FOLDER}/{EXPERIMENTS}", report) if file.is_file() else None
    loads = {name.value: load for name, load in matrix.loads} if matrix else {}
    found = {}
    for name, experiment in spec.experiments if spec else ():
        if experiment:
            check_experiment(experiment, variants, loads, report)
        if experiment and experiment.sound():
            found[name.value] = resolve_experiment(name.value, experiment)
    return found


# --- questions that take two records


def check_catalogue(catalogue: CatalogueSpec, report: Report) -> dict[str, tuple[int, ...]]:
    """Names in the catalogue refer to something; gives the classes' indexes of each layer that is right."""
    known = [name.value for name, _ in catalogue.layers]
    classes = [name.value for name, _ in catalogue.classes]
    served = {}
    for name, layer in catalogue.layers:
        if layer is None:
            continue
        already = len(report.errors)
        check_relations(name.value, layer, known, report)
        indexes = class_indexes(layer.classes, classes, report) if classes else []
        if layer.sound("role", "classes", "needs", "conflicts") and len(report.errors) == already:
            served[name.value] = tuple(sorted(indexes))
    return served


def check_relations(name: str, layer: LayerSpec, known: list[str], report: Report) -> None:
    needs = {need.value for need in layer.needs}
    for key, others in (("needs", layer.needs), ("conflicts", layer.conflicts)):
        for other in others:
            if other.value not in known:
                report.error(other.place, f"unknown layer {quote(other.value)}", hint_for(other.value, known))
            elif other.value == name:
                report.error(other.place, f"layer {quote(name)} is in its own {quote(key)}")
            elif key == "conflicts" and other.value in needs:
                report.error(other.place, f"layer {quote(name)} needs {quote(other.value)} as well")


def class_indexes(given: Iterable[Placed[str]], names: list[str], report: Report) -> list[int]:
    """`all`, `C2` or `C0-C3`, or several of them, as indexes of classes."""
    found: list[int] = []
    for item in given:
        indexes = range(len(names)) if item.value == ALL else class_range(item, names, report)
        twice = [names[index] for index in indexes if index in found]
        if twice:
            report.error(item.place, f"class {quote(twice[0])} is given twice")
        found.extend(indexes)
    return found


def class_range(item: Placed[str], names: list[str], report: Report) -> range:
    ends = [item.value] if item.value in names else [end.strip() for end in item.value.split("-", 1)]
    for end in ends:
        if end not in names:
            report.error(item.place, f"unknown class {quote(end)}", hint_for(end, names))
            return range(0)
    first, last = names.index(ends[0]), names.index(ends[-1])
    if first > last:
        hint = f"write {ends[1]}-{ends[0]}"
        report.error(item.place, f"the range {quote(item.value)} runs backwards", hint)
    return range(first, last + 1)


def judge_all(
    catalogue: CatalogueSpec | None,
    served: Mapping[str, tuple[int, ...]],
    variants: Mapping[str, VariantSpec | None],
    drafts: Mapping[str, Draft],
    report: Report,
) -> None:
    """Whether the layers of each variant go together.

    Not asked of a variant whose ancestors, or whose layers in the catalogue, have a mistake of their own.
    """
    if catalogue is None or not catalogue.sound("classes"):
        return
    layers = {name.value: layer for name, layer in catalogue.layers if layer}
    classes = tuple((name.value, size.value) for name, size in catalogue.classes if size)
    well: set[str] = set()
    for name, draft in drafts.items():
        spec = variants[name]
        right = well.issuperset(draft.lineage[:-1]) and all(layer.value in served for layer in draft.layers)
        if spec is None or not draft.known or not right:
            continue
        own = served_with(draft, classes, served, spec, report)
        if own is not None and Judgement(spec, draft, layers, own, draft.classes or classes, report).judge():
            well.add(name)


def served_with(
    draft: Draft,
    classes: tuple[tuple[str, int], ...],
    served: Mapping[str, tuple[int, ...]],
    spec: VariantSpec,
    report: Report,
) -> Mapping[str, tuple[int, ...]] | None:
    """What each layer serves, as indexes into the variant's class table; None, and reported, where a layer
    is for a class that this table does not have."""
    if draft.classes is None:
        return served
    names = [name for name, _ in draft.classes]
    own: dict[str, tuple[int, ...]] = {}
    for layer in draft.layers:
        indexes = served[layer.value]
        if len(indexes) == len(classes):
            own[layer.value] = tuple(range(len(names)))
            continue
        missing = [classes[index][0] for index in indexes if classes[index][0] not in names]
        if missing:
            place = layer.place if layer.place.path == spec.place.path else spec.place
            what = f"layer {quote(layer.value)} serves class {quote(missing[0])}"
            report.error(place, f"{what}, which is not in this variant's 'classes'")
            return None
        own[layer.value] = tuple(names.index(classes[index][0]) for index in indexes)
    return own


def check_matrix(matrix: MatrixSpec, variants: list[str], report: Report) -> dict[str, tuple[str, ...]]:
    """Names in matrix.yaml refer to something; gives the values of each axis."""
    check_loads(matrix, report)
    axes = axis_values(matrix, variants, report)
    choices = [rule.exclude for rule in matrix.rules] + [matrix.default]
    for cells in choices:
        for axis in AXES if cells else ():
            check_values(cells, axis, variants if axis == "variant" else axes.get(axis), report)
    named = [item for _, page in matrix.pages if page and variants for item in page.variants]
    for item in named:
        if item.value not in variants:
            report.error(item.place, f"unknown variant {quote(item.value)}", hint_for(item.value, variants))
    if matrix.peers:
        check_peers(matrix.peers, variants, report)
    return axes


def check_peers(peers: PeersSpec, variants: list[str], report: Report) -> None:
    """The variants exist, and all who are timed can be told apart by their names."""
    for item in peers.variants if variants else ():
        if not any(matches(name, item.value) for name in variants):
            report.error(item.place, f"unknown variant {quote(item.value)}", hint_for(item.value, variants))
    for name, _ in peers.libraries:
        if name.value in variants:
            report.error(name.place, f"{quote(name.value)} is the name of a variant, too")
        elif name.value == FLOOR:
            report.error(name.place, "no library can be called 'floor'", "it is a key beside 'libraries'")
    if peers.floor and FLOOR in variants:
        report.error(peers.floor.place, "'floor' is the name of a variant, too")


def check_experiment(experiment: ExperimentSpec, variants: list[str], loads: Loads, report: Report) -> None:
    """Names in an experiment refer to something. Of loads nothing is said where they cannot be read."""
    for item in experiment.variants if variants else ():
        if item.value not in variants:
            report.error(item.place, f"unknown variant {quote(item.value)}", hint_for(item.value, variants))
    by_speed = experiment.sound("decides") and experiment.decides.value == "speed"
    for place, item in enumerate(experiment.loads):
        check_load(item, loads, report, timed=by_speed and place == 0)


def check_loads(matrix: MatrixSpec, report: Report) -> None:
    """The loads that are referred to exist, and the headline's is one that is timed."""
    loads = {name.value: load for name, load in matrix.loads}
    if matrix.timing and matrix.timing.sound("headline"):
        check_load(matrix.timing.headline, loads, report, timed=True)
    for wanted in matrix.counters.loads if matrix.counters else ():
        check_load(wanted, loads, report, timed=False)


def check_load(wanted: Placed[str], loads: Loads, report: Report, *, timed: bool) -> None:
    """One load that is referred to. Nothing is said where the loads cannot be read."""
    load = loads.get(wanted.value)
    if loads and wanted.value not in loads:
        report.error(wanted.place, f"unknown load {quote(wanted.value)}", hint_for(wanted.value, loads))
    elif timed and load and load.sound("args") and not load.args:
        report.error(wanted.place, f"load {quote(wanted.value)} has no 'args', so that it is not timed")


def axis_values(matrix: MatrixSpec, variants: list[str], report: Report) -> dict[str, tuple[str, ...]]:
    """The values of the axes that are right; patterns of variants are filled in."""
    values = {}
    for axis in AXES if matrix.axes else ():
        given: tuple[Placed[str], ...] = getattr(matrix.axes, axis)
        if axis == "variant":
            check_values(matrix.axes, axis, variants, report)
            matching = [name for item in given for name in variants if matches(name, item.value)]
            values[axis] = tuple(dict.fromkeys(matching))
        elif matrix.axes.sound(axis):
            values[axis] = tuple(item.value for item in given) or AXES_BY_DEFAULT[axis]
    return values


def check_values(holder: object, axis: str, known: Iterable[str] | None, report: Report) -> None:
    """Each value or pattern of an axis matches something."""
    names = list(known or ())
    for item in getattr(holder, axis) if names else ():
        if not any(matches(name, item.value) for name in names):
            report.error(item.place, f"unknown {axis} {quote(item.value)}", hint_for(item.value, names))


def matches(name: str, pattern: str) -> bool:
    """Whether a value of an axis is meant by a word or pattern of the user."""
    return pattern == ALL or fnmatchcase(name, pattern)


# --- records, once all is well


def resolve_catalogue(spec: CatalogueSpec, served: Mapping[str, tuple[int, ...]]) -> Catalogue:
    classes = size_classes((name.value, size.value) for name, size in spec.classes if size)
    layers = {}
    for name, layer in spec.layers:
        if layer:
            own = tuple(classes[index] for index in served[name.value])
            layers[name.value] = resolve_layer(name.value, layer, own, of=len(classes))
    options = {name.value: resolve_option(name.value, option) for name, option in spec.options if option}
    system, lines = resolve_system(spec.system), figures(spec.lines)
    places = {name.value: name.place.shown for name, _ in spec.layers}
    return Catalogue(spec.doc.value, system, classes, options, layers, places, lines)


def resolve_layer(name: str, spec: LayerSpec, classes: tuple[SizeClass, ...], of: int) -> Layer:
    return Layer(
        name=name,
        title=spec.title.value,
        doc=spec.doc.value,
        role=spec.role.value,
        classes=classes,
        storage=spec.storage.value,
        capacity=spec.capacity.value if spec.capacity else 0,
        bytes_bound=spec.bytes.value if spec.bytes else 0,
        toggle=Toggle(spec.toggle.env.value, spec.toggle.default.value) if spec.toggle else None,
        needs=texts(spec.needs),
        conflicts=texts(spec.conflicts),
        serves_all=len(classes) == of,
        position=0,
    )


def resolve_option(name: str, spec: OptionSpec) -> Option:
    """The option with its default, and with its environment variable, which only some variants keep."""
    assert not isinstance(spec.default.value, str)
    low, high = spec.span()
    env = spec.env.value if spec.env else None
    return Option(name, spec.doc.value, spec.type.value, spec.default.value, low, high, env)


def resolve_system(spec: SystemSpec) -> System:
    return System(
        name=spec.name.value,
        doc=spec.doc.value,
        version=spec.version.value if spec.version else NO_VERSION,
        soversion=spec.soversion.value if spec.soversion else "",
        skeleton=spec.skeleton.value,
        header=spec.header.value,
        unity_skeleton=spec.unity_skeleton.value,
        unity=spec.unity.value,
        libname=spec.libname.value,
        modules=texts(spec.modules),
        sources=texts(spec.sources),
        interpose=texts(spec.interpose),
        shared_only=texts(spec.shared_only),
        static_only=texts(spec.static_only),
        probe=spec.probe.value,
        entries={name.value: resolve_entry(entry) for name, entry in spec.entries if entry},
        sentinel=spec.sentinel.value,
        stats=resolve_stats(spec.stats) if spec.stats else None,
        switches=texts(spec.switches),
        debug=Debug(spec.debug.macro.value, texts(spec.debug.prints)) if spec.debug else None,
        forbidden=tuple(resolve_forbidden(rule) for rule in spec.forbidden),
    )


def resolve_forbidden(spec: ForbiddenSpec) -> Forbidden:
    conditions = {"toggles": spec.when.toggles, "options": spec.when.options} if spec.when else {}
    return Forbidden(
        symbols=texts(spec.symbols),
        reason=spec.reason.value,
        when={name: wanted.value for name, wanted in conditions.items() if wanted},
        allowed={item.source.value: item.reason.value for item in spec.allowed},
    )


def resolve_stats(spec: StatsSpec) -> Stats:
    return Stats(spec.mode.value, spec.of.value, spec.env.value, texts(spec.sources))


def resolve_entry(spec: EntrySpec) -> Entry:
    return Entry(spec.function.value, spec.probe.value, spec.role.value if spec.role else None)


def resolve_variant(name: str, spec: VariantSpec, draft: Draft, catalogue: Catalogue) -> Variant:
    classes = size_classes(draft.classes) if draft.classes else catalogue.classes
    chosen = enumerate(
        (chosen_layer(catalogue.layers[layer.value], draft, classes) for layer in draft.layers), start=1
    )
    settings = draft.settings
    return Variant(
        name=name,
        doc=spec.doc.value,
        source=f"{FOLDER}/{name}.yaml",
        lineage=draft.lineage,
        classes=classes,
        layers=tuple(replace(layer, position=position) for position, layer in chosen),
        toggles=str(settings["toggles"]),
        debug_output=str(settings["debug_output"]),
        layout=str(settings["layout"]),
        fast_path=str(settings["fast_path"]),
        min_align=int(settings["min_align"]),
        checks=str(settings["checks"]),
        tls=str(settings["tls"]),
        options={key: chosen_option(option, draft.options) for key, option in catalogue.options.items()},
        system=catalogue.system,
        quoted=figures(spec.quoted),
        budget=draft.budget,
    )


def size_classes(sizes: Iterable[tuple[str, int]]) -> tuple[SizeClass, ...]:
    return tuple(SizeClass(name, index, size) for index, (name, size) in enumerate(sizes))


def chosen_layer(layer: Layer, draft: Draft, classes: tuple[SizeClass, ...]) -> Layer:
    """The layer with the capacity that the variant gives it, for the variant's classes of these names."""
    names = {size_class.name for size_class in layer.classes}
    served = tuple(one for one in classes if layer.serves_all or one.name in names)
    return replace(layer, capacity=draft.capacities.get(layer.name, layer.capacity), classes=served)


def chosen_option(option: Option, chosen: Mapping[str, str | bool | int]) -> Option:
    """The option as a variant has it: read from the environment, or a value."""
    value = chosen.get(option.name, option.value)
    if value == FROM_ENVIRONMENT:
        return option
    assert not isinstance(value, str)
    return replace(option, value=value, env=None)


def resolve_matrix(spec: MatrixSpec, axes: Mapping[str, tuple[str, ...]]) -> Matrix:
    return Matrix(
        doc=spec.doc.value,
        axes=axes,
        rules=tuple(Rule(cells(rule.exclude), rule.reason.value) for rule in spec.rules),
        default=cells(spec.default) if spec.default else {},
        tests=resolve_suite(spec.tests),
        programs=Programs(spec.programs.scripts.value, spec.programs.timeout.value),
        fuzz=Fuzz(spec.fuzz.sources.value, spec.fuzz.corpus.value) if spec.fuzz else None,
        baseline=Baseline(spec.baseline.name.value, figures(spec.baseline.quoted)),
        loads={name.value: resolve_load(name.value, load) for name, load in spec.loads if load},
        timing=Timing(spec.timing.rounds.value, spec.timing.headline.value),
        counters=resolve_counters(spec.counters),
        peers=resolve_peers(spec.peers) if spec.peers else None,
        pages={name.value: resolve_page(name.value, page) for name, page in spec.pages if page},
    )


def resolve_suite(spec: SuiteSpec) -> Suite:
    return Suite(
        sources=texts(spec.sources),
        static=texts(spec.static),
        alone=texts(spec.alone),
        inside=texts(spec.inside),
        scripts=texts(spec.scripts),
        soak={name.value: texts(words) for name, words in spec.soak if words},
        timeout=spec.timeout.value,
    )


def resolve_peers(spec: PeersSpec) -> Peers:
    return Peers(
        variants=texts(spec.variants),
        libraries={
            name.value: Peer(name.value, peer.file.value, peer.package.value)
            for name, peer in spec.libraries
            if peer
        },
        loads={
            name.value: Load(name.value, load.doc.value, load.program.value, texts(load.args), ())
            for name, load in spec.loads
            if load
        },
        floor=Floor(spec.floor.source.value, spec.floor.doc.value) if spec.floor else None,
    )


def resolve_page(name: str, spec: PageSpec) -> Page:
    return Page(name, spec.doc.value, spec.test.value, spec.mark.value, texts(spec.variants))


def resolve_load(name: str, spec: LoadSpec) -> Load:
    return Load(name, spec.doc.value, spec.program.value, texts(spec.args), texts(spec.counted))


def resolve_experiment(name: str, spec: ExperimentSpec) -> Experiment:
    return Experiment(
        name=name,
        question=spec.question.value,
        doc=spec.doc.value,
        variants=texts(spec.variants),
        loads=texts(spec.loads),
        decides=spec.decides.value,
        kept=spec.kept.value if spec.kept else None,
    )


def resolve_counters(spec: CountersSpec) -> Counters:
    limits = {name.value: resolve_limit(limit) for name, limit in spec.limits if limit}
    return Counters(texts(spec.loads), cache(spec.I1), cache(spec.D1), cache(spec.LL), limits)


def resolve_limit(spec: LimitSpec) -> Limit:
    return Limit(spec.percent.value, spec.soft.value, spec.hard.value)


def texts(items: Iterable[Placed[str]]) -> tuple[str, ...]:
    return tuple(item.value for item in items)


def figures(quoted: Iterable[tuple[Placed[str], Placed[str] | None]]) -> dict[str, str]:
    return {name.value: figure.value for name, figure in quoted if figure}


def cells(spec: CellsSpec) -> dict[str, tuple[str, ...]]:
    return {axis: texts(spec.values(axis)) for axis in AXES if spec.values(axis)}


def cache(numbers: tuple[Placed[int], ...]) -> tuple[int, int, int]:
    size, ways, line = (number.value for number in numbers)
    return size, ways, line
