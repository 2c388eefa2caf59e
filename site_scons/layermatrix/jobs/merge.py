"""The job `merge`: add the runs of several stores of results to one, such as those of a cluster's hosts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from layermatrix.build.request import RequestError
from layermatrix.build.targets import STORE, Variable
from layermatrix.evidence.columns import several
from layermatrix.jobs import given_files, recording
from layermatrix.jobs.base import Job, Plan, Work

if TYPE_CHECKING:
    from layermatrix.store.merging import Merged

STORES = Variable(
    name="stores", doc="the stores whose runs are added to that of store=",
    values="paths of results.sqlite, or patterns",
)  # fmt: skip


def prepare(plan: Plan) -> Work:
    given = given_files.of(plan.root, STORES, plan.request.text(STORES))
    if not given:
        raise RequestError("merge needs stores=, the files whose runs are added to the store")
    target = recording.location(plan)
    return Work(
        (), f"add the runs of {several(len(given), 'store')} to {target}", lambda: _run(target, given)
    )


def _run(target: Path, given: Sequence[Path]) -> int:
    from layermatrix.store import merging
    from layermatrix.store.database import StoreError

    try:
        found = merging.merge(target, given)
    except StoreError as error:
        raise RequestError(str(error)) from None
    for one in found:
        print(f"{one.source}: {_said(one)}")
    print(f"{target}: {several(sum(one.added for one in found), 'run')} added")
    return 0


def _said(one: Merged) -> str:
    known = f", {one.known} known" if one.known else ""
    return f"{several(one.added, 'run')} added{known}"


JOB = Job(
    name="merge",
    doc="add the runs of other stores of results (stores=) to the store",
    variables=(STORES, STORE),
    prepare=prepare,
)
