"""Test each layer alone, in a build that counts. A layer must serve its classes, in its storage's order and
within its bound, and pass on what it has no room for. A count that does not add up ends the program.

The cases come from the catalogue, so that a new layer is tested automatically.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.scons.conftest import COMPILER, LIMIT, ROOT, Project, copy_tree

from layermatrix.model.layers import Key, Layer
from layermatrix.model.variants import Variant
from layermatrix.spec.loader import load_project

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DRIVER = "tests/scons/layer_driver.c"
EXTRA = 10  # blocks beyond what a layer can hold
LOADED = load_project(ROOT)
CATALOGUE = LOADED.catalogue.layers.values()
PARENT = LOADED.variants["phase0"]  # its layers have toggles; `variants` adds the others

SWITCHED = """
doc: Every layer of the catalogue that can be switched.
extends: phase0
add: [{added}]
"""
ALONE = """
doc: A layer that is always on, with nothing beside it.
layers: [{layers}]
set: {{toggles: env}}
"""


def every(role: str) -> pytest.MarkDecorator:
    """The layers of the catalogue that have this role."""
    names = [layer.name for layer in CATALOGUE if layer.role == role]
    return pytest.mark.parametrize("name", names)


def is_apart(layer: Layer) -> bool:
    """Whether a cache must be tested in a variant of its own."""
    absent = layer not in [replace(other, position=0) for other in PARENT.layers]
    return layer.role == "cache" and absent and (layer.toggle is None or bool(layer.conflicts))


def write_variants(project: Project) -> list[str]:
    """The names of the variants in which every layer of the catalogue can be tested."""
    own = {layer.name for layer in PARENT.layers}
    added = [layer.name for layer in CATALOGUE if layer.name not in own and not is_apart(layer)]
    project.write("variants/switched.yaml", SWITCHED.format(added=", ".join(added)))
    apart = [layer for layer in CATALOGUE if is_apart(layer)]
    for layer in apart:
        later = [other.name for other in (*PARENT.with_role("overflow"), *PARENT.with_role("refill"))]
        layers = ", ".join([layer.name, *later])
        project.write(f"variants/alone_{layer.name}.yaml", ALONE.format(layers=layers))
    return ["switched", *(f"alone_{layer.name}" for layer in apart)]


# --- the expected behaviour of a storage


class Lifo:
    """The last block in is the first out."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.blocks: deque[int] = deque()

    def push(self, block: int) -> bool:
        if len(self.blocks) == self.capacity:
            return False
        self.blocks.append(block)
        return True

    def pop(self) -> int | None:
        return self.blocks.pop() if self.blocks else None


class Fifo(Lifo):
    """The first block in is the first out."""

    def pop(self) -> int | None:
        return self.blocks.popleft() if self.blocks else None


