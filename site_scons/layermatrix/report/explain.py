"""Describe a variant in text with a drawing of boxes and arrows; list the variants and the cells.

Reads a variant's description from `layer_path` (or the whole `Project`); returns text.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from layermatrix.analysis.layercost import LayerCosts
from layermatrix.core.records import NotMeasured
from layermatrix.evidence.columns import state
from layermatrix.model.layers import NO_STORAGE
from layermatrix.report import layers

if TYPE_CHECKING:
    from layermatrix.analysis.layer_path import LayerPath, Overlap, Stage
    from layermatrix.model.cells import Cell
    from layermatrix.model.layers import Toggle
    from layermatrix.model.project import Project

Counted = LayerCosts | NotMeasured | None  # the counts of the layers, if known

WIDTH = 100
BOX = 64  # inner width of a box of the drawing


def explain(about: LayerPath, counted: Counted = None) -> str:
    """The description of a variant, ready to print. counted: the counts of its layers, from
    `layercost.of_cell`."""
    sections = [
        _heading(about),
        drawing(about, counted),
        _overlaps(about),
        layers.table(counted, about.titles) if counted else [],
        _keys(about),
        _options(about),
    ]
    return "\n\n".join("\n".join(lines) for lines in map(list, sections) if lines) + "\n"


def layer_figures(about: LayerPath, counted: LayerCosts | NotMeasured) -> str:
    """Only the counts of a variant's layers."""
    return "\n".join([about.variant, *layers.table(counted, about.titles)]) + "\n"


def list_variants(
    project: Project, cells: Sequence[Cell] = (), left_out: Iterable[tuple[str, str]] = ()
) -> str:
    """The variants with their doc and layers, then the cells that can be built, then those that cannot."""
    lines = ["Variants"]
    for variant in project.variants.values():
        titles = " -> ".join(layer.title for layer in variant.layers)
        lines += ["", f"  {variant.name}  ({variant.source})"]
        lines += _wrapped(variant.doc, "    ") + _wrapped(f"layers: {titles}", "    ", "            ")
    if cells:
        lines += ["", f"Cells ({len(cells)})", "", *_wrapped("  ".join(cell.id for cell in cells), "  ")]
    left = by_reason(left_out)
    if left:
        lines += ["", "Left out", ""]
        for reason, ids in left.items():
            lines += _wrapped(f"{', '.join(ids)}: {reason}", "  ", "    ")
    return "\n".join(lines) + "\n"


def storage_text(about: LayerPath, layer: Stage) -> str:
    """A layer's storage and its bound. For a layer without a storage, the layers that it fills."""
    if not layer.stores:
        return f"fills {layer.fills} from the backend"
    words = "stores nothing" if layer.storage == NO_STORAGE else layer.storage.replace("_", " ")
    if layer.capacity:
        words += f", {layer.capacity} {about.stored} a {about.key}"
    if layer.bytes_bound:
        words += f", at most {bytes_text(layer.bytes_bound)} a {about.key}"
    return words


def toggle_text(toggle: Toggle | None) -> str:
    """Whether a layer is on, and the environment variable that switches it."""
    if toggle is None:
        return "always on"
    other = "=0 switches it off" if toggle.default else "=1 switches it on"
    return f"{state(toggle.default)}; {toggle.env}{other}"


def keys_text(about: LayerPath, layer: Stage) -> str:
    """The keys of a layer; a run of keys is written as C0-C3."""
    return f"every {about.key}" if layer.serves_all else runs(layer.keys, about.keys)


def runs(names: Sequence[str], order: Sequence[str]) -> str:
    """Names in which each run of three or more is written as first-last: C0-C3, C5."""
    groups: list[list[str]] = []
    for name in sorted(names, key=order.index):
        if groups and order.index(groups[-1][-1]) + 1 == order.index(name):
            groups[-1].append(name)
        else:
            groups.append([name])
    return ", ".join(f"{group[0]}-{group[-1]}" if len(group) > 2 else ", ".join(group) for group in groups)


def bytes_text(count: int) -> str:
    """A number of bytes in the largest unit that divides it exactly."""
    for unit, size in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size and count % size == 0:
            return f"{count // size} {unit}"
    return f"{count} bytes"


def drawing(about: LayerPath, counted: Counted = None) -> list[str]:
    """The path from top to bottom: a box for each layer, an arrow for the requests that it passes on, and the
    backend at the end. If the first load was counted, the arrows show the share of requests that go on."""
    lines = [about.title, "", f"  {about.entry}", *_arrow("")]
    for layer, label in zip(about.layers, arrow_labels(about, counted), strict=True):
        lines += _box(_layer_lines(about, layer), _layer_title(layer), _margin(about, layer))
        lines += _arrow(label)
    backend = about.backend
    return lines + _box(_wrapped(backend.doc, "", width=BOX), f"{backend.name} backend", "")


def _shares(counted: Counted) -> dict[str, float]:
    """The share of the first load's requests that each layer serves."""
    if counted is None or isinstance(counted, NotMeasured) or not counted.loads:
        return {}
    load = next(iter(counted.loads.values()))
    return {name: layer.share or 0.0 for name, layer in load.layers.items()}


