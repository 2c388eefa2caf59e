"""Compute the cost of each layer of a cell per request, and the cost of the path without the layer.

Reads the evidence `layers` of the same variant in the mode whose layers count, the cell's own `asm`, and, if
they were counted, the `layers` of variants without one of the layers.

The estimate for a removed layer, in instructions per request, is

    total - own + moved * mean(next)

own: the instructions in the layer's lines. moved: its hits and the offers that it accepted. They go to the
next layer that serves their class and was used in this load; mean(next) is the mean of that layer's
instructions each time it handles a block. The cost of the removed layer's misses is saved. The estimate
ignores that the next layer may be compiled in another way when it comes first, and that it may fill up. The
measured change, which reports show next to the estimate, includes both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from layermatrix.core.command import scons
from layermatrix.core.file_digest import file_digest
from layermatrix.core.records import Measured, Missing, NotMeasured
from layermatrix.evidence import asm, layers
from layermatrix.evidence.kind import Check
from layermatrix.evidence.layers import Instructions, LayerCounts, Layers, LoadCounts
from layermatrix.model import ablation
from layermatrix.model.cells import Cell
from layermatrix.model.layers import Layer
from layermatrix.model.variants import Variant


@dataclass(frozen=True)
class Without:
    """The change of the path's instructions per request without a layer: the estimate, and the count in a
    build without it. reason: why there is no estimate."""

    estimate: float | None
    measured: float | None
    reason: str | None


@dataclass(frozen=True)
class LayerCost(LayerCounts):
    """cost: instructions per request that are executed in the layer's lines. code: the layer's instructions
    in the shipped code of the first entry."""

    cost: float | None
    code: int | None
    without: Without


@dataclass(frozen=True)
class LoadCosts:
    """One load, as in `layers.LoadCounts`."""

    requests: int
    frees: int
    unserved: int
    threads: Mapping[str, int]
    layers: Mapping[str, LayerCost]
    instructions: Instructions | NotMeasured


@dataclass(frozen=True)
class LayerCosts(Measured):
    """classes: with their sizes. programs: whether the loads ran, if the cell's own layers count.
    code_reason: why the layers' code is unknown. command: the command that counts them again."""

    layers: tuple[str, ...]
    classes: Mapping[str, int]
    programs: tuple[Check, ...]
    loads: Mapping[str, LoadCosts]
    code_reason: str | None
    command: str


def of_cell(cell: Cell, root: Path) -> LayerCosts | NotMeasured:
    """The counts and costs of this cell's layers; if they were not counted, the command that counts them."""
    counting = _counting(cell)
    if counting is None:
        return NotMeasured("this project has no builds in which layers count")
    record = _read(counting, root)
    if isinstance(record, NotMeasured):
        return record
    code = _code(counting, root)
    return LayerCosts(
        record.layers,
        record.classes,
        programs=record.programs if counting.id == cell.id else (),
        loads={name: _load(counting, name, load, code, root) for name, load in record.loads.items()},
        code_reason=code.reason if isinstance(code, NotMeasured) else None,
        command=_command(counting),
    )


def _counting(cell: Cell) -> Cell | None:
    """The cell of the same variant in the mode whose layers count."""
    stats = cell.variant.system.stats
    return replace(cell, mode=stats.mode, sanitizer="none") if stats else None


def _command(counting: Cell) -> str:
    return scons(f"variant={counting.variant.name}", f"compiler={counting.compiler}", "layers")


def _read(counting: Cell, root: Path) -> Layers | NotMeasured:
    """The evidence of a counting cell; NotMeasured if the variant now has other layers."""
    library = file_digest(root / counting.library)
    record = layers.KIND.format.read(root / counting.build_dir / layers.KIND.file, library=library)
    if isinstance(record, Missing):
        return NotMeasured(f"not counted yet: {_command(counting)}")
    if isinstance(record, Layers) and record.layers != tuple(layer.name for layer in counting.variant.layers):
        return NotMeasured(f"counted with other layers: {_command(counting)}")
    return record


