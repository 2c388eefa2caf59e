"""The answer in sentences: what it says, and that every report says it."""

from __future__ import annotations

import html as markup
import io
import re
from dataclasses import replace

import report_samples as samples

from layermatrix.analysis.results import NO_PEERS, BaselineResult, Results
from layermatrix.core.records import Missing, NotMeasured
from layermatrix.evidence.bench import NO_BASELINE
from layermatrix.evidence.conditions import UNREADABLE, Conditions, Machine
from layermatrix.measure import peer_results
from layermatrix.model.catalogue import Better, Unit
from layermatrix.report import answer, html, markdown, tables, terminal
from layermatrix.report.charts import variants


def test_it_says_how_fast_and_how_large_the_library_is_beside_the_others() -> None:
    speed, memory, verdicts = answer.of_peers(samples.peers())
    assert speed == (
        "Over 5 loads, mine reaches 1.05 of the speed of the fastest other library of each load, on average;"
        " lean, the best of the others, 0.72, and the system malloc 0.47."
    )
    assert memory == (
        "Its peak memory is 2.50 times that of the system malloc; that of the others 1.50 to 2.00 times."
    )
    assert verdicts == (
        "Beside the best other library, it is faster on 4 of 5 loads and slower on 1; 0 show no difference."
    )


def test_one_round_gives_no_verdict() -> None:
    *_, verdicts = answer.of_peers(samples.peers(rounds=1))
    assert verdicts == (
        "It is ahead of every other library on 4 of 5 loads, and behind the best of them on the others; so"
        " few rounds cannot tell which small differences are chance."
    )


def test_a_library_that_was_not_timed_has_a_sentence() -> None:
    found = samples.peers()
    summaries = {
        group: replace(
            summary,
            standings={name: replace(one, speed=None, peak=None) for name, one in summary.standings.items()},
        )
        for group, summary in found.summaries.items()
    }
    assert answer.of_peers(replace(found, summaries=summaries)) == (
        "mine was not timed with any of 5 loads.",
    )


def test_it_names_the_fastest_variant_and_what_was_reported() -> None:
    sentences = answer.sentences(samples.phases())
    assert sentences[0] == (
        "Of the variants, split is the fastest on mixed: 1.31 times the speed of the system malloc, 1.29 to"
        " 1.33 (no difference)."
    )
    assert "The code of alloc is 800 instructions in the longest variant and 22 in the shortest." in sentences
    assert any(re.match(r"(All )?\d+ (of \d+ )?reported effects", sentence) for sentence in sentences)


def test_a_failed_cell_is_part_of_the_answer() -> None:
    cells = [samples.cell("old"), *(samples.unbuilt("mid", id=f"cell-{number}") for number in range(4))]
    assert answer.sentences(samples.record(cells))[-1] == (
        "4 cells of 5 failed: cell-0, cell-1, cell-2 and 1 more."
    )


def test_a_busy_machine_is_marked_at_the_top_of_the_page() -> None:
    machine = Machine("Made-up CPU", 2, "6.1")
    state = Conditions(machine, 0.5, 3.1, 1.4, 0.0, UNREADABLE, UNREADABLE, 60.0)
    busy = replace(samples.bench(1.0), conditions=state)
    results = samples.record([samples.cell("old", bench=busy), samples.cell("mid", bench=busy)])
    assert answer.marks(results) == (state.mark,)
    head = html.render(results).partition("<main")[0]
    words = (
        "The machine was busy while this was timed: load 3.1 on 2 CPUs, other processes used 1.4 of 2 CPUs."
    )
    assert head.count(f'<p class="busy">{words} Such figures are less certain.</p>') == 1
    assert answer.marks(samples.phases(peers=samples.peers())) == ()


def test_nothing_measured_is_no_sentence() -> None:
    assert answer.sentences(samples.record([])) == ()


def test_every_report_says_the_same() -> None:
    results = samples.phases(peers=samples.peers())
    sentences = answer.sentences(results)
    page = markup.unescape(html.render(results))
    assert all(f"<p>{sentence}</p>" in page for sentence in sentences)
    text = markdown.render(results)
    assert all(markdown.escape(sentence) in text for sentence in sentences)
    terminal.phase_table(results, terminal.make_console(plain := io.StringIO()))
    printed = " ".join(plain.getvalue().split())
    assert all(sentence in printed for sentence in sentences)


def test_the_job_of_the_peers_ends_with_the_answer() -> None:
    found = samples.peers()
    terminal.peers(found, terminal.make_console(plain := io.StringIO()), peer_results.FILE)
    printed = " ".join(plain.getvalue().split())
    assert all(sentence in printed for sentence in answer.of_peers(found))


def without_baseline(*names: str) -> Results:
    """The results of a project whose loads are inlined: it has no baseline, no peers, nothing reported."""
    cells = []
    for name in names:
        made = samples.cell(name, reported={})
        bench = samples.bench({"old": 0.5, "mid": 0.7, "new": 1.3}[name])
        loads = {
            load: replace(one, ratio=NO_BASELINE)
            for load, one in bench.loads.items()
            if not isinstance(one, NotMeasured)
        }
        cells.append(replace(made, evidence={**made.evidence, "bench": replace(bench, loads=loads)}))
    none = BaselineResult("baseline", {}, {"bench": Missing("there is no bench.json of this cell")})
    return samples.record(cells, baseline=none, peers=NO_PEERS)


def test_a_project_without_a_baseline_has_speeds_as_they_were_measured() -> None:
    results = without_baseline("old", "mid", "new")
    assert answer.sentences(results)[0] == (
        "Of the variants, new is the fastest on mixed: 65.0 Mops/s; old is the slowest: 25.0."
    )
    assert answer.sentences(without_baseline("mid"))[0] == "mid runs mixed with 35.0 Mops/s."
    slow = replace(results, unit=Unit("op", "ns/op", Better.LOWER))
    assert "old is the fastest" in answer.sentences(slow)[0]
    heads = [heading.head for heading in tables.run_table(results).headings]
    assert "ratio to" not in heads
    speed, *_ = variants.charts(results)
    assert (speed.title, speed.about) == (
        "Speed, mixed",
        "How fast each variant runs this load: random sizes.",
    )
    assert [bar["value"] for bar in speed.spec["data"]["values"]] == [25.0, 35.0, 65.0]


def test_a_page_has_no_section_about_what_the_project_does_not_have() -> None:
    page = html.render(without_baseline("old", "mid"))
    assert "Beside other libraries" not in page
    assert "Reported and measured" not in page
    assert "reported effects" not in page
    assert "Reported are" not in page
    assert "<h2>The variants</h2>" in page
