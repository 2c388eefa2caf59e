"""`core.decoding`: JSON becomes the dataclass that it was written from, or an error that names the field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from layermatrix.core import records
from layermatrix.core.decoding import decode
from layermatrix.evidence.taking import counters, programs, tests
from layermatrix.evidence.tools.cachegrind import CacheModel
from layermatrix.measure import hosted_timing, one_run
from layermatrix.measure.method import Method
from layermatrix.measure.runner import Timed
from layermatrix.model.catalogue import Better, Unit

TESTS = tests.Request(
    "build/a",
    ("build/a/bin/test_a",),
    tests.Limits(20, {"test_a": 3.5}),
    environment={"A": "b"},
    arguments={"test_a": ("--for", "3")},
    attempts={"test_a": 2},
)
LOAD = one_run.Load("loop", ("--ops", "5"), Unit("op", "ns", Better.LOWER))
SUBJECT = one_run.Subject("one", {"loop": Path("/p/bench")}, None, Path("one"))
REQUESTS = [
    TESTS,
    programs.Request("build/a", "tests/a.sh", "build/a/liba.so", 7.5),
    counters.Request(
        (counters.Load("loop", ("bench", "--ops", "8"), functions=("main",)),),
        "liba.so",
        None,
        CacheModel((1, 2, 3), (1, 2, 3), (1, 2, 3)),
    ),
    hosted_timing.request_of(
        Timed([LOAD], [SUBJECT], 3, None, Method(seed=4)), {Path("/p/bench"): "bench"}, fixed_seed=True
    ),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda one: type(one).__module__)
def test_a_request_survives_its_json(request_: Any) -> None:
    assert decode(type(request_), json.loads(records.text(request_))) == request_


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cell": 3}, "Request.cell must be str, not '3'"),
        ({"programs": "a"}, "Request.programs must be a list, not 'a'"),
        ({"programs": [1]}, r"Request.programs\[0\] must be str"),
        ({"limits": {}}, "Request.limits must be an object with 'each'"),
        ({"attempts": {"a": True}}, "Request.attempts.a must be int"),
        ({"more": 1}, "Request must be an object without 'more'"),
    ],
)
def test_an_error_names_the_field(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode(tests.Request, {**records.plain(TESTS), **change})


def test_a_word_that_is_not_in_an_enumeration_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"Unit\.better must be one of higher, lower, not 'best'"):
        decode(Unit, {"better": "best"})
