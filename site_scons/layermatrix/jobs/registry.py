"""Every job, in the order of `-h`; the first one is the default target.

A new job is a module with a `JOB` and its line here.
"""

from __future__ import annotations

from layermatrix.build import targets
from layermatrix.jobs import (
    ab,
    ablate,
    bench,
    bisect,
    compare,
    completion,
    counters,
    evidence,
    explain,
    export,
    fuzz,
    history,
    layers,
    list_cells,
    matrix,
    merge,
    new,
    pages,
    peers,
    phases,
    record,
    reference,
    report,
    run_tests,
    schema,
    story,
    study,
    tune,
    watch,
)

JOBS: tuple[targets.Target, ...] = (
    phases.JOB,
    matrix.JOB,
    bench.JOB,
    ab.JOB,
    ablate.JOB,
    bisect.JOB,
    tune.JOB,
    peers.JOB,
    record.JOB,
    counters.JOB,
    compare.JOB,
    study.JOB,
    history.JOB,
    merge.JOB,
    evidence.JOB,
    watch.JOB,
    layers.JOB,
    story.JOB,
    pages.JOB,
    reference.JOB,
    report.JOB,
    run_tests.JOB,
    fuzz.JOB,
    list_cells.JOB,
    explain.JOB,
    new.JOB,
    schema.JOB,
    completion.JOB,
    export.JOB,
)
TARGETS: tuple[targets.Target, ...] = (*JOBS, *targets.GRAPH)
