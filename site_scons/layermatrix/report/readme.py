"""The parts of a README that are generated from accepted results, and its picture.

Reads `README.md` and the records of `accepted`; returns the texts of the generated files. A part stands
between `<!-- generated: NAME -->` and `<!-- end -->`; NAME is `peers` or `variants`.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path

from layermatrix.core.errors import hint_for, quote
from layermatrix.core.records import NotMeasured
from layermatrix.evidence.columns import Figure, FigureKind, Heading, Table, several
from layermatrix.measure.peer_results import PeerResults, Summary
from layermatrix.model.layers import ALL
from layermatrix.report import accepted, answer, markdown, peer_figures, peer_tables
from layermatrix.report.charts import heat, vega

README = Path("README.md")
PICTURE = accepted.DOCS / "peers.svg"
STYLE = Path(__file__).with_name("style.css")
REGION = re.compile(r"(<!-- generated: ([^\n>]*?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
WIDTH = 125  # of a line of text
FONT = "system-ui,-apple-system,'Segoe UI',Roboto,Arial,sans-serif"


class ReadmeError(Exception):
    """A part cannot be generated; str() is one line that says why."""


def texts(root: Path) -> dict[Path, str]:
    """The generated files of a project: empty if its README has no generated part. Raises ReadmeError."""
    file = root / README
    old = file.read_text(encoding="utf-8") if file.is_file() else ""
    names = [match[2] for match in REGION.finditer(old)]
    if old.count("<!-- generated:") != len(names):
        raise ReadmeError(f"{README}: a line `<!-- generated: NAME -->` has no `<!-- end -->`")
    if not names:
        return {}
    new = REGION.sub(lambda match: f"{match[1]}\n{_part(match[2], root)}\n\n{match[4]}", old)
    picture = {PICTURE: picture_of(_peers(root).found)} if "peers" in names else {}
    return {README: new, **picture}


def _part(name: str, root: Path) -> str:
    made = PARTS.get(name)
    if made is None:
        raise ReadmeError(
            f"{README}: no part has the name {quote(name)}; {hint_for(name, PARTS) or ', '.join(PARTS)}"
        )
    return made(root)


def _paragraph(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


# --- beside other libraries


def _peers(root: Path) -> accepted.Peers:
    found = accepted.read(root, accepted.PEERS, accepted.PEERS_FILE)
    if isinstance(found, NotMeasured):
        raise ReadmeError(f"{accepted.PEERS_FILE}: {found.reason}; peers --accept writes it")
    return found


def _peers_part(root: Path) -> str:
    record = _peers(root)
    found = record.found
    about = (
        f"`{record.command}` on {record.date}: {several(found.rounds, 'round')} of"
        f" {several(len(found.loads), 'load')} on {markdown.escape(record.machine)}. Speed is the geometric"
        " mean of each library's share of the fastest other one's speed, so 1.00 is as fast as the best other"
        " library on every load. Memory is the geometric mean of the peaks, relative to the"
        f" {found.baseline}'s."
    )
    blocks = [
        _paragraph(markdown.escape(" ".join(answer.of_peers(found)))),
        markdown.rows(brief(found)),
        _paragraph(about),
        f"![How near each library is to the best of the others, load by load]({PICTURE})",
    ]
    return "\n\n".join(blocks)


def brief(found: PeerResults) -> Table:
    """A row of speeds for each group of loads and for all, and the peak memory of all."""
    headings = (Heading("loads"), *map(Heading, found.names))
    rows = [(_about(group, summary), *_speeds(found, summary)) for group, summary in found.summaries.items()]
    every = found.summaries[ALL]
    peaks = (_figure(every.standings[name].peak, name in found.own) for name in found.names)
    rows.append((Figure("peak memory, all"), *peaks))
    notes = peer_tables.summary_table(found).notes[1:]  # the first one explains the rows of that table
    return Table("", headings, tuple(rows), notes)


def _about(group: str, summary: Summary) -> Figure:
    kind = FigureKind.NAME if group == ALL else FigureKind.MEASURED
    return Figure(f"{group}: {several(summary.loads, 'load')}", kind)


def _speeds(found: PeerResults, summary: Summary) -> Iterable[Figure]:
    return (_figure(summary.standings[name].speed, name in found.own) for name in found.names)


def _figure(value: float | None, own: bool) -> Figure:
    kind = FigureKind.NAME if own else FigureKind.MEASURED
    return Figure("-" if value is None else f"{value:.2f}", kind)


def picture_of(found: PeerResults) -> str:
    """The map of loads and libraries as a picture for light and dark pages, which needs no other file."""
    speed = next(field for field in peer_figures.fields(found) if field.key == "speed")
    drawn = vega.render(heat.chart(speed)).svg
    head, inner = drawn.split(">", 1)
    style = f"<style>{_palette()}text{{font-family:{FONT}}}</style>"
    return f'{head}>{style}<rect width="100%" height="100%" fill="var(--page)"/>{inner}\n'


def _palette() -> str:
    """The colours of the report's style sheet, for both schemes."""
    css = STYLE.read_text(encoding="utf-8")
    found = re.match(
        r"\s*(:root\{.*?\}\s*@media \(prefers-color-scheme:dark\)\{:root\{.*?\}\})", css, re.DOTALL
    )
    assert found, "the style sheet begins with its two palettes"
    return found[1].replace("\n", "")


# --- the variants


def _variants_part(root: Path) -> str:
    record = accepted.read(root, accepted.VARIANTS, accepted.VARIANTS_FILE)
    if isinstance(record, NotMeasured):
        raise ReadmeError(f"{accepted.VARIANTS_FILE}: {record.reason}; report --accept writes it")
    about = f"Measured by `{record.command}` on {record.date}, on {markdown.escape(record.machine)}."
    return "\n\n".join([*map(markdown.rows, record.tables), about])


PARTS: dict[str, Callable[[Path], str]] = {"peers": _peers_part, "variants": _variants_part}