class MagazinePair:
    """Two stacks that are swapped when the loaded one is empty on a pop, or full on a push."""

    def __init__(self, capacity: int) -> None:
        self.loaded, self.waiting = Lifo(capacity // 2), Lifo(capacity // 2)

    def push(self, block: int) -> bool:
        if self.loaded.push(block):
            return True
        if len(self.waiting.blocks) == self.waiting.capacity:
            return False
        self.loaded, self.waiting = self.waiting, self.loaded
        return self.loaded.push(block)

    def pop(self) -> int | None:
        if not self.loaded.blocks:
            if not self.waiting.blocks:
                return None
            self.loaded, self.waiting = self.waiting, self.loaded
        return self.loaded.pop()


DISCIPLINES: Mapping[str, type[Lifo | MagazinePair]] = {
    "array_stack": Lifo,
    "linked_list": Lifo,
    "packed_list": Lifo,
    "ring": Fifo,
    "magazine": MagazinePair,
}


# --- running the driver


@dataclass(frozen=True)
class Counted:
    """The output of one run of the driver, and the counts of the layers. orders: by size, one list per
    call."""

    orders: Mapping[int, list[list[int]]]
    counts: Mapping[str, Any]

    def of(self, layer: Layer, size_class: Key, *keys: str) -> int:
        found: Any = self.counts["layers"][layer.name]
        for key in keys:
            found = found[key]
        return int(found[size_class.index])


class Driver:
    """A library that counts, and the driver that uses it."""

    def __init__(self, project: Project, variant: Variant) -> None:
        self.project = project
        self.variant = variant
        self.built = project.path(f"build/{variant.name}-stats-{COMPILER.name}/libhakmem.so")

    def run(self, words: Iterable[str], on: Iterable[Layer] = ()) -> Counted:
        """Run with these layers on, and with all other layers off that have a toggle."""
        done = self.try_run(words, on)
        assert done.returncode == 0, done.stderr
        orders: dict[int, list[list[int]]] = {}
        for line in done.stdout.splitlines():
            size, _, numbers = line.partition(":")
            orders.setdefault(int(size), []).append([int(number) for number in numbers.split()])
        return Counted(orders, json.loads(self.project.read("counts.json")))

    def try_run(self, words: Iterable[str], on: Iterable[Layer] = ()) -> subprocess.CompletedProcess[str]:
        stats = self.variant.system.stats
        assert stats is not None
        report = {stats.env: str(self.project.path("counts.json")), "LD_PRELOAD": str(self.built)}
        return subprocess.run(
            ["./driver", *words], cwd=self.project.root, env={**os.environ, **self.toggles(on), **report},
            capture_output=True, text=True, timeout=LIMIT, check=False,
        )  # fmt: skip

    def toggles(self, on: Iterable[Layer]) -> dict[str, str]:
        """The environment that switches these layers on, and all other layers with a toggle off."""
        switched_on = {layer.name for layer in on}
        return {
            layer.toggle.env: str(int(layer.name in switched_on))
            for layer in self.variant.toggled_layers
            if layer.toggle
        }


def reachable(variant: Variant) -> list[Key]:
    """The classes of requests."""
    served = {*variant.extra["hot_index"]}
    if variant.extra["hot_size"] < variant.extra["max_size"]:
        served |= {*variant.extra["wide_index"]}
    return [size_class for size_class in variant.keys if size_class.index in served]


def fill_and_empty(size: int, blocks: int) -> list[str]:
    """Allocate that many blocks, free them in the order of allocation, and allocate as many again."""
    return [f"a:{size}:{blocks}", f"f:{size}:{blocks}", f"a:{size}:{blocks}"]


@pytest.fixture(scope="module")
def counting(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project with libraries that count, and the driver."""
    root = tmp_path_factory.mktemp("counting") / "project"
    copy_tree(built, root)
    project = Project(root)
    # the counts are the same however well the code is optimised, and this compiles in half of the time
    counts = '"stats": {\n        "CCFLAGS": ["-O2"],'
    project.edit("SConstruct", counts, counts.replace("-O2", "-O0"))
    names = ["phase2", *write_variants(project)]
    project.build(f"variant={','.join(names)}", "mode=stats", "libs")
    project.compile(DRIVER, "driver")
    return project


@pytest.fixture(scope="module")
def driver(counting: Project) -> Driver:
    """A driver on the variant that has every layer with a toggle."""
    return Driver(counting, load_project(counting.root).variants["switched"])


@pytest.fixture
def layer(driver: Driver, counting: Project, name: str) -> tuple[Driver, Layer]:
    """The layer of this name in a variant, and a driver on that variant."""
    if is_apart(LOADED.catalogue.layers[name]):
        driver = Driver(counting, load_project(counting.root).variants[f"alone_{name}"])
    return driver, next(layer for layer in driver.variant.layers if layer.name == name)


def limit(layer: Layer, size_class: Key) -> int:
    """The number of blocks of the class that the layer may hold; 0 for a class that it does not serve."""
    if size_class not in layer.keys:
        return 0
    return layer.limits[size_class.index - layer.first]


# --- the layers, one at a time


def test_the_driver_itself_asks_for_no_block(driver: Driver) -> None:
    counted = driver.run([])
    assert sum(counted.counts["requests"]) == 0
    assert counted.counts["classes"] == [size_class.number("size") for size_class in driver.variant.keys]
    assert list(counted.counts["layers"]) == [layer.name for layer in driver.variant.layers]


def test_every_layer_of_the_catalogue_is_tried(driver: Driver) -> None:
    tried = {layer.name for layer in driver.variant.layers} | {x.name for x in CATALOGUE if is_apart(x)}
    assert tried == set(LOADED.catalogue.layers)
    assert len(PARENT.layers) == 11


@every("cache")
def test_a_cache_serves_its_classes_in_its_order_within_its_bound(layer: tuple[Driver, Layer]) -> None:
    driver, cache = layer
    classes = reachable(driver.variant)
    counted = driver.run(
        [word for c in classes for word in fill_and_empty(c.number("size"), limit(cache, c) + EXTRA)],
        on=[cache],
    )
    for size_class in classes:
        most = limit(cache, size_class)
        keys = ("entries", "hits", "misses", "offered", "accepted", "refused", "peak", "held")
        found = {key: counted.of(cache, size_class, key) for key in keys}
        if not most:
            assert found == dict.fromkeys(keys, 0)
            continue
        blocks = most + EXTRA
        assert found == {
            "entries": 2 * blocks, "hits": most, "misses": blocks + EXTRA,
            "offered": blocks, "accepted": most, "refused": EXTRA,
            "peak": most, "held": 0,
        }  # fmt: skip
        model = DISCIPLINES[cache.storage](most)
        _, second = counted.orders[size_class.number("size")]
        kept = [block for block in range(blocks) if model.push(block)]
        assert kept == list(range(most))
        assert second[:most] == [model.pop() for _ in kept]


@every("cache")
def test_a_cache_that_is_off_gets_no_requests_while_the_others_do(layer: tuple[Driver, Layer]) -> None:
    driver, cache = layer
    if cache.toggle is None:
        pytest.skip(f"{cache.name} has no toggle: it is always on")
    others = [other for other in driver.variant.with_role("cache") if other is not cache]
    words = [word for c in reachable(driver.variant) for word in fill_and_empty(c.number("size"), EXTRA)]
    counts = driver.run(words, on=others).counts["layers"]
    assert sum(counts[cache.name]["entries"]) == sum(counts[cache.name]["offered"]) == 0
    assert sum(counts[others[0].name]["entries"]) > 0


@every("overflow")
def test_an_overflow_layer_takes_every_block_and_lets_go_of_half_beyond_its_bound(
    layer: tuple[Driver, Layer],
) -> None:
    driver, overflow = layer
    limits = {c: limit(overflow, c) for c in reachable(driver.variant)}
    words = [word for c, most in limits.items() for word in fill_and_empty(c.number("size"), most)]
    counted = driver.run(words)
    spilled = 0
    for size_class, most in limits.items():
        assert counted.of(overflow, size_class, "offered") == most
        assert counted.of(overflow, size_class, "accepted") == most
        assert counted.of(overflow, size_class, "refused") == 0
        assert most // 2 < counted.of(overflow, size_class, "peak") <= most
        spilled += counted.of(overflow, size_class, "out", "spill")
        _, second = counted.orders[size_class.number("size")]
        newest = range(most - 1, most - 1 - most // 4, -1)
        assert second[: len(newest)] == list(newest)
    assert spilled > 0, "what a refill left there and what was freed are more than the bound"


@every("refill")
def test_a_refill_puts_its_batch_where_its_entry_declares(layer: tuple[Driver, Layer]) -> None:
    """The layer that is filled: the layer that it needs, otherwise the first cache with room."""
    driver, refill = layer
    sizes = reachable(driver.variant)
    for cache in driver.variant.with_role("cache"):
        counted = driver.run([f"a:{c['size']}:1" for c in sizes], on=[cache, refill])
        for size_class in sizes:
            batch = min(max(4096 // size_class.number("size"), 4), 64)  # tiny_backend.h
            assert counted.of(refill, size_class, "hits") == 1
            stores = (*driver.variant.with_role("cache"), *driver.variant.with_role("overflow"))
            taken = {store.name: counted.of(store, size_class, "in", "refill") for store in stores}
            filled = {name: blocks for name, blocks in taken.items() if blocks}
            if refill.needs:
                assert filled == dict.fromkeys(refill.needs, batch - 1)
            elif size_class in cache.keys:
                assert filled == {cache.name: min(batch - 1, limit(cache, size_class))}
            else:
                assert filled == {}, "no cache serves this class, so the batch is returned to the slab"


def test_with_every_toggle_off_the_overflow_and_the_last_refill_serve_all(driver: Driver) -> None:
    sizes = reachable(driver.variant)
    counts = driver.run([word for c in sizes for word in fill_and_empty(c.number("size"), 100)]).counts
    served = {name: sum(layer["hits"]) for name, layer in counts["layers"].items()}
    assert all(served[layer.name] == 0 for layer in driver.variant.toggled_layers)
    assert sum(served.values()) == sum(counts["requests"]) == 200 * len(sizes)
    assert sum(counts["unserved"]) == 0


def test_the_slow_path_tops_up_and_spills_the_first_layer(counting: Project) -> None:
    variant = LOADED.variants["phase2"]
    first = variant.layers[0]
    counted = Driver(counting, variant).run(fill_and_empty(64, first.capacity + EXTRA))
    size_class = next(c for c in variant.keys if c.number("size") == 64)
    (overflow,) = variant.with_role("overflow")
    assert (
        counted.of(first, size_class, "in", "top_up") == counted.of(overflow, size_class, "out", "top_up") > 0
    )
    assert counted.of(first, size_class, "out", "spill") > EXTRA
    assert counted.of(overflow, size_class, "in", "spill") == counted.of(first, size_class, "out", "spill")
    assert counted.of(first, size_class, "peak") == first.capacity


# --- the evidence


def test_the_evidence_has_each_layer_of_each_load_and_explain_shows_it(counting: Project) -> None:
    run = counting.scons("explain", "variant=phase2")
    assert "What each layer does: not counted yet: scons variant=phase2" in run.stdout
    message = counting.build("variant=phase2", "layers").stdout
    assert "code: not measured" not in message
    record = counting.record(f"phase2-stats-{COMPILER.name}", "layers")
    assert set(record["loads"]) == set(LOADED.matrix.loads)
    titles = {layer.name: layer.title for layer in LOADED.variants["phase2"].layers}
    for load in record["loads"].values():
        assert list(load["layers"]) == list(titles)
        assert sum(layer["share"] for layer in load["layers"].values()) == pytest.approx(1.0, abs=1e-5)
        assert load["layers"]["unified_cache"]["hit_rate"] > 0.99
        costs = load["instructions"]
        if costs["status"] == "measured":
            parts = (*costs["layers"].values(), costs["frame"], costs["elsewhere"])
            assert sum(parts) == pytest.approx(costs["total"], abs=0.01)
            assert costs["layers"]["unified_cache"] > 10 * costs["layers"]["tls_sll"] > 0
        else:
            assert "valgrind" in costs["reason"]
    shown = counting.build("explain", "variant=phase2").stdout
    for text in (message, shown):
        assert "What each layer does in random_mixed" in text
        assert all(f"\n  {title} " in text for title in titles.values())
    assert counting.build("variant=phase2", "layers").actions == []


def test_layers_are_not_counted_in_another_mode(counting: Project) -> None:
    run = counting.scons("layers", "mode=release")
    assert run.status == 2
    assert "layers are counted in mode=stats, not in mode=release" in run.stderr


# --- counts that do not add up


def test_a_lost_block_ends_the_program_and_names_layer_and_class(
    counting: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_tree(counting.root, tmp_path / "project")
    faulty = Driver(Project(tmp_path / "project"), load_project(counting.root).variants["switched"])
    ring = next(layer for layer in faulty.variant.with_role("cache") if layer.storage == "ring")
    size_class = ring.keys[0]
    keep = "    ring->added++;"
    faulty.project.edit(
        "templates/storage/ring.h.j2", keep, f"    if (class != {size_class.index}) {keep.strip()}"
    )
    faulty.project.build("variant=switched", "mode=stats", "libs")
    done = faulty.try_run(fill_and_empty(size_class.number("size"), 3), on=[ring])
    assert done.returncode < 0
    assert done.stderr == (
        f"hakmem: stats: {ring.title}, class {size_class.name}: in - out = held does not hold: 3, 0, 0\n"
    )
    for name, value in faulty.toggles(on=[ring]).items():
        monkeypatch.setenv(name, value)
    run = faulty.project.scons("variant=switched", "layers")
    assert run.status == 1
    assert "random_mixed" in run.stderr
    cell = f"switched-stats-{COMPILER.name}"
    results = faulty.project.record(cell, "layers")["programs"]
    failed = {result["name"]: result["reason"] for result in results if result["status"] == "failed"}
    assert f"{ring.title}, class " in failed["random_mixed"]
    assert not faulty.project.path(f"build/{cell}/evidence/layers.passed").exists()


def test_a_request_that_no_layer_counts_ends_the_program(counting: Project, tmp_path: Path) -> None:
    copy_tree(counting.root, tmp_path / "project")
    faulty = Driver(Project(tmp_path / "project"), load_project(counting.root).variants["switched"])
    uncounted = "tiny_alloc_class(size_t class)\n{\n"
    template = "templates/tiny_alloc_fast.h.j2"
    inlined = f"{uncounted}    TINY_COUNT_REQUEST(class);\n    void *block;"
    faulty.project.edit(template, inlined, f"{uncounted}    void *block;")
    faulty.project.build("variant=switched", "mode=stats", "libs")
    done = faulty.try_run(["a:64:3"])
    assert done.returncode < 0
    assert done.stderr == "hakmem: stats: class C3: 0 requests, but 3 answers\n"