def _heading(about: LayerPath) -> list[str]:
    lineage = " -> ".join(about.lineage)
    settings = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in about.settings.items())
    lines = [f"{about.variant}  ({about.source})", *_wrapped(about.doc, "  "), ""]
    lines += [f"  lineage   {lineage}", *_wrapped(f"  settings  {settings}", "", " " * 12)]
    if about.reported:
        figures = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in about.reported.items())
        lines += _wrapped(f"  reported  {figures}  (not measured here)", "", " " * 12)
    return lines


def _layer_title(layer: Stage) -> str:
    return f"{layer.title} ({layer.role})"


def _layer_lines(about: LayerPath, layer: Stage) -> list[str]:
    serves = f"{keys_text(about, layer)}; " if layer.stores else ""
    lines = _wrapped(layer.doc, "", width=BOX)
    lines += _wrapped(f"{serves}{storage_text(about, layer)}", "", width=BOX)
    lines += _wrapped(toggle_text(layer.toggle), "", width=BOX)
    return lines + [f"! {text}" for text in _layer_overlaps(about, layer)]


def _layer_overlaps(about: LayerPath, layer: Stage) -> list[str]:
    shared = [name for group in about.overlaps if layer.title in group.layers for name in group.keys]
    own = [name for name in shared if name in layer.keys]
    return [f"not alone in serving {runs(own, about.keys)}"] if own and layer.is_front else []


def _margin(about: LayerPath, layer: Stage) -> str:
    return f"inlined in {about.entry}" if layer.inlined else "out of line"


def arrow_labels(about: LayerPath, counted: Counted = None) -> list[str]:
    """The label of the arrow below each layer. If the first load was counted, it shows the share of requests
    that go on."""
    shares, left = _shares(counted), 1.0
    labels = []
    for layer in about.layers[:-1]:
        left -= shares.get(layer.name, 0.0)
        goes_on = f", {100 * max(left, 0.0):.2f}% of the requests go on" if shares else ""
        labels.append(("miss" if layer.stores else "off") + goes_on)
    return [*labels, about.supply]


def _arrow(label: str) -> list[str]:
    middle = " " * 14
    return [f"{middle}│ {label}".rstrip(), f"{middle}▼"]


def _box(lines: Sequence[str], title: str, margin: str) -> list[str]:
    top = f"  ┌─ {title} " + "─" * max(BOX - len(title) - 1, 0) + "┐"
    rows = [f"  │ {line:<{BOX}} │" for line in lines]
    return [f"{top}  {margin}".rstrip(), *rows, f"  └{'─' * (BOX + 2)}┘"]


def _overlaps(about: LayerPath) -> list[str]:
    if not about.overlaps:
        return [f"No {about.key} is served by more than one {about.front}."]
    lines = [f"What more than one {about.front} serves"]
    for group in about.overlaps:
        lines += _wrapped(overlap_sentence(group, about.keys), "  ", "      ")
    return lines


def overlap_sentence(group: Overlap, order: Sequence[str]) -> str:
    """ "Ring Cache, Front C23 and UltraHot all target C2/C3." """
    *others, last = group.layers
    both = "both" if len(others) == 1 else "all"
    return f"{', '.join(others)} and {last} {both} target {runs(group.keys, order).replace(', ', '/')}."


def _keys(about: LayerPath) -> list[str]:
    """Every key with its details, in columns."""
    heads, columns = [about.key, *about.columns], [about.keys, *about.columns.values()]
    widths = [max(map(len, (head, *column))) for head, column in zip(heads, columns, strict=True)]
    lines = []
    for row in (heads, *zip(*columns, strict=True)):
        fields = [
            f"{text:>{width}}" if text.isdigit() or column.isdigit() else f"{text:<{width}}"
            for text, width, column in zip(row, widths, [texts[0] for texts in columns], strict=True)
        ]
        lines.append(f"  {'   '.join(fields)}".rstrip())
    return lines


def _options(about: LayerPath) -> list[str]:
    lines = ["Options and toggles"]
    for option in about.options:
        env = f"{option.env} (default {state(option.value)})" if option.env else "fixed"
        lines.append(f"  {option.name} = {state(option.value)}: {env}")
        lines += _wrapped(option.doc, "      ")
    for layer in about.layers:
        if layer.toggle:
            lines.append(f"  {layer.title}: {layer.toggle.env} (default {state(layer.toggle.default)})")
            lines += _wrapped(layer.doc, "      ")
    if not any(layer.toggle for layer in about.layers):
        lines.append("  Layers have no runtime toggle: every one is always on.")
    return lines


def _wrapped(text: str, indent: str, later: str | None = None, width: int = WIDTH) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent if later is None else later,
        break_on_hyphens=False,
    )  # fmt: skip


def by_reason(left_out: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for cell_id, reason in left_out:
        found.setdefault(reason, []).append(cell_id)
    return found
