"""The answer in sentences: what it says, and that every report says it."""

from __future__ import annotations

import html as markup
import io
import re
from dataclasses import replace

import report_samples as samples

from layermatrix.evidence.conditions import UNREADABLE, Conditions, Machine
from layermatrix.measure import peer_results
from layermatrix.report import answer, html, markdown, terminal


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
    assert head.count(f'<p class="busy">{state.mark}</p>') == 1
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
