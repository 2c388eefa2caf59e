"""The answer of a report in sentences for a reader who knows nothing of the project.

Reads results; returns sentences. The page, the terminal and Markdown print the same ones. The words of
verdicts are those of `evidence.bench.Verdict`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from layermatrix.analysis import figures, host_groups
from layermatrix.analysis.figures import Interval
from layermatrix.analysis.results import CellResult, Results
from layermatrix.core.records import NotMeasured
from layermatrix.evidence import bench, conditions
from layermatrix.evidence.bench import Verdict
from layermatrix.evidence.columns import number, several
from layermatrix.measure.peer_results import PeerResults, Standing
from layermatrix.measure.stats import FEWEST_ROUNDS
from layermatrix.model.layers import ALL
from layermatrix.report import tables

CLEAR = (Verdict.FASTER, Verdict.SLOWER)


def sentences(results: Results) -> tuple[str, ...]:
    """The answer: beside other libraries, beside the baseline, beside what was reported, and what failed."""
    peers = () if isinstance(results.peers, NotMeasured) else of_peers(results.peers)
    variants = (
        f"{group.words}: {sentence}" if group.words else sentence
        for group, part in host_groups.parts(results)
        for sentence in _of_variants(part)
    )
    hosts = host_groups.sentences(results)
    return (*peers, *variants, *hosts, *_of_story(results), *_of_failures(results))


def marks(results: Results) -> tuple[str, ...]:
    """The marks of timings on a busy machine, each once."""
    records = (results.peers, *(cell.of(bench.KIND) for cell in results.cells))
    return conditions.marks(
        None if isinstance(record, NotMeasured) else record.conditions for record in records
    )


# --- beside other libraries


def of_peers(found: PeerResults) -> tuple[str, ...]:
    """What a comparison with other libraries found, for each of our variants."""
    return tuple(sentence for name in found.own for sentence in _of_own(found, name))


def _of_own(found: PeerResults, name: str) -> Iterable[str]:
    summary = found.summaries[ALL]
    own = summary.standings[name]
    if own.speed is None:
        yield f"{name} was not timed with any of {several(summary.loads, 'load')}."
        return
    yield (
        f"Over {several(own.loads, 'load')}, {name} reaches {own.speed:.2f} of the speed of the fastest other"
        f" library of each load, on average{_next_best(found, summary.standings)}."
    )
    if own.peak is not None:
        yield (
            f"Its peak memory is {own.peak:.2f} times that of the {found.baseline}"
            f"{_leanest(found, summary.standings)}."
        )
    yield verdicts(found, name)


def _next_best(found: PeerResults, standings: Mapping[str, Standing]) -> str:
    """The best of the others by the same mean, and the baseline."""
    speeds = {one: standings[one].speed for one in (*found.rivals, found.baseline)}
    known = {one: speed for one, speed in speeds.items() if speed is not None}
    if not known:
        return ""
    best = max(known, key=lambda one: known[one])
    words = f"; {best}, the best of the others, {known[best]:.2f}"
    if best != found.baseline and found.baseline in known:
        words += f", and the {found.baseline} {known[found.baseline]:.2f}"
    return words


def _leanest(found: PeerResults, standings: Mapping[str, Standing]) -> str:
    """The range of the other libraries' memory."""
    peaks = [peak for one in found.rivals if (peak := standings[one].peak) is not None]
    if not peaks:
        return ""
    low, high = f"{min(peaks):.2f}", f"{max(peaks):.2f}"
    return f"; that of the others {low if low == high else f'{low} to {high}'} times"


def verdicts(found: PeerResults, name: str) -> str:
    """How many loads the variant wins against the best of the others, and how many it loses."""
    ratios = [ratio for load in found.loads.values() if (ratio := load.against_best.get(name))]
    if found.rounds < FEWEST_ROUNDS:
        ahead = sum(ratio.median > 1 for ratio in ratios)
        return (
            f"It is ahead of every other library on {ahead} of {several(len(ratios), 'load')}, and behind the"
            " best of them on the others; so few rounds cannot tell which small differences are chance."
        )
    counts = {verdict: sum(ratio.verdict is verdict for ratio in ratios) for verdict in Verdict}
    unclear = [
        f"{count} show {verdict.value}"
        for verdict, count in counts.items()
        if verdict not in CLEAR and (count or verdict is Verdict.SAME)
    ]
    return (
        f"Beside the best other library, it is {Verdict.FASTER.value} on {counts[Verdict.FASTER]} of"
        f" {several(len(ratios), 'load')} and {Verdict.SLOWER.value} on {counts[Verdict.SLOWER]};"
        f" {', '.join(unclear)}."
    )


# --- beside the baseline


def _of_variants(results: Results) -> Iterable[str]:
    """The fastest variant beside the baseline, and how far the code of the fast path fell."""
    shipped = [cell for cell in results.cells if cell.is_shipped]
    load = results.headline
    found = [
        (ratio, cell) for cell in shipped if isinstance(ratio := figures.speed_ratio(cell, load), Interval)
    ]
    if found:
        ratio, cell = max(found, key=lambda one: one[0].middle)
        verdict = _verdict(cell, load)
        words = f" ({verdict})" if verdict else ""
        yield (
            f"Of the variants, {tables.row_names(results)[cell.id]} is the fastest on {load}:"
            f" {ratio.middle:.2f} times the speed of the {results.baseline.name}, {ratio.low:.2f} to"
            f" {ratio.high:.2f}{words}."
        )
    counts = [
        count.middle for cell in shipped if isinstance(count := figures.entry_instructions(cell), Interval)
    ]
    if len(counts) > 1 and max(counts) > min(counts):
        yield (
            f"The code of {tables.entries(results)[0]} is {number(max(counts))} instructions in the longest"
            f" variant and {number(min(counts))} in the shortest."
        )


def _verdict(cell: CellResult, load: str | None) -> str:
    timing = figures.timing(cell, load)
    ratio = None if isinstance(timing, NotMeasured) else timing.ratio
    return "" if ratio is None or isinstance(ratio, NotMeasured) else ratio.verdict.value


def _of_story(results: Results) -> Iterable[str]:
    story = results.story
    verdicts = [item.agrees for items in (story.steps, story.standings, story.guards) for item in items]
    decided = [agrees for agrees in verdicts if agrees is not None]
    good = sum(decided)
    if decided and good == len(decided):
        yield f"All {several(good, 'reported effect')} that could be decided are as reported, or better."
    elif decided:
        yield (
            f"{good} of {several(len(decided), 'reported effect')} {'is' if good == 1 else 'are'} as"
            " reported, or better; the report lists the others."
        )


def _of_failures(results: Results) -> Iterable[str]:
    failed: Sequence[str] = [cell.id for cell in results.cells if cell.failed]
    if failed:
        yield f"{several(len(failed), 'cell')} of {len(results.cells)} failed: {', '.join(failed[:3])}" + (
            f" and {len(failed) - 3} more." if len(failed) > 3 else "."
        )