def _code(counting: Cell, root: Path) -> dict[str, int] | NotMeasured:
    """Each layer's instructions in the shipped code of the first entry."""
    library = file_digest(root / counting.shipped.library)
    record = asm.KIND.format.read(root / counting.shipped.build_dir / asm.KIND.file, library=library)
    return record if isinstance(record, NotMeasured) else record.instructions_by_layer()


def _load(
    counting: Cell, name: str, load: LoadCounts, code: dict[str, int] | NotMeasured, root: Path
) -> LoadCosts:
    known = {} if isinstance(code, NotMeasured) else code
    costs = {
        layer.name: LayerCost(
            **vars(load.layers[layer.name]),
            cost=_cost(load, layer.name),
            code=known.get(layer.name),
            without=_without(counting, layer, name, load, root),
        )
        for layer in counting.variant.layers
    }
    return LoadCosts(load.requests, load.frees, load.unserved, load.threads, costs, load.instructions)


def _cost(load: LoadCounts, layer: str) -> float | None:
    costs = load.instructions
    return None if isinstance(costs, NotMeasured) else costs.layers[layer]


def _without(counting: Cell, layer: Layer, name: str, load: LoadCounts, root: Path) -> Without:
    try:
        rest = ablation.without(counting.variant, layer.name)
    except ablation.AblationError as error:
        return Without(None, None, str(error))
    if isinstance(load.instructions, NotMeasured):
        return Without(None, None, load.instructions.reason)
    other = _counted_without(counting, replace(counting, variant=rest), name, root)
    measured = None if other is None else round(other.total - load.instructions.total, 4)
    estimate = _estimate(layer, rest, load, load.instructions)
    if isinstance(estimate, NotMeasured):
        return Without(None, measured, estimate.reason)
    return Without(estimate, measured, None)


def _counted_without(counting: Cell, rest: Cell, load: str, root: Path) -> Instructions | None:
    """The instructions that the cell without a layer executes in a load. None if they were counted before
    this cell's library was built, because the code may have changed."""
    library = root / counting.library
    file = root / rest.build_dir / layers.KIND.file
    try:
        is_older = file.stat().st_mtime_ns < library.stat().st_mtime_ns
    except OSError:
        return None
    record = None if is_older else _read(rest, root)
    found = record.loads.get(load) if isinstance(record, Layers) else None
    return found.instructions if found and isinstance(found.instructions, Instructions) else None


def _estimate(layer: Layer, rest: Variant, load: LoadCounts, costs: Instructions) -> float | NotMeasured:
    change = -costs.layers[layer.name]
    for next_layer, blocks in _moved(layer, rest, load, costs):
        mean = _mean(load, costs, next_layer) if next_layer else None
        if mean is None:
            where = next_layer.title if next_layer else "the backend"
            return NotMeasured(f"its blocks would go to {where}, which was not used in this load")
        change += blocks * mean / load.requests
    return round(change, 4)


def _moved(
    layer: Layer, rest: Variant, load: LoadCounts, costs: Instructions
) -> Iterator[tuple[Layer | None, int]]:
    """The layer that would take over the hits and accepted offers of each class."""
    below = [other for other in rest.layers if other.position >= layer.position]
    for size_class in layer.keys:
        figures = load.layers[layer.name].classes.get(size_class.name, {})
        for what, roles in (("hits", ("cache", "overflow", "refill")), ("accepted", ("cache", "overflow"))):
            if figures.get(what):
                fit = (
                    other
                    for other in below
                    if other.role in roles
                    and size_class in other.keys
                    and _mean(load, costs, other) is not None
                )
                yield next(fit, None), figures[what]


def _mean(load: LoadCounts, costs: Instructions, layer: Layer) -> float | None:
    """The instructions each time the layer handles a block; None if it handled none."""
    handled = load.layers[layer.name].handled
    return costs.layers[layer.name] * load.requests / handled if handled else None
